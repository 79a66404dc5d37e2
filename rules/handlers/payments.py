"""Payments: told once each, by whoever knows best.

A payment may be known from three sides: a licence's start or renewal stands for one (a guess, and only while the
collection `payments` is empty), a document in `payments` is one, and somebody else may write an event about it.
Sightings of one licence within `payment_window_hours` are one payment, each side giving at most one of them; somebody
else's event stands above that of our document, which stands above our guess. A customer's last sightings are kept in
its state, so it makes no difference who comes first, or in which batch.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from rules.handlers import payment_matching
from rules.handlers.batch import PAYMENTS, Batch
from rules.model import documents
from rules.model.changes import Change, DocId, Fields, Operation, Origin, Payment, PaymentStatus, Source
from rules.model.decision import Memories, Memory
from rules.model.events import PAYMENT_EVENTS, Event, EventType
from rules.model.recent import PaymentObservation
from rules.model.states import LicenseState, PaymentState
from rules.revenue.pricing import InvalidDocument, cents, describe, in_euro
from rules.settings import catalog
from rules.settings.settings import Settings
from rules.text import customer_name, one_line

KINDS = {
    PaymentStatus.COMPLETED: EventType.PAYMENT_COMPLETED,
    PaymentStatus.FAILED: EventType.PAYMENT_FAILED,
    PaymentStatus.REFUNDED: EventType.PAYMENT_REFUNDED,
}
"""What is told of a payment that takes this status; of a pending one there is nothing to tell yet."""

_STATUSES = {status.value: status for status in PaymentStatus}

MAX_TRANSACTION = 100

UNSEEN = "an update of a payment never seen whole; its next replacement or a reconciliation brings the rest"


def read_payment(fields: Fields, settings: Settings) -> Payment:
    """The payment a document describes, in EUR cents; raises Unintelligible naming the field at fault."""
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
        in_euro(cents(fields.get("amount"), "amount"), fields.get("currency"), settings.rates),
        one_line(fields.get("transaction_id"), MAX_TRANSACTION),
    )


def is_readable(state: PaymentState, settings: Settings) -> bool:
    """Whether a payment can be understood by these settings, as far as it was seen."""
    try:
        read_payment(state.fields, settings)
    except InvalidDocument:
        return False
    return state.held != UNSEEN


def is_after_bootstrap(memory: Memories) -> bool:
    """Whether every payment there was is known, so that one that is not is new."""
    return "taken_over" in memory.get(PAYMENTS, {})


def after_bootstrap(memory: Memories) -> Memory:
    """What is remembered of payments once every one there was is known."""
    return {"known": 0, **memory.get(PAYMENTS, {}), "taken_over": 1}


def apply(batch: Batch, change: Change) -> None:
    """Take over a change of a payment document."""
    before = batch.payment_state(change.id)
    if change.op is Operation.DELETE:
        _delete(batch, change, before)
        return
    if change.op is Operation.UPDATE and (before is None or before.held == UNSEEN):
        _hold(batch, change, before, documents.updated(before.fields if before else {}, change), UNSEEN)
        return
    fields = documents.after(before.fields if before else None, change)
    assert fields is not None, "a payment that is not deleted has fields"
    try:
        payment = read_payment(fields, batch.settings)
    except InvalidDocument as problem:
        _hold(batch, change, before, fields, str(problem))
        return
    _apply_fields(batch, change, before, PaymentState(change.id, fields, payment, before.told if before else ()))


def _delete(batch: Batch, change: Change, before: PaymentState | None) -> None:
    """A payment that is deleted was made all the same."""
    if before is None:
        return
    batch.out.payments[change.id] = None
    if before.held:
        batch.release(Source.PAYMENTS, change.id)
    if before.payment is not None:
        batch.count_payments(-1)


def _hold(batch: Batch, change: Change, before: PaymentState | None, fields: Fields, reason: str) -> None:
    good = before or PaymentState(change.id, fields)
    batch.out.payments[change.id] = PaymentState(change.id, fields, good.payment, good.told, reason)
    batch.hold(change, fields, reason)


def _apply_fields(batch: Batch, change: Change, before: PaymentState | None, after: PaymentState) -> None:
    assert after.payment is not None
    is_first = before is None or before.payment is None
    if is_first:
        batch.count_payments(1)
    if before is not None and before.held:
        batch.release(Source.PAYMENTS, change.id)
    is_news = change.origin is not Origin.BOOTSTRAP and not _is_history(batch, change, after.fields)
    if is_news and is_first:
        _replace_guess(batch, change, after.payment)
    for status in _passed(change, after.payment.status):
        if status not in after.told:
            after.told = (*after.told, status)
            if is_news:
                _emit(batch, change, after.payment, KINDS[status])
    batch.out.payments[change.id] = after


def _passed(change: Change, status: PaymentStatus) -> Iterator[PaymentStatus]:
    """The statuses to tell of: what is found refunded after a gap was completed in it."""
    if status is PaymentStatus.REFUNDED and change.origin is Origin.RECOVERED:
        yield PaymentStatus.COMPLETED
    if status in KINDS:
        yield status


def _is_history(batch: Batch, change: Change, fields: Fields) -> bool:
    """Whether a payment was made long before its document came: old ones that somebody imports are no news."""
    made = fields.get("created_at")
    if change.op is not Operation.INSERT or not isinstance(made, datetime) or made.tzinfo is None:
        return False
    return change.at - made > timedelta(days=batch.settings.thresholds.payment_news_days)


# -- the three sides --------------------------------------------------------------------------------------------


def guess(batch: Batch, change: Change, event: Event) -> None:
    """A licence started or was renewed and stands for a payment, unless `payments` is used or somebody told it."""
    if batch.known_payments > 0 or change.origin is Origin.BOOTSTRAP:
        return
    sighting = PaymentObservation(event.at, event.license_id, event.type, event.amount_cents, guess=event.key)
    seen = payment_matching.seen_of(batch, event.customer_id)
    place = payment_matching.match(batch, seen, sighting, "guess")
    payment_matching.keep(batch, event.customer_id, seen, place, sighting)
    if place is None:
        batch.emit(change, event)


def _replace_guess(batch: Batch, change: Change, payment: Payment) -> None:
    """The licence's own guess is withdrawn as soon as its payment is there, whatever became of it."""
    owner = _owner(batch, payment.license_id, payment.customer_id)
    sighting = _sighting(change, payment, EventType.PAYMENT_COMPLETED)
    seen = payment_matching.seen_of(batch, owner)
    place = payment_matching.match(batch, seen, sighting, "payment")
    if place is None or not seen[place].guess:
        return
    if not seen[place].by_others:
        batch.withdraw(seen[place].guess, seen[place].at)
    payment_matching.keep(batch, owner, seen, place, sighting)


