"""What becomes of a row that stands already when it is written again.

Ours is never lost, theirs is never taken: a text a person wrote into `notes` stays, whoever replaced the row around it;
a final row that changes gets a higher `revision` and keeps beside it what it first reported. `kept` is the row as we
last wrote it, in a place of ours: it survives the dashboard's "save today", which replaces rows whole.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from rules.rows.row import NUMBERS
from rules.settings.catalog import SEPARATOR

Row = Mapping[str, Any]

REPORTED = (*NUMBERS, "auto_notes")
"""The fields whose change makes a new revision of a final row."""

_MISSING = object()


class Difference(NamedTuple):
    """A field that is not what it was; a field inside another is named with a dot."""

    field: str
    before: Any
    after: Any


class Amended(NamedTuple):
    """The row to be stored, and what of a final row changed by it.

    `healed`: somebody had replaced ours. `written` is false where the very row stood already.
    """

    row: dict[str, Any]
    differences: list[Difference]
    healed: bool
    written: bool = True


def amended(made: Row, stored: Row | None, kept: Row | None, *, final: bool, now: datetime) -> Amended:
    """`made` as it is to be stored: over what stands in the table, if anything does."""
    ours = stored if stored is not None and is_ours(stored) else kept
    reported = ours if ours is not None and ours.get("final") else None
    changed = [] if reported is None else list(differences(reported, made, REPORTED))
    row = {
        **(stored or {}),
        **made,
        "notes": notes(made, stored, kept),
        "final": final or reported is not None,
        "revision": (ours.get("revision", 0) if ours else 0) + bool(changed),
        "created_at": (stored or {}).get("created_at", now),
        "updated_at": now,
    }
    first = (ours or {}).get("first_reported") or (as_reported(reported) if reported and changed else None)
    if first is not None:
        row["first_reported"] = first
    return Amended(row, changed, stored is not None and ours is not None and ours is not stored)


def is_ours(stored: Row) -> bool:
    """Whether the row in the table is one we wrote; the dashboard's have its own fields only."""
    return isinstance(stored.get("revision"), int)


def as_reported(row: Row) -> dict[str, Any]:
    """What is kept of a row that is amended for the first time, and when it was reported."""
    return {name: row[name] for name in (*REPORTED, "updated_at") if name in row}


def notes(made: Row, stored: Row | None, kept: Row | None) -> Any:
    """Our note, unless a person's text stands there."""
    if stored is None:
        return made["auto_notes"]
    text = stored.get("notes")
    ours = [row.get("auto_notes") for row in (stored, kept) if row]
    theirs = bool(text) and text not in ours and not is_composed(stored)
    return text if theirs else made["auto_notes"]


def is_composed(stored: Row) -> bool:
    """Whether the note of a row that is not ours was made by the dashboard: of its events' descriptions alone."""
    text, events = stored.get("notes"), stored.get("auto_events")
    if is_ours(stored) or not isinstance(text, str) or not isinstance(events, list):
        return False
    told = {_bare(str(event.get("description"))) for event in events if isinstance(event, Mapping)}
    return all(_bare(part) in told for part in text.split(SEPARATOR))


def _bare(text: str) -> str:
    """A text without the emoji before it."""
    return re.sub(r"^\W+", "", text).strip()


def differences(before: Row, after: Row, names: tuple[str, ...]) -> Iterator[Difference]:
    """The named fields that both rows have and that differ, taken apart where both hold documents."""
    for name in names:
        if name in before and name in after:
            yield from _apart(name, before[name], after[name])


def _apart(name: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from _apart(f"{name}.{key}", before.get(key, _MISSING), after.get(key, _MISSING))
    elif before != after:
        yield Difference(name, *(None if value is _MISSING else value for value in (before, after)))


def lost_its_events(kept: Row | None, standing: int, older_stand: bool) -> bool:
    """Whether a day's events were deleted since its row was written, as the dashboard's old cron does.

    It deletes the oldest first: where fewer stand than were told and none is older, or none stands at all, they are
    gone. Fewer alone is no sign: an event may be taken back.
    """
    told = kept.get("auto_events_total", 0) if kept else 0
    return standing < told and (standing == 0 or not older_stand)
