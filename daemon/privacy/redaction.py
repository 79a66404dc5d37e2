"""What becomes of one document when a person is forgotten: ours told anew without the name, others' left or counted.

A namesake is somebody else: what is tied to another customer's id keeps its name.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from daemon.mongo.collections import EVENTS, KEPT_ROWS, ROWS, SOURCE_NAME
from daemon.mongo.types import Document
from daemon.privacy.documents import is_through_us
from daemon.rollup.row_builder import RowBuilder
from rules.model.changes import Plan
from rules.privacy import erasure, rendering
from rules.privacy.erasure import NamePatterns
from rules.rows import amendment
from rules.rows.periods import Kind
from rules.settings.catalog import FORGOTTEN
from rules.settings.settings import Settings

IDENTITY = frozenset(("_id", "period_type", "event_type"))
"""Not texts: what a document is known by."""


NOBODY = {"customer_name": FORGOTTEN}


class Subject(NamedTuple):
    """Whom it is about: the id, the licences, and what is looked for in texts. `in_source`: not deleted there yet."""

    id: Any
    licenses: list[Any]
    needles: NamePatterns
    in_source: bool

    def is_named_in(self, event: Mapping[str, Any]) -> bool:
        """Whether an event, or a row's entry of one, is about this customer."""
        return str(event.get("customer_id")) == str(self.id)


class Redactor:
    """Cleans for one person. `others`: also what the dashboard or a person wrote.

    `days` are those with an event about the person, whose notes are composed anew from the events that stand.
    """

    def __init__(
        self, person: Subject, days: set[date], rebuild: RowBuilder, plans: Mapping[str, Plan], *, others: bool
    ) -> None:
        self.person = person
        self.needles = person.needles
        self.days = days
        self.rebuild = rebuild
        self.settings: Settings = rebuild.settings
        self.plans = plans
        self.others = others

    def document(self, name: str, stored: Document) -> Document:
        """A document of collection `name` as it is to stand."""
        if name == EVENTS:
            return self._event(stored)
        if name in (ROWS, KEPT_ROWS):
            return self._row(stored)
        return {**stored, **self._without(stored)}

    def left(self, name: str, stored: Document) -> str | None:
        """What kind of text of somebody else holds the name and stays; None where none does."""
        if self.others or name not in (EVENTS, ROWS):
            return None
        if name == EVENTS and not is_through_us(stored):
            return "events of the dashboard" if self._names(stored) else None
        if name == ROWS and not is_row_of_ours(stored):
            return "rows of the dashboard" if self._names(stored) else None
        is_theirs = name == ROWS and has_own_note(stored) and self.needles.holds(stored.get("notes"))
        return "notes that a person wrote" if is_theirs else None

    def _names(self, stored: Document) -> bool:
        return not self._is_namesakes(stored) and self.needles.holds(speaking(stored))

    def _is_namesakes(self, event: Mapping[str, Any]) -> bool:
        return event.get("customer_id") is not None and not self.person.is_named_in(event)

    def _without(self, stored: Document, *but: str) -> Document:
        texts = {name: value for name, value in speaking(stored).items() if name not in but}
        return {name: self.needles.without(value) for name, value in texts.items()}

    # -- events ----------------------------------------------------------------------------------------------

    def _event(self, event: Document) -> Document:
        if not (is_through_us(event) or self.others) or self._is_of_a_namesake(event):
            return event
        if self.person.is_named_in(event) and (names_somebody(event) or self.needles.holds(speaking(event))):
            event = erasure.redacted_event(event, self.plans, self.settings)
        return {**event, **self._without(event)}

    def _is_of_a_namesake(self, event: Mapping[str, Any]) -> bool:
        """An event that tells a fact of another customer: the name in it is that customer's."""
        metadata = event.get("metadata")
        facts = metadata if isinstance(metadata, Mapping) else {}
        return self._is_namesakes(event) and (facts.get("source") == SOURCE_NAME or "customer_name" in facts)

    # -- rows ------------------------------------------------------------------------------------------------

    def _row(self, row: Document) -> Document:
        if not is_row_of_ours(row) and not self.others:
            return row
        theirs = has_own_note(row) and not self.others
        cleaned = {**row, **self._without(row, "auto_events", *(["notes"] if theirs else []))}
        cleaned["auto_events"] = self._entries(row.get("auto_events"))
        if self._is_composed_anew(row) and (told := self.rebuild.note_and_events(row["date"].date())):
            cleaned |= self._is_named(told)
            if not has_own_note(row):
                cleaned["notes"] = cleaned["auto_notes"]
        return {name: value for name, value in cleaned.items() if name in row}

    def _is_composed_anew(self, row: Document) -> bool:
        """A daily row that we measured, on a day with an event about the person or with the name in its text."""
        day = row.get("date")
        if not isinstance(day, datetime) or not amendment.is_ours(row) or row.get("period_type") != Kind.DAILY:
            return False
        return day.date() in self.days or self.needles.holds([row.get("auto_notes"), row.get("auto_events")])

    def _is_named(self, told: Document) -> Document:
        """Note and entries as a day's events tell them; where a namesake is in them, the note stays as it is."""
        entries = self._entries(told["auto_events"])
        namesake = any(self._is_namesakes(entry) and self.needles.holds(entry.get("description")) for entry in entries)
        note = told["auto_notes"] if namesake else self.needles.without(told["auto_notes"])
        return {**told, "auto_events": entries, "auto_notes": note}

    def _entries(self, stored: Any) -> Any:
        return [self._entry(one) for one in stored] if isinstance(stored, list) else stored

    def _entry(self, entry: Any) -> Any:
        """An entry of `auto_events`; one about the person in which no name was found is told again without any."""
        if not isinstance(entry, dict) or self._is_namesakes(entry):
            return entry
        cleaned: Document = self.needles.without(entry)
        if not self.person.is_named_in(entry) or FORGOTTEN in str(cleaned.get("description")):
            return cleaned
        facts = {"event_type": entry.get("type"), "amount": entry.get("amount"), "metadata": NOBODY}
        return {**cleaned, "description": rendering.rendered(facts, self.plans, self.settings) or FORGOTTEN}


def speaking(document: Mapping[str, Any]) -> Document:
    """What of a document may hold a text."""
    return {name: value for name, value in document.items() if name not in IDENTITY}


def is_row_of_ours(row: Mapping[str, Any]) -> bool:
    """Whether we wrote a row, measured or reconstructed."""
    return amendment.is_ours(row) or bool(row.get("reconstructed"))


def has_own_note(row: Mapping[str, Any]) -> bool:
    """Whether a row's note is not the one we made."""
    return bool(row.get("notes") != row.get("auto_notes"))


def names_somebody(event: Mapping[str, Any]) -> bool:
    """Whether an event carries a customer's name beside its text."""
    metadata = event.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("customer_name") not in (None, FORGOTTEN)
