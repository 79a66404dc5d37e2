"""The note of a day: its events as one readable line in Italian.

Facts of one kind stand together, the most important kind first; few are told one by one, many as a count
with the first names. The line is bounded in length whatever happened.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rules.catalogue import SEPARATOR, STYLES, Style
from rules.model import EventType
from rules.names import MAX_NAME, one_line
from rules.settings import Settings

OTHER = Style("•", 200, "altri eventi")
TOLD_ONE_BY_ONE = 3
"""Up to this many facts of one kind each get a line of their own."""


class Fact(NamedTuple):
    """A stored event as the note sees it; `name` is the customer's, "" where unknown."""

    type: str
    description: str
    name: str = ""


def compose(facts: Iterable[Fact], settings: Settings) -> str:
    """The day's note; "" for a day without events. `facts` are in the order they happened."""
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.type, []).append(fact)
    lines = [
        line
        for kind in sorted(groups, key=lambda kind: (style(kind).rank, kind))
        for line in tell(kind, groups[kind], settings)
    ]
    return _bounded(lines, settings.note_length)


def style(kind: str) -> Style:
    """How a kind of event shows; one nobody knows comes last."""
    return STYLES[EventType(kind)] if kind in EventType._value2member_map_ else OTHER


def tell(kind: str, facts: Sequence[Fact], settings: Settings) -> list[str]:
    """One line per fact while they are few, one line for all when they are many."""
    look = style(kind)
    if len(facts) <= TOLD_ONE_BY_ONE:
        return [_line(look.emoji, one_line(fact.description)) for fact in facts]
    names = list(dict.fromkeys(one_line(fact.name, MAX_NAME) for fact in facts if fact.name))
    return [f"{look.emoji} {len(facts)} {look.many}{_first(names, len(facts), settings.note_names)}"]


def _line(emoji: str, text: str) -> str:
    """The text behind its emoji, unless it brought it along (the dashboard's own events may)."""
    return text if text.startswith(emoji) else f"{emoji} {text}"


def _first(names: Sequence[str], count: int, shown: int) -> str:
    if not names:
        return ""
    first = ", ".join(names[:shown])
    rest = count - len(names[:shown])
    return f": {first} e altri {rest}" if rest > 0 else f": {first}"


def _bounded(lines: Sequence[str], limit: int) -> str:
    """As many whole lines as fit, and how many facts are not told."""
    note = ""
    for index, line in enumerate(lines):
        longer = f"{note}{SEPARATOR}{line}" if note else one_line(line, limit)
        left = len(lines) - index
        if len(longer) > limit:
            return f"{note}{SEPARATOR}… e altri {left}"
        note = longer
    return note
