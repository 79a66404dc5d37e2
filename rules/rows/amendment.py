"""Amendment of an existing row: the merge of a computed row with the stored one.

A text that a person wrote into `notes` is always kept (`note_grammar`), even if the dashboard replaced the row. A final
row that changes gets a higher `revision` and keeps its first reported values. `own_copy` is the row as the daemon last
wrote it, stored in a separate collection: it survives the dashboard's "save today", which replaces whole rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from rules.rows import note_grammar
from rules.rows.kept_words import with_kept_words
from rules.rows.note_grammar import DashboardForms, PersonalText
from rules.rows.row import NUMBERS

Row = Mapping[str, Any]

REPORTED = (*NUMBERS, "auto_notes")
"""Fields whose change creates a new revision of a final row."""

_MISSING = object()


class FieldDifference(NamedTuple):
    """A changed field; a nested field has a dotted name. A missing value is None."""

    field: str
    before: Any
    after: Any


class Amendment(NamedTuple):
    """The row to store and its differences from the last reported final row.

    `restored` is true if the dashboard had replaced the daemon's row. `written` is false if the stored row was already
    identical. `comment` is what a person added to the generated note.
    """

    row: dict[str, Any]
    differences: list[FieldDifference]
    restored: bool
    written: bool = True
    comment: str = ""


def amend(computed: Row, stored: Row | None, own_copy: Row | None, *, final: bool, now: datetime) -> Amendment:
    """Return `computed` merged with the row in the table and with the daemon's copy of it, if they exist."""
    computed = with_kept_words(computed, own_copy)
    personal = personal_text(computed, stored, own_copy)
    previous = stored if stored is not None and is_own(stored) else own_copy
    reported = previous if previous is not None and previous.get("final") else None
    changed = [] if reported is None else list(differences(reported, computed, REPORTED))
    row = {
        **(stored or {}),
        **computed,
        "notes": personal.with_note(computed["auto_notes"]),
        "final": final or reported is not None,
        "revision": (previous.get("revision", 0) if previous else 0) + bool(changed),
        "created_at": (stored or {}).get("created_at", now),
        "updated_at": now,
    }
    first = (previous or {}).get("first_reported") or (as_reported(reported) if reported and changed else None)
    if first is not None:
        row["first_reported"] = first
    restored = stored is not None and previous is not None and previous is not stored
    return Amendment(row, changed, restored, comment=personal.comment)


def is_own(stored: Row) -> bool:
    """Return whether the daemon wrote the row in the table; the dashboard's rows have no `revision`."""
    return isinstance(stored.get("revision"), int)


def as_reported(row: Row) -> dict[str, Any]:
    """Return the reported values of a row and their time, for `first_reported` at its first amendment."""
    return {name: row[name] for name in (*REPORTED, "updated_at") if name in row}


def is_of_the_note_only(row: Row) -> bool:
    """Return whether an amended row still has the numbers that it first reported."""
    first = row.get("first_reported")
    return isinstance(first, Mapping) and "auto_notes" in first and not any(differences(first, row, NUMBERS))


def personal_text(computed: Row, stored: Row | None, own_copy: Row | None) -> PersonalText:
    """Return what a person wrote into the stored row's note.

    A row that the dashboard replaced has only what was typed at that moment. If that is nothing, what a person wrote
    before is taken from the daemon's copy.
    """
    if stored is None:
        return note_grammar.NOTHING
    found = _text_of(stored.get("notes"), (stored, own_copy), _dashboard_forms(computed, stored, own_copy))
    if not found.text and not is_own(stored) and own_copy is not None:
        found = _text_of(own_copy.get("notes"), (own_copy,))
    return found


def current_text(stored: Row, own_copy: Row | None) -> PersonalText:
    """Return what a person wrote into the note of a row that is not computed again."""
    return personal_text(stored, stored, own_copy)


def _text_of(notes: Any, rows: tuple[Row | None, ...], forms: Iterable[DashboardForms] = ()) -> PersonalText:
    """Parse a note; a comment after an empty generated note is recognized by the copy."""
    own_copy = rows[-1]
    if own_copy and not own_copy.get("auto_notes") and notes and notes == own_copy.get("comment"):
        return PersonalText(notes)
    return note_grammar.personal_text(notes, [row.get("auto_notes") for row in rows if row], forms)


def _dashboard_forms(computed: Row, stored: Row, own_copy: Row | None) -> Iterator[DashboardForms]:
    """Yield the notes that the dashboard may have composed, first from the events in its own row."""
    listed = stored.get("auto_events")
    if not is_own(stored) and isinstance(listed, list):
        yield DashboardForms(_texts(stored), allows_bare=bool(listed))
    texts = {text for row in (stored, own_copy, computed) if row for text in _texts(row)}
    yield DashboardForms(texts, allows_sales=not isinstance(listed, list))


def _texts(row: Row) -> set[str]:
    events = row.get("auto_events")
    listed = events if isinstance(events, list) else []
    texts = {event.get("description") for event in listed if isinstance(event, Mapping)}
    return {text for text in texts if isinstance(text, str)}


def differences(before: Row, after: Row, names: tuple[str, ...]) -> Iterator[FieldDifference]:
    """Yield the named fields that both rows have and that differ; fields that hold documents are compared per key."""
    for name in names:
        if name in before and name in after:
            yield from _nested_differences(name, before[name], after[name])


def _nested_differences(name: str, before: Any, after: Any) -> Iterator[FieldDifference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from _nested_differences(f"{name}.{key}", before.get(key, _MISSING), after.get(key, _MISSING))
    elif before != after:
        yield FieldDifference(name, *(None if value is _MISSING else value for value in (before, after)))


def events_were_deleted(own_copy: Row | None, remaining: int, has_older: bool) -> bool:
    """Return whether a day's events were deleted after its row was written, as the dashboard's old cron does.

    The cron deletes the oldest events first. So the events were deleted if none remains, or if fewer remain than the
    row counted and no older event exists. A lower number alone proves nothing: an event may have been withdrawn.
    """
    counted = own_copy.get("auto_events_total", 0) if own_copy else 0
    return remaining < counted and (remaining == 0 or not has_older)
