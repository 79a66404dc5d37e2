"""Handler of payments: record each payment exactly once.

A payment has up to three sources: the start or renewal of a license (a guess, made only while the collection `payments`
is empty), a document in `payments`, and an external event. Observations of one license within `payment_window_hours`
are one payment, with at most one observation per source. An external event takes precedence over the own event of a
document, which takes precedence over the guess. A customer's last observations are kept in its state, so the result
does not depend on their order or on the split into batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rules.handlers import fact_matching
from rules.handlers.batch import PAYMENTS, Batch
from rules.model import documents
from rules.model.changes import Change, DocId, Fields, Operation, Origin, Payment, PaymentStatus, Source
from rules.model.decision import Memories, Memory, WithdrawalKind
from rules.model.events import Event, EventType
from rules.model.recent import FactObservation
from rules.model.states import LicenseState, PaymentState
from rules.revenue.pricing import InvalidDocument, cents, describe, in_euro
from rules.settings import catalog
from rules.settings.settings import Settings
from rules.text import one_line

EVENT_TYPES = {
    PaymentStatus.COMPLETED: EventType.PAYMENT_COMPLETED,
    PaymentStatus.FAILED: EventType.PAYMENT_FAILED,
    PaymentStatus.REFUNDED: EventType.PAYMENT_REFUNDED,
}
"""Event type of a payment that reaches a status; a pending payment has no event."""

_STATUSES = {status.value: status for status in PaymentStatus}

MAX_TRANSACTION = 100


def read_payment(fields: Fields, settings: Settings) -> Payment:
    """Parse a payment document, with the amount in EUR cents. Raise InvalidDocument that names the invalid field.

    A refund may be written with a negative amount. A partial refund of which only the status is known
    (`partially_refunded`) is invalid, because the document does not give the refunded amount.
    """
    status = fields.get("status")
    if not isinstance(status, str) or status not in _STATUSES:
        raise InvalidDocument(f"status must be one of {', '.join(_STATUSES)}, got {describe(status)}")
    for name in ("customer_id", "license_id"):
        if not documents.is_id(fields.get(name)):
            raise InvalidDocument(f"{name} must be an id, got {describe(fields.get(name))}")
    return Payment(
        fields.get("customer_id"),
        fields.get("license_id"),
        _STATUSES[status],
        in_euro(_amount_cents(fields), fields.get("currency"), settings.rates),
        transaction_text(fields.get("transaction_id")),
    )


def _amount_cents(fields: Fields) -> int:
    amount = fields.get("amount")
    return cents(_positive(amount) if fields.get("status") == PaymentStatus.REFUNDED else amount, "amount")


def _positive(amount: Any) -> Any:
    """Return a number without its sign, and anything else unchanged."""
    try:
        return -amount if amount < 0 else amount
    except (TypeError, ArithmeticError):
        return amount


def transaction_text(value: object) -> str:
    """Return a provider's transaction id as text; numbers that MongoDB calls equal give one text, containers none."""
    if value is None or isinstance(value, bool | Mapping | list | tuple):
        return ""
    if isinstance(value, float | Decimal) and Decimal(value).is_finite() and value == int(value):
        value = int(value)
    return one_line(str(value), MAX_TRANSACTION)


def is_readable(state: PaymentState, settings: Settings) -> bool:
    """Return whether a payment is complete and valid with these settings."""
    try:
        read_payment(state.fields, settings)
    except InvalidDocument:
        return False
    return not documents.is_partial(state.held)


def is_after_bootstrap(memory: Memories) -> bool:
    """Return whether all existing payments were read, so that an unknown payment is a new one."""
    return "taken_over" in memory.get(PAYMENTS, {})


def after_bootstrap(memory: Memories) -> Memory:
    """Return the memory of the payment rule after all existing payments were read."""
    return {"known": 0, **memory.get(PAYMENTS, {}), "taken_over": 1}


def apply(batch: Batch, change: Change) -> None:
    """Apply a change of a payment document."""
    before = batch.payment_state(change.id)
    if change.op is Operation.DELETE:
        _delete(batch, change, before)
        return
    if change.op is Operation.UPDATE and (before is None or before.deleted or documents.is_partial(before.held)):
        _hold(
            batch,
            change,
            before,
            documents.updated(before.fields if before else {}, change),
            documents.PARTIAL.format("payment"),
        )
        return
    fields = documents.after(before.fields if before else None, change)
    assert fields is not None, "a payment that is not deleted has fields"
    try:
        payment = read_payment(fields, batch.settings)
    except InvalidDocument as problem:
        _hold(batch, change, before, fields, str(problem))
        return
    _apply_fields(batch, change, before, PaymentState(change.id, fields, payment, before.emitted if before else ()))


def _delete(batch: Batch, change: Change, before: PaymentState | None) -> None:
    """Mark a payment as deleted; its events stay, and are not emitted again if it is inserted again."""
    if before is None or before.deleted:
        return
    deleted = PaymentState(change.id, {}, before.payment, before.emitted, deleted=True)
    batch.decision.payments[change.id] = deleted if before.emitted else None
    if before.held:
        batch.release(Source.PAYMENTS, change.id)
    if before.payment is not None:
        batch.count_payments(-1)


def _hold(batch: Batch, change: Change, before: PaymentState | None, fields: Fields, reason: str) -> None:
    valid = before or PaymentState(change.id, fields)
    if valid.deleted:
        batch.count_payments(1)
    batch.decision.payments[change.id] = PaymentState(change.id, fields, valid.payment, valid.emitted, reason)
    batch.hold(change, fields, reason)


