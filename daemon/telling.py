"""An event as a person or a script tells it: what may be said, and what it then is. For the command line and the API.

Raises ValueError, saying what was wanted; never with a word of what was given.
"""

from datetime import UTC, datetime

from bson import ObjectId

from rules.names import one_line

LONGEST = 1000
LONGEST_PLAN = 100
FIRST = datetime(2000, 1, 1, tzinfo=UTC)


def description(text: str) -> str:
    """The text on one line, without what no reader can see."""
    line = one_line(text, LONGEST + 1)
    if not line:
        raise ValueError("wanted a text that can be seen")
    if len(line) > LONGEST:
        raise ValueError(f"wanted at most {LONGEST} characters")
    return line


def plan(text: str | None) -> str | None:
    """The name of a plan; None for one that says nothing."""
    return one_line(text, LONGEST_PLAN) or None


def identity(text: str) -> ObjectId | str:
    """24 hex digits are an ObjectId, as everywhere in the dashboard's database."""
    return ObjectId(text) if ObjectId.is_valid(text) else text


def moment(at: datetime, now: datetime) -> datetime:
    """When it happened, in UTC."""
    if at > now:
        raise ValueError("this moment is still to come")
    if at < FIRST:
        raise ValueError(f"wanted a moment since {FIRST.year}")
    return at.astimezone(UTC)
