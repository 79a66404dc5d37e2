"""Erasure of a customer: redact the name in all analytics data and keep every number unchanged.

The order makes it safe while the daemon runs, and repeatable after a stop at any point: (1) add the customer to the
erasure list, so that nothing new contains the name; (2) redact the log file, dead letters, gaps and rows; (3) redact
the events, which are a source of the name until then (as are rows whose events were deleted); (4) make every writer
reload the erasure list, and recheck the rows until nothing is found.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from daemon import clock
from daemon.config.schema import Config
from daemon.diagnostics.verification import Verification, verify_or_report
from daemon.mongo.collections import EVENTS, OUTBOX, ROWS, WRITTEN_ROWS
from daemon.mongo.types import Database, Document
from daemon.privacy import documents as texts
from daemon.privacy import log_files, sent_messages
from daemon.privacy.identification import CustomerFinder
from daemon.privacy.redaction import Redactor, Subject, carries_name
from daemon.rollup.row_builder import RowBuilder
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten, indexes
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules import business_days

Advance = Callable[[int], object]

MAX_RECHECKS = 5
PLACES = (*texts.REDACTED_COLLECTIONS, EVENTS)
"""Collections that are searched for the name."""


@dataclass(slots=True)
class ForgetReport:
    """Number of documents changed (or to change) by place, and of texts that still contain the name, by kind.

    `sent` is the number of facts with the name that each target received before.
    `mismatches` are sentences of the verification after an execution.
    """

    changed: dict[str, int] = field(default_factory=dict)
    remaining: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    _changed_ids: set[tuple[str, str]] = field(default_factory=set)

    @property
    def is_complete(self) -> bool:
        """Whether no text contains the name and the numbers are unchanged."""
        return not self.remaining and not self.mismatches

    def add_changed(self, place: str, document_id: str = "", count: int = 1) -> None:
        """Count a change; a document that is changed again counts once."""
        if document_id:
            if (place, document_id) in self._changed_ids:
                return
            self._changed_ids.add((place, document_id))
        if count:
            self.changed[place] = self.changed.get(place, 0) + count

    def add_remaining(self, kind: str | None, count: int = 1) -> None:
        if kind is not None and count:
            self.remaining[kind] = self.remaining.get(kind, 0) + count


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

    def find_subject(self, identifier: str, also: Iterable[str] = ()) -> Subject:
        """Return the customer with this id or e-mail; `also` are additional names."""
        return CustomerFinder(self.database, self.config, self.plans.values()).subject(identifier, also)

    # -- redaction -------------------------------------------------------------------------------------------

    def count_documents(self) -> int:
        """Return the approximate number of documents to read."""
        return sum(texts.count_documents(self.database, name) for name in PLACES)

    def survey(self, subject: Subject, advance: Advance) -> ForgetReport:
        """Report what an execution would change and leave unchanged. Writes nothing."""
        report, redactor = self._new_report(subject), self._redactor(subject)
        self.row_builder.describer.forgotten = forgotten.load(self.database).extended(subject.id)
        report.add_changed("mirror", count=texts.is_mirrored_by_name(self.database, subject.id))
        report.add_changed("log_lines", count=self._mask_logs(subject, is_dry_run=True))
        for name in PLACES:
            for document in texts.documents(self.database, name):
                redacted = redactor.redacted(name, document)
                if redacted != document:
                    report.add_changed(name)
                report.add_remaining(redactor.remaining_text(name, redacted))
                advance(1)
        return report

    def execute(self, subject: Subject, now: datetime, advance: Advance) -> ForgetReport:
        """Erase the customer and report what was changed. Can be repeated, also after an interruption."""
        report = self._new_report(subject)
        indexes.create(self.database)
        before = self._ledger_digest()
        is_mirrored = forgotten.add(
            self.database, forgotten.prepare(self.database), subject.id, now, announces=self.config.delivers
        )
        report.add_changed("mirror", count=is_mirrored)
        redactor = self._redactor(subject)
        report.add_changed("log_lines", count=self._mask_logs(subject))
        for name in texts.REDACTED_COLLECTIONS:
            self._redact_collection(report, name, redactor, advance)
        self._redact_events(report, redactor, advance)
        self._recheck_rows(report, redactor)
        self._find_remaining(report, redactor)
        self._verify(report, before)
        self._record(report, subject, before, now)
        return report

    def _new_report(self, subject: Subject) -> ForgetReport:
        return ForgetReport(sent=sent_messages.count(self.database, self.config, subject.reference.ids))

    def _redactor(self, subject: Subject) -> Redactor:
        about = texts.events_about(self.database, subject.reference.ids, subject.reference.licenses)
        times = [event.get("event_date") for event in about]
        affected = {business_days.business_day(at, self.settings.zone) for at in times if isinstance(at, datetime)}
        return Redactor(subject, affected, self.row_builder, self.plans, include_external=self.include_external)

    def _redact_collection(self, report: ForgetReport, name: str, redactor: Redactor, advance: Advance) -> None:
        for document in texts.documents(self.database, name):
            self._redact_document(report, name, redactor, document)
            advance(1)

    def _redact_document(self, report: ForgetReport, name: str, redactor: Redactor, document: Document) -> bool:
        is_changed = texts.rewrite(self.database, name, document, lambda stored: redactor.redacted(name, stored))
        if is_changed:
            report.add_changed(name, repr(document["_id"]))
        return is_changed

    def _redact_events(self, report: ForgetReport, redactor: Redactor, advance: Advance) -> None:
        """Redact events with the name in their metadata last: after an interruption it is read from there."""
        for event in texts.documents(self.database, EVENTS):
            if not (carries_name(event) and redactor.subject.is_subject_of(event)):
                self._redact_document(report, EVENTS, redactor, event)
            advance(1)
        for event in texts.events_with_name(self.database, redactor.subject.reference.ids):
            self._redact_document(report, EVENTS, redactor, event)

    def _recheck_rows(self, report: ForgetReport, redactor: Redactor) -> None:
        """Make writers reload the erasure list, and redact the rows they wrote from data read before."""
        forgotten.increment_count(self.database)
        for _ in range(MAX_RECHECKS):
            found = [
                self._redact_document(report, name, redactor, row)
                for name in (ROWS, WRITTEN_ROWS)
                for row in texts.documents(self.database, name)
            ]
            if not any(found):
                return

    def _mask_logs(self, subject: Subject, *, is_dry_run: bool = False) -> int:
        """Mask the name in the log files; return the number of lines."""
        if not self.config.logs.file:
            return 0
        file = Path(self.config.logs.file)
        return log_files.mask_files(file, subject.name_patterns, subject.reference.texts, is_dry_run=is_dry_run)

    # -- verification ----------------------------------------------------------------------------------------

    def _ledger_digest(self) -> Document:
        """Return the digest of the ledger up to its current line, which must be the same afterwards."""
        checkpoint = checkpoints.load(self.database)
        seq = checkpoint.seq if checkpoint else 0
        return {"seq": seq, **ledger.digest(self.database, seq)}

    def _find_remaining(self, report: ForgetReport, redactor: Redactor) -> None:
        """Read everything again and count the texts that still contain the name."""
        for name in (*PLACES, OUTBOX):
            for document in texts.documents(self.database, name):
                report.add_remaining(redactor.remaining_text(name, document))
        report.add_remaining("lines of the log file", self._mask_logs(redactor.subject, is_dry_run=True))
        report.add_remaining("documents of the mirror", texts.is_mirrored_by_name(self.database, redactor.subject.id))

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
            "sent": report.sent,
            "left": report.remaining,
            "ledger": before,
            "proof": "holds" if report.is_complete else [*report.mismatches, *report.remaining],
            "version": version("chatello-analytics"),
        }
        forgotten.record(self.database, entry)
