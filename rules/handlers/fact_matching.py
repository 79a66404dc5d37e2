"""Matching of observations: which observations from different sources report the same fact.

A payment is observed as a guess (the start or renewal of a license), as a payment document and as an external event; an
event of a license that may happen again (a cancellation, an upgrade) as the own event and as an external one.
Observations of one license, else of one customer, are one fact within a window, with at most one observation per
source. A customer's last observations are kept in its state, so the result does not depend on their order or on the
split into batches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from rules.handlers.batch import Batch
from rules.model.changes import Change, DocId, Origin
from rules.model.decision import Decision
from rules.model.events import PAYMENT_EVENTS, Event, EventType
from rules.model.recent import FactObservation, RecentActivity
from rules.revenue.pricing import InvalidDocument, cents
from rules.settings.settings import Settings

ObservationSource = Literal["guess", "payment", "external"]

RECURRING_EVENTS = frozenset(
    (
        EventType.LICENSE_ACTIVATED,
        EventType.LICENSE_RENEWED,
        EventType.LICENSE_CANCELLED,
        EventType.LICENSE_EXPIRED,
        EventType.LICENSE_SUSPENDED,
        EventType.PLAN_UPGRADED,
        EventType.PLAN_DOWNGRADED,
    )
)
"""Events of a license that may happen again, so that an external event of the same fact has no natural key."""

MATCHED_EVENTS = RECURRING_EVENTS | PAYMENT_EVENTS

MAX_OBSERVATIONS = 100
DUPLICATE_DAYS = 3
"""Days within which a payment provider may deliver a transaction again (Paddle's webhooks: three days)."""


def observations_of(batch: Batch, owner: DocId) -> tuple[FactObservation, ...]:
    recent = batch.customer_state(owner).recent
    return recent.payments if recent is not None else ()


def match(
    batch: Batch, known: Sequence[FactObservation], observation: FactObservation, source: ObservationSource
) -> int | None:
    """Return the index of the known fact that `observation` also reports; None if there is none.

    Only facts not yet observed from `source` match. One of the same amount is preferred, then the nearest in time.
    """
    longest = window(observation.kind, batch.settings)
    indexes = [
        index
        for index, one in enumerate(known)
        if one.kind is observation.kind
        and _same_subject(one, observation, source)
        and not _is_observed_from(one, source)
        and abs(one.at - observation.at) <= longest
    ]
    return min(indexes, key=lambda index: _distance(known[index], observation, index), default=None)


def _distance(one: FactObservation, other: FactObservation, index: int) -> tuple[bool, timedelta, int]:
    return one.cents != other.cents, abs(one.at - other.at), index


def _same_subject(one: FactObservation, other: FactObservation, source: ObservationSource) -> bool:
    """Return whether both are about one license; an external event without a license is about any of the customer."""
    if one.license_id is None or other.license_id is None:
        return source == "external" or _is_only_external(one)
    return same_id(one.license_id, other.license_id)


def _is_only_external(one: FactObservation) -> bool:
    return one.by_external and not one.guess and not one.payment_key


def _is_observed_from(one: FactObservation, source: ObservationSource) -> bool:
    if source == "guess":
        return bool(one.guess)
    return bool(one.payment_key) if source == "payment" else one.by_external


def emit_unless_reported(batch: Batch, change: Change, event: Event, cents: int | None = None) -> None:
    """Emit an own event that has no natural key, unless another observation of its fact is known.

    `cents` is the amount to match by, None for a fact without one.
    """
    if change.origin is Origin.BOOTSTRAP:
        return
    observation = FactObservation(event.at, event.license_id, event.type, cents, guess=event.key)
    known = observations_of(batch, event.customer_id)
    index = match(batch, known, observation, "guess")
    remember(batch, event.customer_id, known, index, observation)
    if index is None:
        batch.emit(change, event)


def is_same(one: FactObservation, other: FactObservation) -> bool:
    return one.payment_key == other.payment_key


def is_duplicate(one: FactObservation, other: FactObservation) -> bool:
    """Return whether the two are one transaction delivered twice, as two documents."""
    is_alike = one.kind is other.kind and one.cents == other.cents and same_id(one.license_id, other.license_id)
    is_near = abs(one.at - other.at) <= timedelta(days=DUPLICATE_DAYS)
    is_repeated = one.transaction == other.transaction != ""
    return is_alike and is_near and is_repeated and bool(one.payment_key) and one.payment_key != other.payment_key


def remember(
    batch: Batch,
    owner: DocId,
    known: tuple[FactObservation, ...],
    index: int | None,
    observation: FactObservation,
) -> None:
    """Merge an observation into the fact at `index`, or add it (None). Drop observations too old to match."""
    max_age = max(window(EventType.PAYMENT_COMPLETED, batch.settings), timedelta(days=DUPLICATE_DAYS))
    observations = _with_observation(known, index, observation)
    recent = tuple(one for one in observations if observation.at - one.at <= max_age)[-MAX_OBSERVATIONS:]
    customer = batch.customer_state(owner)
    batch.set_recent(customer, (customer.recent or RecentActivity())._replace(payments=recent))


def _with_observation(
    known: tuple[FactObservation, ...], index: int | None, observation: FactObservation
) -> tuple[FactObservation, ...]:
    if index is None:
        return (*known, observation)
    return (*known[:index], _merged(known[index], observation), *known[index + 1 :])


def _merged(one: FactObservation, other: FactObservation) -> FactObservation:
    return one._replace(
        at=max(one.at, other.at),
        cents=other.cents if other.payment_key else one.cents,
        guess=one.guess or other.guess,
        payment_key=one.payment_key or other.payment_key,
        by_external=one.by_external or other.by_external,
        transaction=one.transaction or other.transaction,
    )


def same_id(left: DocId, right: DocId) -> bool:
    return type(left) is type(right) and left == right


def window(kind: EventType, settings: Settings) -> timedelta:
    """Return the maximum time between two observations of one fact."""
    thresholds = settings.thresholds
    if kind in PAYMENT_EVENTS:
        return timedelta(hours=thresholds.payment_window_hours)
    return timedelta(minutes=thresholds.external_window_minutes)


def forget_key(batch: Batch, owner: DocId, key: str) -> None:
    """Remove an own event that was withdrawn as incorrect from the observations; an external event stays."""
    customer = batch.customer_state(owner)
    if customer.recent is None:
        return
    kept = tuple(
        one._replace(guess="") if one.guess == key else one
        for one in customer.recent.payments
        if one.guess != key or one.by_external or one.payment_key
    )
    batch.set_recent(customer, customer.recent._replace(payments=kept))


def cents_or_none(amount: object) -> int | None:
    try:
        return cents(amount, "amount")
    except InvalidDocument:
        return None


def mark_external(decision: Decision, keys: set[str]) -> None:
    """Mark the facts with these event keys as reported externally, in place."""
    for customer_id, state in decision.customers.items():
        if state is None or state.recent is None:
            continue
        known = state.recent.payments
        marked = tuple(one._replace(by_external=True) if {one.guess, one.payment_key} & keys else one for one in known)
        if marked != known:
            decision.customers[customer_id] = replace(state, recent=state.recent._replace(payments=marked))


def keys_reported_externally(
    own: Sequence[Event], external: Sequence[Mapping[str, Any]], settings: Settings
) -> set[str]:
    """Return the keys of own recurring events that external events also report; each external event matches one."""
    matched: set[int] = set()
    keys: set[str] = set()
    for event in own:
        indexes = [
            index
            for index, other in enumerate(external)
            if index not in matched
            and other.get("event_type") == event.type
            and _reports(other, event)
            and isinstance(other.get("event_date"), datetime)
            and abs(other["event_date"] - event.at) <= window(event.type, settings)
        ]
        if indexes:
            amounts = {index: cents_or_none(external[index].get("amount")) for index in indexes}
            matched.add(min(indexes, key=lambda index: (amounts[index] != event.amount_cents, index)))
            keys.add(event.key)
    return keys


def _reports(external: Mapping[str, Any], event: Event) -> bool:
    if external.get("license_id") is None:
        return external.get("customer_id") is not None and same_id(external["customer_id"], event.customer_id)
    return same_id(external["license_id"], event.license_id)
