"""Sends the facts of the outbox, in order, to one webhook."""

from daemon import clock
from daemon.config.targets import Webhook
from daemon.delivery import fact_texts
from daemon.delivery.channels import cloud_event
from daemon.delivery.channels.cloud_event import Names
from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from daemon.delivery.channels.webhook import WebhookSender
from daemon.delivery.target_store import ParkedMessage, TargetRecord
from daemon.delivery.worker import Worker, WorkerContext
from daemon.runtime import metrics
from daemon.store import outbox
from daemon.store.outbox import OutboxEntry
from rules.model.facts import EventFact, Fact, FactType

ENTRIES = 200
"""Facts that are read at once: a document may hold thousands."""
SAVED_AFTER = 50
SAVED_SECONDS = 1.0
"""The position is stored after so many messages or seconds; what is sent twice has the same id."""


class WebhookWorker(Worker):
    """Sends to the webhook called `name`."""

    def __init__(self, context: WorkerContext, name: str, webhook: Webhook) -> None:
        self.sender = WebhookSender(webhook.url.get_secret_value(), webhook.secrets)
        super().__init__(context, name, self.sender)
        self.webhook = webhook
        self._unsaved = 0
        self._saved_at = clock.monotonic()

    def work(self, record: TargetRecord) -> TargetRecord:
        """Send what waits, until a message fails or the daemon stops."""
        record = self._resend(record)
        while record.target.is_due(clock.now()) and not self.context.is_stopping():
            entries = list(outbox.read(self.context.database, record.position, ENTRIES))
            if not entries:
                break
            record = self._send_all(record, entries)
        return self._save(record)

    def _send_all(self, record: TargetRecord, entries: list[OutboxEntry]) -> TargetRecord:
        for entry in entries:
            if is_chosen(entry.fact, self.webhook):
                if not record.target.is_due(clock.now()) or self.context.is_stopping():
                    break
                record, is_passed = self._send(record, entry)
                if not is_passed:
                    break
            record = self._save_sometimes(record._replace(position=entry.position))
        return record

    def _send(self, record: TargetRecord, entry: OutboxEntry) -> tuple[TargetRecord, bool]:
        """Send one fact; return the record after it, and whether to go on with the next one."""
        outcome = self._attempt(entry)
        step = self.settle(record, outcome)
        record = record._replace(target=step.target)
        if step.is_parked:
            message = ParkedMessage(entry.position, cloud_event.message_id(entry.fact), outcome.status, clock.now())
            record = record._replace(parked=(*record.parked, message))
        return record, step.is_passed

    def _attempt(self, entry: OutboxEntry) -> Outcome:
        body = cloud_event.body(entry.fact, self.context.database.name, self.context.zone, self._names(entry.fact))
        outcome = self.sender.send(cloud_event.message_id(entry.fact), body)
        if outcome.kind is OutcomeKind.DELIVERED:
            metrics.DELIVERY_SECONDS.observe(max(0.0, (clock.now() - entry.at).total_seconds()))
        return outcome

    def _names(self, fact: Fact) -> Names | None:
        """Return name and text if this receiver may have them; read again if a customer was forgotten meanwhile."""
        if not self.webhook.names or not isinstance(fact.subject, EventFact):
            return None
        return fact_texts.while_list_is_unchanged(self.context.database, lambda: self._read_names(fact))

    def _read_names(self, fact: Fact) -> Names:
        (found,) = fact_texts.of(self.context.database, [fact], self.context.settings())
        return Names(found.customer_name, found.text)

    def _resend(self, record: TargetRecord) -> TargetRecord:
        """Send the parked messages that a person wants to be sent again, until the target fails.

        A message that is refused again is parked again: these are different messages, so the target does not fail.
        """
        while record.resent and record.target.is_sending and not self.context.is_stopping():
            parked, *rest = record.resent
            entry = self._entry_of(parked)
            outcome = None if entry is None else self._attempt(entry)
            if outcome is None:
                record = record._replace(resent=tuple(rest))  # pruned meanwhile
            elif outcome.kind is OutcomeKind.DELIVERED:
                record = record._replace(target=self.settle(record, outcome).target, resent=tuple(rest))
            elif outcome.kind is OutcomeKind.REFUSED:
                metrics.DELIVERIES.labels(self.name, "parked").inc()
                record = _parked_again(record, 1)
            elif not self.context.is_stopping():
                record = _parked_again(record._replace(target=self.settle(record, outcome).target), len(record.resent))
            record = self._save(record)
        return record

    def _entry_of(self, parked: ParkedMessage) -> OutboxEntry | None:
        before = parked.position._replace(entry=parked.position.entry - 1)
        entry = next(outbox.read(self.context.database, before, 1), None)
        return entry if entry is not None and entry.position == parked.position else None

    def _save_sometimes(self, record: TargetRecord) -> TargetRecord:
        self._unsaved += 1
        if self._unsaved < SAVED_AFTER and clock.monotonic() - self._saved_at < SAVED_SECONDS:
            return record
        return self._save(record)

    def _save(self, record: TargetRecord) -> TargetRecord:
        self._unsaved, self._saved_at = 0, clock.monotonic()
        return self.save(record)


def _parked_again(record: TargetRecord, count: int) -> TargetRecord:
    """Return the record with the first `count` messages that were to be sent again among the parked ones."""
    again = tuple(one._replace(at=clock.now()) for one in record.resent[:count])
    parked = (*record.parked, *again)
    target = record.target._replace(parked=len(parked))
    return record._replace(target=target, parked=parked, resent=record.resent[count:])


def is_chosen(fact: Fact, webhook: Webhook) -> bool:
    """Return whether a webhook receives a fact; a withdrawal follows the type of its event."""
    if fact.type is FactType.CUSTOMER_FORGOTTEN:
        return webhook.names
    if not webhook.only:
        return True
    return fact.type in webhook.only or (isinstance(fact.subject, EventFact) and fact.subject.type in webhook.only)
