"""Final rows keep their words: a note is not amended for a new wording, a renamed customer or another program version.

A final row gets new words only if its numbers or its events changed, or if a customer in it was forgotten.
"""

import re
from collections.abc import Mapping
from typing import Any

from rules.model.events import EventType
from rules.rows.row import NUMBERS
from rules.settings.catalog import MARKS
from rules.text import note_text

Row = Mapping[str, Any]

WORDS = ("auto_notes", "auto_events")
_FREE_TEXT = frozenset(
    kind
    for kind in EventType
    if not kind.startswith(("new_customer", "license_", "plan_", "payment_")) and kind != EventType.MILESTONE_REACHED
)
"""Types whose text is a fact, because nothing else describes it."""
_DIGITS = re.compile(r"\d+")


def with_kept_words(computed: Row, own_copy: Row | None) -> Row:
    """Return the computed row with the words of the daemon's copy if the copy is final and states the same facts."""
    if own_copy is None or not own_copy.get("final") or not _has_same_facts(computed, own_copy):
        return computed
    return {**computed, **{name: own_copy[name] for name in WORDS if name in own_copy}}


def _has_same_facts(computed: Row, own_copy: Row) -> bool:
    if any(computed.get(name) != own_copy.get(name) for name in (*NUMBERS, "auto_events_total")):
        return False
    if computed.get("period_type") == "monthly":
        return _digits(computed) == _digits(own_copy)
    events = _events(computed)
    return bool(events) and events == _events(own_copy)


def _digits(row: Row) -> list[str]:
    """Return the numbers in the note of a month: some are in no field of the row."""
    return _DIGITS.findall(str(row.get("auto_notes")))


def _events(row: Row) -> list[tuple[Any, ...]]:
    entries = row.get("auto_events")
    return [_facts(entry) for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _facts(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an entry of `auto_events` states, whatever its words."""
    kind, text = entry.get("type"), note_text(entry.get("description"))
    is_forgotten = any(mark in text for mark in MARKS)
    return (kind, entry.get("time"), is_forgotten, text if kind in _FREE_TEXT else "")
