"""Sightings of a payment: which of them, from different sides, are one and the same.

One licence's sightings within `payment_window_hours` are one payment, each side giving at most one of them. The last
ones of a customer are kept in its state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rules.handlers.batch import Batch
from rules.model.changes import DocId
from rules.model.decision import Decision
from rules.model.events import Event
from rules.model.recent import PaymentObservation, RecentActivity
from rules.revenue.pricing import InvalidDocument, cents
from rules.settings.settings import Settings

MOST_SIGHTINGS = 100
DUPLICATE_DAYS = 3
"""A provider may deliver a transaction again for so long (Paddle's webhooks: three days)."""


def seen_of(batch: Batch, owner: DocId) -> tuple[PaymentObservation, ...]:
    lately = batch.customer_state(owner).recent
    return lately.payments if lately is not None else ()


def match(batch: Batch, seen: Sequence[PaymentObservation], sighting: PaymentObservation, side: str) -> int | None:
    """The place of the payment that is seen here from a further side: of the same amount rather, then the oldest."""
    window = _window(batch.settings)
    places = [
        place
        for place, one in enumerate(seen)
        if one.kind is sighting.kind
        and same_id(one.license_id, sighting.license_id)
        and one.license_id is not None
        and not _side(one, side)
        and abs(one.at - sighting.at) <= window
    ]
    return min(places, key=lambda place: (seen[place].cents != sighting.cents, place), default=None)


def _side(one: PaymentObservation, side: str) -> object:
    if side == "guess":
        return one.guess
    return one.payment_key if side == "payment" else one.by_others


def is_same(one: PaymentObservation, other: PaymentObservation) -> bool:
    return one.payment_key == other.payment_key


def is_duplicate(one: PaymentObservation, other: PaymentObservation) -> bool:
    """Whether the same transaction was delivered twice, as two documents."""
    alike = one.kind is other.kind and one.cents == other.cents and same_id(one.license_id, other.license_id)
    near = abs(one.at - other.at) <= timedelta(days=DUPLICATE_DAYS)
    again = one.transaction == other.transaction != ""
    return alike and near and again and bool(one.payment_key) and one.payment_key != other.payment_key


def keep(
    batch: Batch, owner: DocId, seen: tuple[PaymentObservation, ...], place: int | None, sighting: PaymentObservation
) -> None:
    """Add a sighting, to the payment at `place` or as one of its own; those too old to matter are forgotten."""
    longest = max(_window(batch.settings), timedelta(days=DUPLICATE_DAYS))
    kept = tuple(one for one in _with(seen, place, sighting) if sighting.at - one.at <= longest)[-MOST_SIGHTINGS:]
    customer = batch.customer_state(owner)
    batch.set_recent(customer, (customer.recent or RecentActivity())._replace(payments=kept))


def _with(
    seen: tuple[PaymentObservation, ...], place: int | None, sighting: PaymentObservation
) -> tuple[PaymentObservation, ...]:
    if place is None:
        return (*seen, sighting)
    return (*seen[:place], _joined(seen[place], sighting), *seen[place + 1 :])


def _joined(one: PaymentObservation, other: PaymentObservation) -> PaymentObservation:
    return one._replace(
        at=max(one.at, other.at),
        cents=other.cents if other.payment_key else one.cents,
        guess=one.guess or other.guess,
        payment_key=one.payment_key or other.payment_key,
        by_others=one.by_others or other.by_others,
        transaction=one.transaction or other.transaction,
    )


def same_id(left: DocId, right: DocId) -> bool:
    return type(left) is type(right) and left == right


def _window(settings: Settings) -> timedelta:
    return timedelta(hours=settings.thresholds.payment_window_hours)


def readable(amount: object) -> int | None:
    try:
        return cents(amount, "amount")
    except InvalidDocument:
        return None


def leave_external(decision: Decision, keys: set[str]) -> None:
    """Note, in place, that others told these payments while nobody listened."""
    for customer_id, state in decision.customers.items():
        if state is None or state.recent is None:
            continue
        seen = state.recent.payments
        noted = tuple(one._replace(by_others=True) if {one.guess, one.payment_key} & keys else one for one in seen)
        if noted != seen:
            decision.customers[customer_id] = replace(state, recent=state.recent._replace(payments=noted))


def reported_alike(ours: Sequence[Event], theirs: Sequence[Mapping[str, Any]], settings: Settings) -> set[str]:
    """The keys of payments of ours, that were found out late, which events of others tell: one for each."""
    window = _window(settings)
    taken: set[int] = set()
    found: set[str] = set()
    for event in ours:
        places = [
            place
            for place, other in enumerate(theirs)
            if place not in taken
            and other.get("event_type") == event.type
            and same_id(other.get("license_id"), event.license_id)
            and isinstance(other.get("event_date"), datetime)
            and abs(other["event_date"] - event.at) <= window
        ]
        if places:
            amounts = {place: readable(theirs[place].get("amount")) for place in places}
            taken.add(min(places, key=lambda place: (amounts[place] != event.amount_cents, place)))
            found.add(event.key)
    return found
