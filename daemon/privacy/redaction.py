"""Redaction of one document: own documents lose the customer's name, external ones are kept and counted.

A document with the id of another customer of the same name keeps the name.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from daemon.mongo.collections import EVENTS, ROWS, SOURCE_NAME, WRITTEN_ROWS
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Document
from daemon.privacy.documents import is_own_event
from daemon.rollup.row_builder import RowBuilder
from rules.model.changes import DocId, Plan
from rules.model.documents import is_id
from rules.privacy import erasure, rendering
from rules.privacy.described import DOCUMENT_EVENTS
from rules.privacy.erasure import NamePatterns
from rules.rows import amendment, note_grammar
from rules.rows.note_grammar import PersonalText
from rules.rows.periods import PeriodKind
from rules.settings.catalog import FORGOTTEN, MARKS
from rules.settings.settings import Settings

IDENTITY_FIELDS = frozenset(("_id", "period_type", "event_type"))
"""Fields that identify a document and are never redacted."""

FORGOTTEN_METADATA = {"customer_name": FORGOTTEN}


class Reference(NamedTuple):
    """How documents refer to a customer: `ids` in events (first its id), `texts` in rows, and its `licenses`.

    `shares_text`: the id of another customer has the same text, so an entry of a row may be about either.
    """

    ids: list[Any]
    texts: list[str]
    licenses: list[Any]
    shares_text: bool

    def is_id(self, value: Any) -> bool:
        try:
            return canonical(value) in self.ids
        except UnusableId:
            return False


class Subject(NamedTuple):
    """The customer to erase, the patterns of its names, and the ids of other customers whose names contain one.

    `in_source`: its document still exists in the source.
    """

    reference: Reference
    name_patterns: NamePatterns
    namesakes: frozenset[DocId]
    in_source: bool

    @property
    def id(self) -> DocId:
        found: DocId = self.reference.ids[0]
        return found

    def is_subject_of(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is about this customer."""
        return event.get("customer_id") is not None and self.reference.is_id(event["customer_id"])

    def is_subject_of_entry(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry of a row's `auto_events` is about this customer."""
        return entry.get("customer_id") in self.reference.texts

    def is_about_other(self, event: Mapping[str, Any]) -> bool:
        return event.get("customer_id") is not None and not self.is_subject_of(event)

    def is_entry_about_other(self, entry: Mapping[str, Any]) -> bool:
        return entry.get("customer_id") is not None and not self.is_subject_of_entry(entry)

    def is_about_namesake(self, event: Mapping[str, Any]) -> bool:
        owner = event.get("customer_id")
        return owner is not None and is_id(owner) and owner in self.namesakes


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

    def remaining_text(self, name: str, document: Document) -> str | None:
        """Return which kind of text of a redacted document still contains the name, or None."""
        if name == EVENTS:
            return self._remaining_event(document)
        if name in (ROWS, WRITTEN_ROWS):
            return self._remaining_row(document)
        return f"documents of {name}" if self.name_patterns.matches(text_fields(document)) else None

    def _remaining_event(self, event: Document) -> str | None:
        if self._states_other_customers_fact(event) or not self._names_person(event):
            return None
        return "events of the daemon" if is_own_event(event) else "events of the dashboard"

    def _remaining_row(self, row: Document) -> str | None:
        if not is_own_row(row):
            return "rows of the dashboard" if self.name_patterns.matches(text_fields(row)) else None
        if self.name_patterns.matches(personal_text(row).text):
            return "notes that a person wrote"
        listed = row.get("auto_events")
        entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        own_entries = [one for one in entries if not self.subject.is_entry_about_other(one)]
        excluded = ("auto_events", "notes", *(("auto_notes",) if self._is_shared(entries) else ()))
        texts = {field: value for field, value in text_fields(row).items() if field not in excluded}
        if self.name_patterns.matches([texts, own_entries]):
            return "rows of the daemon"
        return "rows whose events were deleted" if own_entries and self._may_name_by_word(row) else None

    def _may_name_by_word(self, row: Document) -> bool:
        """Whether the note of a row contains a common name and cannot be composed again."""
        is_daily = row.get("period_type") == PeriodKind.DAILY
        is_possible = is_daily and self.name_patterns.has_common(row.get("auto_notes"))
        return is_possible and self.row_builder.note_and_events(row["date"].date()) is None

    def _names_person(self, event: Document) -> bool:
        """Whether an event contains the name; one about the customer also if the name is a common word."""
        is_unrendered = self.subject.is_subject_of(event) and not is_rendered(event)
        is_named = is_unrendered and self.name_patterns.has_common(event.get("description"))
        return is_named or self.name_patterns.matches(text_fields(event))

    def _redacted_fields(self, stored: Document, *excluded: str) -> Document:
        texts = {name: value for name, value in text_fields(stored).items() if name not in excluded}
        return {name: self.name_patterns.redact(value) for name, value in texts.items()}

    # -- events ----------------------------------------------------------------------------------------------

    def _redacted_event(self, event: Document) -> Document:
        if not (is_own_event(event) or self.include_external) or self._states_other_customers_fact(event):
            return event
        if self.subject.is_subject_of(event) and self._has_to_be_rendered(event):
            event = erasure.redacted_event(event, self.plans, self.settings)
        return {**event, **self._redacted_fields(event)}

    def _has_to_be_rendered(self, event: Document) -> bool:
        """Whether an event about the customer may name it: its type does, its fields do, or no name of it is known."""
        is_named = carries_name(event) or self._names_person(event)
        return is_named or event.get("event_type") in DOCUMENT_EVENTS or self.name_patterns.pattern is None

    def _states_other_customers_fact(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is a fact of another customer, so that the name in it belongs to that customer."""
        metadata = event.get("metadata")
        facts = metadata if isinstance(metadata, Mapping) else {}
        states_fact = facts.get("source") == SOURCE_NAME or "customer_name" in facts
        return self.subject.is_about_namesake(event) or (states_fact and self.subject.is_about_other(event))

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
        note = composed["auto_notes"] if self._is_shared(entries) else self.name_patterns.redact(composed["auto_notes"])
        return {**composed, "auto_events": entries, "auto_notes": note}

    def _is_shared(self, entries: Iterable[Document]) -> bool:
        """Whether an entry about another customer contains the same name."""
        others = filter(self.subject.is_entry_about_other, entries)
        return any(self.name_patterns.matches(entry.get("description")) for entry in others)

    def _redacted_entries(self, stored: Any) -> Any:
        return [self._redacted_entry(one) for one in stored] if isinstance(stored, list) else stored

    def _redacted_entry(self, entry: Any) -> Any:
        """Redact an entry of `auto_events`; render it again if it is about the customer but no name was found in it."""
        if not isinstance(entry, dict) or self.subject.is_entry_about_other(entry):
            return entry
        redacted: Document = self.name_patterns.redact(entry)
        is_of_subject = self.subject.is_subject_of_entry(entry) and not self.subject.reference.shares_text
        if not is_of_subject or _is_redacted(str(redacted.get("description"))):
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


def is_rendered(event: Mapping[str, Any]) -> bool:
    """Whether an event was rendered again without a name."""
    metadata = event.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("customer_name") in MARKS


def _is_redacted(text: str) -> bool:
    return any(mark in text for mark in MARKS)
