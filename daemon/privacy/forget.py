"""Erasure of a customer: redact the name in all analytics data and keep every number unchanged.

The order makes it safe while the daemon runs, and repeatable after a stop at any point: (1) add the customer to the
erasure list, so that nothing new contains the name; (2) redact the log file, dead letters, gaps and rows; (3) redact
the events, which are a source of the name until then (as are rows whose events were deleted); (4) make every writer
reload the erasure list, and recheck the rows until nothing is found.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bson import ObjectId

from daemon import clock
from daemon.config.schema import Config
from daemon.diagnostics.verification import Verification, verify_or_report
from daemon.errors import ChatelloError
from daemon.mongo.collections import EVENTS, ROWS, WRITTEN_ROWS
from daemon.mongo.types import Database, Document
from daemon.privacy import documents as texts
from daemon.privacy import log_files
from daemon.privacy.redaction import Redactor, Subject, carries_name
from daemon.rollup.row_builder import RowBuilder
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten, indexes
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.privacy import erasure
from rules.settings import former_texts

Advance = Callable[[int], object]

MAX_RECHECKS = 5


class CustomerNotFound(ChatelloError):
    """No customer has the given id or e-mail."""


@dataclass(slots=True)
class ForgetReport:
    """Number of documents changed (or to change), and number of unchanged external ones with the name.

    `mismatches` are sentences of the verification after an execution.
    """

    changed: dict[str, int] = field(default_factory=dict)
    remaining: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)

    def add_changed(self, place: str) -> None:
        self.changed[place] = self.changed.get(place, 0) + 1

    def add_remaining(self, kind: str | None) -> None:
        if kind is not None:
            self.remaining[kind] = self.remaining.get(kind, 0) + 1


class ForgetRequest:
    """Erases customers of one shop. `include_external`: also in the dashboard's texts and manually edited notes."""

    def __init__(self, database: Database, config: Config, *, include_external: bool = False) -> None:
        self.database = database
        self.config = config
        self.settings = config.settings()
        self.include_external = include_external
        self.row_builder = RowBuilder(database, self.settings)
        states = MirrorReader(database, self.settings).plans().values()
        self.plans = {state.plan.name: state.plan for state in states if state.plan is not None}

    # -- subject ---------------------------------------------------------------------------------------------

    def find_subject(self, identifier: str, also: Iterable[str] = ()) -> Subject:
        """Return the customer with this id or e-mail; `also` are additional names. Raises CustomerNotFound."""
        stored = next(
            (one for query in _lookup_filters(identifier) if (one := texts.find_customer(self.database, query))), None
        )
        customer_id = stored["_id"] if stored else self._find_deleted_id(identifier)
        names = [*self._known_names(stored or {}, customer_id), *also]
        other_names = texts.overlapping_names(self.database, customer_id, names)
        if stored and stored.get("email") == self.config.rules.manual_email:
            raise CustomerNotFound(f"{identifier} is the placeholder of manually entered licenses, not a customer")
        return Subject(
            customer_id,
            texts.license_ids(self.database, customer_id),
            erasure.name_patterns(names, self.plans.values(), other_names),
            stored is not None,
        )

    def _find_deleted_id(self, identifier: str) -> Any:
        """Return the id of a customer whose document was deleted; raises CustomerNotFound."""
        for query in _lookup_filters(identifier):
            customer_id = query.get("_id")
            known = texts.mirrored_fields(self.database, customer_id) is not None
            if customer_id is not None and (known or texts.is_mentioned(self.database, customer_id)):
                return customer_id
        raise CustomerNotFound(
            f"no customer has the id or e-mail {identifier}; find a customer deleted from the dashboard by its id "
            "(see `chatello-analytics export events`)"
        )

    def _known_names(self, stored: Mapping[str, Any], customer_id: Any) -> Iterator[str]:
        for fields in (stored, texts.mirrored_fields(self.database, customer_id) or {}):
            names = [fields.get("email"), fields.get("name") or fields.get("company")]
            yield from (name for name in names if isinstance(name, str))
        yield from texts.names_in_events(self.database, customer_id)
        for entry in texts.row_entries(self.database, customer_id):
            yield former_texts.name_in_text(self.settings.texts, str(entry.get("description"))) or ""

    # -- redaction -------------------------------------------------------------------------------------------

    def count_documents(self) -> int:
        """Return the approximate number of documents to read."""
        return sum(texts.count_documents(self.database, name) for name in (*texts.REDACTED_COLLECTIONS, EVENTS))

    def survey(self, subject: Subject, advance: Advance) -> ForgetReport:
        """Report what an execution would change and leave unchanged. Writes nothing."""
        report, redactor = ForgetReport(), self._redactor(subject)
        for name in (*texts.REDACTED_COLLECTIONS, EVENTS):
            for document in texts.documents(self.database, name):
                if redactor.redacted(name, document) != document:
                    report.add_changed(name)
                report.add_remaining(redactor.remaining_text(name, document))
                advance(1)
        return report

    def execute(self, subject: Subject, now: datetime, advance: Advance) -> ForgetReport:
        """Erase the customer and report what was changed. Can be repeated, also after an interruption."""
        report = ForgetReport()
        indexes.create(self.database)
        before = self._ledger_digest()
        if forgotten.add(self.database, forgotten.prepare(self.database), subject.id, now):
            report.add_changed("mirror")
        redactor = self._redactor(subject)
        self._mask_logs(report, subject)
        for name in texts.REDACTED_COLLECTIONS:
            self._redact_collection(report, name, redactor, advance)
        self._redact_events(report, redactor, advance)
        self._recheck_rows(report, redactor)
        self._verify(report, before)
        self._record(report, subject, before, now)
        return report

    def _redactor(self, subject: Subject) -> Redactor:
        times = texts.event_times(self.database, subject.id, subject.licenses)
        affected = {business_days.business_day(at, self.settings.zone) for at in times if isinstance(at, datetime)}
        return Redactor(subject, affected, self.row_builder, self.plans, include_external=self.include_external)

    def _redact_collection(self, report: ForgetReport, name: str, redactor: Redactor, advance: Advance) -> None:
        for document in texts.documents(self.database, name):
            self._redact_document(report, name, redactor, document)
            advance(1)

    def _redact_document(self, report: ForgetReport, name: str, redactor: Redactor, document: Document) -> None:
        if texts.rewrite(self.database, name, document, lambda stored: redactor.redacted(name, stored)):
            report.add_changed(name)
        report.add_remaining(redactor.remaining_text(name, document))

    def _redact_events(self, report: ForgetReport, redactor: Redactor, advance: Advance) -> None:
        """Redact events with the name in their metadata last: after an interruption it is read from there."""
        for event in texts.documents(self.database, EVENTS):
            if not (carries_name(event) and redactor.subject.is_subject_of(event)):
                self._redact_document(report, EVENTS, redactor, event)
            advance(1)
        for event in texts.events_with_name(self.database, redactor.subject.id):
            self._redact_document(report, EVENTS, redactor, event)

    def _recheck_rows(self, report: ForgetReport, redactor: Redactor) -> None:
        """Make writers reload the erasure list, and redact the rows they wrote from data read before."""
        forgotten.increment_count(self.database)
        for _ in range(MAX_RECHECKS):
            found = ForgetReport()
            for name in (ROWS, WRITTEN_ROWS):
                self._redact_collection(found, name, redactor, lambda _: None)
            if not found.changed:
                return
            rechecked = report.changed.get("rows_looked_at_again", 0)
            report.changed["rows_looked_at_again"] = rechecked + sum(found.changed.values())

    def _mask_logs(self, report: ForgetReport, subject: Subject) -> None:
        if self.config.logs.file:
            lines = log_files.mask_files(Path(self.config.logs.file), subject.name_patterns, str(subject.id))
            if lines:
                report.changed["log_lines"] = lines

    # -- verification ----------------------------------------------------------------------------------------

    def _ledger_digest(self) -> Document:
        """Return the digest of the ledger up to its current line, which must be the same afterwards."""
        checkpoint = checkpoints.load(self.database)
        seq = checkpoint.seq if checkpoint else 0
        return {"seq": seq, **ledger.digest(self.database, seq)}

    def _verify(self, report: ForgetReport, before: Document) -> None:
        after = {"seq": before["seq"], **ledger.digest(self.database, before["seq"])}
        if after != before:
            report.mismatches.append(f"the ledger changed: {before} before, {after} after")
        if before["seq"]:
            report.mismatches += verify_or_report(Verification(self.database, self.config)).mismatches

    def _record(self, report: ForgetReport, subject: Subject, before: Document, now: datetime) -> None:
        erasure_list = forgotten.load(self.database)
        entry = {
            "action": "forget",
            "at": now,
            "ended_at": clock.now(),
            "subject": erasure_list.hash(subject.id),
            "include_external": self.include_external,
            "changed": report.changed,
            "left": report.remaining,
            "ledger": before,
            "proof": "holds" if not report.mismatches else report.mismatches,
            "version": version("chatello-analytics"),
        }
        forgotten.record(self.database, entry)


def _lookup_filters(identifier: str) -> Iterator[Document]:
    """Yield the queries for a customer, the likeliest first."""
    if "@" in identifier:
        yield {"email": identifier}
    if ObjectId.is_valid(identifier):
        yield {"_id": ObjectId(identifier)}
    yield {"_id": identifier}
    if identifier.isdecimal():
        yield {"_id": int(identifier)}