def _emit(batch: Batch, change: Change, payment: Payment, kind: EventType) -> None:
    owner = _owner(batch, payment.license_id, payment.customer_id)
    sighting = _sighting(change, payment, kind)
    seen = payment_matching.seen_of(batch, owner)
    if payment.cents == 0 or any(payment_matching.is_duplicate(one, sighting) for one in seen):
        return
    place = next((place for place, one in enumerate(seen) if payment_matching.is_same(one, sighting)), None)
    if place is None:
        place = payment_matching.match(batch, seen, sighting, "payment")
    payment_matching.keep(batch, owner, seen, place, sighting)
    if place is None or not seen[place].by_others:
        batch.emit(change, _event(batch, change, payment, kind, owner))


def observe_external(batch: Batch, change: Change) -> None:
    """Somebody else told a payment: theirs stands, whatever of ours stands for it is withdrawn.

    One found after a gap may have been heard before it: it counts only where it takes the place of one of ours.
    """
    fields = change.fields
    license_id = fields.get("license_id")
    if license_id is None or not documents.is_id(license_id):
        return
    customer_id = fields.get("customer_id")
    owner = _owner(batch, license_id, customer_id if documents.is_id(customer_id) else None)
    told_at = fields.get("event_date")
    at = told_at if isinstance(told_at, datetime) and told_at.tzinfo is not None else change.at
    kind = EventType(fields["event_type"])
    sighting = PaymentObservation(at, license_id, kind, payment_matching.readable(fields.get("amount")), by_others=True)
    seen = payment_matching.seen_of(batch, owner)
    place = payment_matching.match(batch, seen, sighting, "by_others")
    if place is not None:
        one = seen[place]
        batch.withdraw(one.payment_key or one.guess, one.at)
    elif change.origin is Origin.RECOVERED:
        return
    payment_matching.keep(batch, owner, seen, place, sighting)


def is_payment(event: Fields) -> bool:
    """Whether an event of somebody else tells a payment."""
    kind = event.get("event_type")
    return isinstance(kind, str) and kind in PAYMENT_EVENTS


def _sighting(change: Change, payment: Payment, kind: EventType) -> PaymentObservation:
    key = f"{kind}:payment:{documents.id_key(change.id)}"
    return PaymentObservation(
        change.at, payment.license_id, kind, payment.cents, payment_key=key, transaction=payment.transaction
    )


def _owner(batch: Batch, license_id: DocId, customer_id: DocId) -> DocId:
    """Whose payment it is: the licence's owner, else the customer named."""
    state: LicenseState | None = batch.license_state(license_id) if license_id is not None else None
    return state.license.customer_id if state is not None and state.license is not None else customer_id


# -- the event --------------------------------------------------------------------------------------------------


def _event(batch: Batch, change: Change, payment: Payment, kind: EventType, owner: DocId) -> Event:
    name = customer_name(batch.customer_state(owner).fields)
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
