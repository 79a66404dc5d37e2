"""Sends messages to one person: at once, in the morning, and questions even in quiet hours."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from daemon import clock
from daemon.config.targets import APPROVAL, INTERRUPTION, Notify
from daemon.delivery import fact_texts, morning
from daemon.delivery.backlog import CLOSED
from daemon.delivery.channels.notifier import Notifier
from daemon.delivery.channels.outcome import OutcomeKind
from daemon.delivery.target_store import TargetRecord
from daemon.delivery.worker import Worker, WorkerContext
from daemon.store import forgotten, gaps, outbox
from daemon.store.outbox import OutboxEntry
from rules.messages import instant, timing
from rules.messages.instant import WaitingFact
from rules.messages.model import Message
from rules.messages.timing import INTERRUPTION_AFTER
from rules.model.facts import EventFact, FactType, GapFact

ENTRIES = 10_000
"""Facts that are read for one message."""


class PeopleWorker(Worker):
    """Sends to the person called `name`."""

    def __init__(self, context: WorkerContext, name: str, notify: Notify) -> None:
        self.notifier = Notifier(name, notify.secret.get_secret_value())
        super().__init__(context, name, self.notifier)
        self.notify = notify
        self._searched = outbox.BEGINNING
        """The position up to which there is no question that was not sent."""

    def work(self, record: TargetRecord) -> TargetRecord:
        """Send what is due: questions, then what happened, then the message of the morning."""
        self.ready_at = None
        for send in (self._send_questions, self._send_interruption, self._send_now, self._send_morning):
            if record.target.is_due(clock.now()) and not self.context.is_stopping():
                record = send(record)
        return record

    def _is_quiet(self, at: datetime) -> bool:
        return self.notify.quiet is not None and self.notify.quiet.contains(at, self.context.zone)

    def _send_questions(self, record: TargetRecord) -> TargetRecord:
        """Send questions at once, also in quiet hours."""
        if APPROVAL not in self.notify.now:
            return record
        database, end = self.context.database, outbox.end(self.context.database)
        after_searched = max(record.people.urgent, self._searched)
        found = list(outbox.read(database, after_searched, types=[FactType.APPROVAL_REQUESTED]))
        if not found:
            self._searched = end
            return record
        after = record._replace(people=record.people._replace(urgent=found[-1].position))
        return self._send(record, after, lambda: self._instant(found))

    def _send_interruption(self, record: TargetRecord) -> TargetRecord:
        """Send a gap that has been open for a while; a shorter one is no news."""
        gap = gaps.find_open(self.context.database) if INTERRUPTION in self.notify.now else None
        now = clock.now()
        cause = gaps.cause_of_interruption(gap or {})
        if gap is None or not cause or gap["_id"] == record.people.reported_gap or self._is_quiet(now):
            return record
        if now - gap["opened_at"] < INTERRUPTION_AFTER:
            return record
        after = record._replace(people=record.people._replace(reported_gap=gap["_id"]))
        subject = GapFact(gap["_id"], cause, gap["since"])
        return self._send(record, after, lambda: instant.interruption(subject, self.context.zone))

    def _send_now(self, record: TargetRecord) -> TargetRecord:
        """Send the facts of the chosen types that have waited long enough, as one message, outside quiet hours."""
        now = clock.now()
        if self.notify.quiet is not None and self._is_quiet(now):
            self._wait_until(self.notify.quiet.ends(now, self.context.zone))
            return record
        found = outbox.read(self.context.database, record.position, ENTRIES)
        entries = list(takewhile(lambda entry: not self._is_unsent_question(entry, record), found))
        chosen = _standing([entry for entry in entries if self._is_chosen(entry, record)])
        if not entries or (chosen and not self._is_time(timing.send_at(chosen[0].at, chosen[-1].at))):
            return record
        people = record.people
        if any(entry.fact.type in CLOSED for entry in entries):
            people = people._replace(is_day_closed=True)
        after = record._replace(position=entries[-1].position, people=people)
        return self._send(record, after, lambda: self._instant(chosen)) if chosen else self.save(after)

    def _is_unsent_question(self, entry: OutboxEntry, record: TargetRecord) -> bool:
        """Return whether an entry is a question that came after the questions were sent: it has to be sent first."""
        is_question = entry.fact.type is FactType.APPROVAL_REQUESTED and APPROVAL in self.notify.now
        return is_question and entry.position > record.people.urgent

    def _is_time(self, due: datetime) -> bool:
        if due > clock.now():
            self._wait_until(due)
        return due <= clock.now()

    def _wait_until(self, at: datetime) -> None:
        self.ready_at = at if self.ready_at is None else min(at, self.ready_at)

    def _is_chosen(self, entry: OutboxEntry, record: TargetRecord) -> bool:
        subject = entry.fact.subject
        if isinstance(subject, EventFact):
            return subject.type in self.notify.now
        if entry.fact.type is FactType.GAP_CLOSED and isinstance(subject, GapFact) and INTERRUPTION in self.notify.now:
            return subject.reference == record.people.reported_gap or _seconds_open(subject) >= INTERRUPTION_AFTER
        return False

    def _send_morning(self, record: TargetRecord) -> TargetRecord:
        """Send at most one message each morning, after a day became final and quiet hours are over."""
        if not record.people.is_day_closed or self._is_quiet(clock.now()):
            return record
        found = morning.collect(self.context.database, record.people.morning)
        if found.closed_at is not None and not self._is_time(found.closed_at + timing.COLLECT_ROWS):
            return record
        forgotten_at = forgotten.last_added_at(self.context.database)
        if forgotten_at is not None and not self._is_time(forgotten_at + timing.REDACTION):
            return record
        after = record._replace(people=record.people._replace(morning=found.position, is_day_closed=False))
        settings = self.context.settings()
        return self._send(record, after, lambda: morning.message(self.context.database, found, self.notify, settings))

    def _instant(self, entries: Sequence[OutboxEntry]) -> Message:
        facts = [entry.fact for entry in entries]
        texts = fact_texts.of(self.context.database, facts, self.context.settings())
        waiting = [
            WaitingFact(fact, text.line, fact.subject.type if isinstance(fact.subject, EventFact) else None)
            for fact, text in zip(facts, texts, strict=True)
        ]
        return instant.message(waiting, self.context.zone)

    def _send(self, record: TargetRecord, after: TargetRecord, make: Callable[[], Message | None]) -> TargetRecord:
        """Send the message that `make` composes and store `after`; if it fails, only the failure is stored."""
        message = fact_texts.while_list_is_unchanged(self.context.database, make)
        if message is None:
            return self.save(after)
        outcome = self.notifier.send(message)
        target = self.settle(record, outcome).target
        return self.save((after if outcome.kind is OutcomeKind.DELIVERED else record)._replace(target=target))


def _standing(entries: Sequence[OutboxEntry]) -> list[OutboxEntry]:
    """Return the entries without facts that were withdrawn before they were sent, and without their withdrawals."""
    ids = {entry.fact.id for entry in entries}
    gone = {fact_id for fact_id in ids if f"{fact_id}.withdrawn" in ids}
    return [entry for entry in entries if entry.fact.id.removesuffix(".withdrawn") not in gone]


def _seconds_open(gap: GapFact) -> timedelta:
    return gap.until - gap.since if gap.since is not None and gap.until is not None else timedelta.max