def _apply_fields(batch: Batch, change: Change, before: PaymentState | None, after: PaymentState) -> None:
    assert after.payment is not None
    is_first = before is None or before.payment is None
    if is_first or (before is not None and before.deleted):
        batch.count_payments(1)
    if before is not None and before.held:
        batch.release(Source.PAYMENTS, change.id)
    is_news = change.origin is not Origin.BOOTSTRAP and not _is_history(batch, change, after.fields)
    if is_news and is_first:
        _replace_guess(batch, change, after.payment)
    for status in _reached_statuses(change, after.payment.status):
        if status not in after.emitted:
            after.emitted = (*after.emitted, status)
            if is_news:
                _emit(batch, change, after.payment, EVENT_TYPES[status])
    batch.decision.payments[change.id] = after


def _reached_statuses(change: Change, status: PaymentStatus) -> Iterator[PaymentStatus]:
    """Yield the statuses that need an event: a payment found refunded after a gap was completed during the gap."""
    if status is PaymentStatus.REFUNDED and change.origin is Origin.RECOVERED:
        yield PaymentStatus.COMPLETED
    if status in EVENT_TYPES:
        yield status


def _is_history(batch: Batch, change: Change, fields: Fields) -> bool:
    """Return whether an inserted payment is more than `payment_news_days` old, such as an imported one."""
    created_at = fields.get("created_at")
    if change.op is not Operation.INSERT or not isinstance(created_at, datetime) or created_at.tzinfo is None:
        return False
    return change.at - created_at > timedelta(days=batch.settings.thresholds.payment_news_days)


def guess_payment(batch: Batch, change: Change, event: Event) -> None:
    """Emit the payment inferred from a license's start or renewal.

    Emits nothing if `payments` is in use or another observation of the payment is known.
    """
    if batch.known_payments <= 0:
        fact_matching.emit_unless_reported(batch, change, event, event.amount_cents)


def _replace_guess(batch: Batch, change: Change, payment: Payment) -> None:
    """Withdraw the payment guessed from a license when its payment document arrives, whatever its status.

    The fact stands if the document says that the guessed amount was paid.
    """
    owner = owner_of(batch, payment.license_id, payment.customer_id)
    observation = _observation(change, payment, EventType.PAYMENT_COMPLETED)
    known = fact_matching.observations_of(batch, owner)
    index = fact_matching.match(batch, known, observation, "payment")
    if index is None or not known[index].guess:
        return
    guess = known[index]
    if not guess.external:
        is_paid = PaymentStatus.COMPLETED in _reached_statuses(change, payment.status)
        stands = is_paid and guess.cents == payment.cents and not _is_duplicate(known, observation)
        batch.withdraw(guess.guess, guess.at, WithdrawalKind.REPLACED if stands else WithdrawalKind.CORRECTED)
        if not stands:
            known = (*known[:index], guess._replace(first=observation.payment_key), *known[index + 1 :])
    fact_matching.remember(batch, owner, known, index, observation)


def _is_duplicate(known: Sequence[FactObservation], observation: FactObservation) -> bool:
    return any(fact_matching.is_duplicate(one, observation) for one in known)


def _emit(batch: Batch, change: Change, payment: Payment, kind: EventType) -> None:
    owner = owner_of(batch, payment.license_id, payment.customer_id)
    observation = _observation(change, payment, kind)
    known = fact_matching.observations_of(batch, owner)
    if payment.cents == 0 or _is_duplicate(known, observation):
        return
    index = next((index for index, one in enumerate(known) if fact_matching.is_same(one, observation)), None)
    if index is None:
        index = fact_matching.match(batch, known, observation, "payment")
    fact_matching.remember(batch, owner, known, index, observation)
    if index is None or not known[index].external:
        batch.emit(change, _event(batch, change, payment, kind, owner))
        if index is not None:
            batch.report_again(observation.payment_key, known[index].fact_key)


def _observation(change: Change, payment: Payment, kind: EventType) -> FactObservation:
    key = f"{kind}:payment:{documents.id_key(change.id)}"
    return FactObservation(
        change.at,
        payment.license_id,
        kind,
        payment.cents,
        payment_key=key,
        transaction=payment.transaction,
        since=change.since,
    )


def owner_of(batch: Batch, license_id: DocId, customer_id: DocId) -> DocId:
    """Return the customer of a payment: the customer of its license if known, else the given customer."""
    state: LicenseState | None = batch.license_state(license_id) if license_id is not None else None
    return state.license.customer_id if state is not None and state.license is not None else customer_id


def _event(batch: Batch, change: Change, payment: Payment, kind: EventType, owner: DocId) -> Event:
    name = batch.settings.customer_name(batch.customer_state(owner).fields)
    facts: dict[str, Any] = {"customer_name": name} if name else {}
    if payment.transaction:
        facts["transaction_id"] = payment.transaction
    return Event(
        key=f"{kind}:payment:{documents.id_key(change.id)}",
        type=kind,
        at=change.at,
        description=catalog.payment(kind, payment.cents, name, batch.settings.texts),
        customer_id=owner,
        license_id=payment.license_id,
        plan_name=_plan_name(batch, payment),
        amount_cents=payment.cents,
        metadata=facts | {"payment_id": change.id},
    )


def _plan_name(batch: Batch, payment: Payment) -> str | None:
    state = batch.license_state(payment.license_id) if payment.license_id is not None else None
    if state is None or state.value is None:
        return None
    return batch.plan_of(state.value.plan_id).name
