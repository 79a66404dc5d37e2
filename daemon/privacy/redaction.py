"""Redaction of one document: own documents lose the customer's name, external ones are kept and counted.

A document with the id of another customer of the same name keeps the name.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from daemon.mongo.collections import EVENTS, ROWS, SOURCE_NAME, WRITTEN_ROWS
from daemon.mongo.types import Document
from daemon.privacy.documents import is_own_event
from daemon.rollup.row_builder import RowBuilder
from rules.model.changes import Plan
from rules.privacy import erasure, rendering
from rules.privacy.erasure import NamePatterns
from rules.rows import amendment, note_grammar
from rules.rows.note_grammar import PersonalText
from rules.rows.periods import PeriodKind
from rules.settings.catalog import FORGOTTEN, MARKS
from rules.settings.settings import Settings

IDENTITY_FIELDS = frozenset(("_id", "period_type", "event_type"))
"""Fields that identify a document and are never redacted."""

FORGOTTEN_METADATA = {"customer_name": FORGOTTEN}


class Subject(NamedTuple):
    """The customer to erase, its license ids, and the patterns of its names.

    `in_source`: its document still exists in the source.
    """

    id: Any
    licenses: list[Any]
    name_patterns: NamePatterns
    in_source: bool

    def is_subject_of(self, event: Mapping[str, Any]) -> bool:
        """Whether an event, or an entry of a row's `auto_events`, is about this customer."""
        return str(event.get("customer_id")) == str(self.id)


class Redactor:
    """Redacts documents for one customer.

    `affected_days` have an event about the customer: their notes are composed again from the stored events.
    `include_external`: also redact texts of the dashboard and manually edited notes.
    """

    def __init__(
        self,
        subject: Subject,
        affected_days: set[date],
        row_builder: RowBuilder,
        plans: Mapping[str, Plan],
        *,
        include_external: bool,
    ) -> None:
        self.subject = subject
        self.name_patterns = subject.name_patterns
        self.affected_days = affected_days
        self.row_builder = row_builder
        self.settings: Settings = row_builder.settings
        self.plans = plans
        self.include_external = include_external

    def redacted(self, name: str, stored: Document) -> Document:
        """Return the redacted form of a document of collection `name`."""
        if name == EVENTS:
            return self._redacted_event(stored)
        if name in (ROWS, WRITTEN_ROWS):
            return self._redacted_row(stored, keeps_text=name == ROWS and not self.include_external)
        return {**stored, **self._redacted_fields(stored)}

    def remaining_text(self, name: str, stored: Document) -> str | None:
        """Return which kind of external text still contains the name, or None."""
        if self.include_external or name not in (EVENTS, ROWS):
            return None
        if name == EVENTS and not is_own_event(stored):
            return "events of the dashboard" if self._contains_name(stored) else None
        if name == ROWS and not is_own_row(stored):
            return "rows of the dashboard" if self._contains_name(stored) else None
        is_edited = name == ROWS and self.name_patterns.matches(personal_text(stored).text)
        return "notes that a person wrote" if is_edited else None

    def _contains_name(self, stored: Document) -> bool:
        return not self._is_about_other_customer(stored) and self.name_patterns.matches(text_fields(stored))

    def _is_about_other_customer(self, event: Mapping[str, Any]) -> bool:
        return event.get("customer_id") is not None and not self.subject.is_subject_of(event)

    def _redacted_fields(self, stored: Document, *excluded: str) -> Document:
        texts = {name: value for name, value in text_fields(stored).items() if name not in excluded}
        return {name: self.name_patterns.redact(value) for name, value in texts.items()}

    # -- events ----------------------------------------------------------------------------------------------

    def _redacted_event(self, event: Document) -> Document:
        if not (is_own_event(event) or self.include_external) or self._states_other_customers_fact(event):
            return event
        if self.subject.is_subject_of(event) and (
            carries_name(event) or self.name_patterns.matches(text_fields(event))
        ):
            event = erasure.redacted_event(event, self.plans, self.settings)
        return {**event, **self._redacted_fields(event)}

    def _states_other_customers_fact(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is a fact of another customer, so that the name in it belongs to that customer."""
        metadata = event.get("metadata")
        facts = metadata if isinstance(metadata, Mapping) else {}
        return self._is_about_other_customer(event) and (facts.get("source") == SOURCE_NAME or "customer_name" in facts)

    # -- rows ------------------------------------------------------------------------------------------------

    def _redacted_row(self, row: Document, *, keeps_text: bool) -> Document:
        """Redact a row. `keeps_text`: a person's note or comment stays; the generated note before it is redacted."""
        if not is_own_row(row) and not self.include_external:
            return row
        personal = personal_text(row)
        if not keeps_text:
            personal = personal._replace(text=self.name_patterns.redact(personal.text))
        redacted = {**row, **self._redacted_fields(row, "auto_events", "notes")}
        redacted["auto_events"] = self._redacted_entries(row.get("auto_events"))
        if self._needs_new_note(row) and (composed := self.row_builder.note_and_events(row["date"].date())):
            redacted |= self._redacted_note(composed)
        redacted["notes"] = personal.with_note(redacted.get("auto_notes", row.get("notes")))
        return {name: value for name, value in redacted.items() if name in row}

    def _needs_new_note(self, row: Document) -> bool:
        """Whether it is a measured daily row of an affected day, or one whose text contains the name."""
        day = row.get("date")
        if not isinstance(day, datetime) or not amendment.is_own(row) or row.get("period_type") != PeriodKind.DAILY:
            return False
        return day.date() in self.affected_days or self.name_patterns.matches(
            [row.get("auto_notes"), row.get("auto_events")]
        )

    def _redacted_note(self, composed: Document) -> Document:
        """Redact a note and its entries; keep the note if an event of another customer contains the same name."""
        entries = self._redacted_entries(composed["auto_events"])
        is_shared = any(
            self._is_about_other_customer(entry) and self.name_patterns.matches(entry.get("description"))
            for entry in entries
        )
        note = composed["auto_notes"] if is_shared else self.name_patterns.redact(composed["auto_notes"])
        return {**composed, "auto_events": entries, "auto_notes": note}

    def _redacted_entries(self, stored: Any) -> Any:
        return [self._redacted_entry(one) for one in stored] if isinstance(stored, list) else stored

    def _redacted_entry(self, entry: Any) -> Any:
        """Redact an entry of `auto_events`; render it again if it is about the customer but no name was found in it."""
        if not isinstance(entry, dict) or self._is_about_other_customer(entry):
            return entry
        redacted: Document = self.name_patterns.redact(entry)
        if not self.subject.is_subject_of(entry) or _is_redacted(str(redacted.get("description"))):
            return redacted
        facts = {"event_type": entry.get("type"), "amount": entry.get("amount"), "metadata": FORGOTTEN_METADATA}
        return {**redacted, "description": rendering.rendered(facts, self.plans, self.settings) or FORGOTTEN}


def text_fields(document: Mapping[str, Any]) -> Document:
    """Return the fields of a document that may contain text."""
    return {name: value for name, value in document.items() if name not in IDENTITY_FIELDS}


def is_own_row(row: Mapping[str, Any]) -> bool:
    """Whether the daemon wrote a row, measured or reconstructed."""
    return amendment.is_own(row) or bool(row.get("reconstructed"))


def personal_text(row: Mapping[str, Any]) -> PersonalText:
    """Return what a person wrote into a row's note."""
    return note_grammar.personal_text(row.get("notes"), [row.get("auto_notes")])


def carries_name(event: Mapping[str, Any]) -> bool:
    """Whether an event's metadata contains a customer's name."""
    metadata = event.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("customer_name") not in (None, *MARKS)


def _is_redacted(text: str) -> bool:
    return any(mark in text for mark in MARKS)
