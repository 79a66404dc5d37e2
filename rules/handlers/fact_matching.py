"""Matching of observations: which observations from different sources report the same fact.

A payment is observed as a guess (the start or renewal of a license), as a payment document and as an external event; an
event of a license that may happen again (a cancellation, an upgrade) as the own event and as an external one.
Observations of one license, else of one customer, are one fact within a window, with at most one observation per
source. A customer's last observations are kept in its state, so the result does not depend on their order or on the
split into batches, and an external event that is applied again, for example after a gap, is recognized.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from rules.handlers.batch import Batch
from rules.model.changes import Change, DocId, Origin
from rules.model.decision import WithdrawalKind
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
        and _apart(one, observation) <= longest
    ]
    return min(indexes, key=lambda index: _distance(known[index], observation, index), default=None)


def _distance(one: FactObservation, other: FactObservation, index: int) -> tuple[bool, timedelta, int]:
    return one.cents != other.cents, _apart(one, other), index


def _apart(one: FactObservation, other: FactObservation) -> timedelta:
    """Return the time between two observations, 0 if one lies in the gap in which the other was found."""
    return max((one.since or one.at) - other.at, (other.since or other.at) - one.at, timedelta(0))


def _same_subject(one: FactObservation, other: FactObservation, source: ObservationSource) -> bool:
    """Return whether both are about one license; an external event without a license is about any of the customer."""
    if one.license_id is None or other.license_id is None:
        return source == "external" or not one.own_key
    return one.license_id == other.license_id


def _is_observed_from(one: FactObservation, source: ObservationSource) -> bool:
    if source == "guess":
        return bool(one.guess)
    return bool(one.payment_key if source == "payment" else one.external)


def emit_unless_reported(batch: Batch, change: Change, event: Event, cents: int | None = None) -> None:
    """Emit an own event that has no natural key, unless another observation of its fact is known.

    `cents` is the amount to match by, None for a fact without one.
    """
    if change.origin is Origin.BOOTSTRAP:
        return
    observation = FactObservation(event.at, event.license_id, event.type, cents, guess=event.key, since=change.since)
    known = observations_of(batch, event.customer_id)
    index = match(batch, known, observation, "guess")
    remember(batch, event.customer_id, known, index, observation)
    if index is None:
        batch.emit(change, event)


def observe_external(batch: Batch, owner: DocId, observation: FactObservation) -> str | None:
    """Match an external event with a known fact and withdraw the own event; return the key of the fact.

    None if the external event reports the fact first, or alone.
    """
    known = observations_of(batch, owner)
    applied = next((one for one in known if one.external == observation.external), None)
    if applied is not None:
        return applied.fact_key or None
    index = match(batch, known, observation, "external")
    remember(batch, owner, known, index, observation)
    if index is None:
        return None
    own = known[index]
    batch.withdraw(own.own_key, own.at, WithdrawalKind.REPLACED)
    batch.report_again(own.own_key, own.fact_key)
    return own.fact_key


def is_same(one: FactObservation, other: FactObservation) -> bool:
    return one.payment_key == other.payment_key


def is_duplicate(one: FactObservation, other: FactObservation) -> bool:
    """Return whether the two are one transaction delivered twice, as two documents."""
    is_alike = one.kind is other.kind and one.cents == other.cents and one.license_id == other.license_id
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
        external=one.external or other.external,
        transaction=one.transaction or other.transaction,
        since=one.since or other.since,
        first=one.first or one.own_key or one.external,
    )


def window(kind: EventType, settings: Settings) -> timedelta:
    """Return the maximum time between two observations of one fact."""
    thresholds = settings.thresholds
    if kind in PAYMENT_EVENTS:
        return timedelta(hours=thresholds.payment_window_hours)
    return timedelta(minutes=thresholds.external_window_minutes)


def correct(batch: Batch, owner: DocId, key: str, at: datetime) -> None:
    """Withdraw an own event that turned out to be incorrect. A fact that an external event reports stands."""
    customer = batch.customer_state(owner)
    known = customer.recent.payments if customer.recent is not None else ()
    if any(one.guess == key and one.external for one in known):
        return
    batch.withdraw(key, at, WithdrawalKind.CORRECTED)
    kept = tuple(one for one in known if one.guess != key)
    if customer.recent is not None and kept != known:
        batch.set_recent(customer, customer.recent._replace(payments=kept))


def cents_or_none(amount: object) -> int | None:
    try:
        return cents(amount, "amount")
    except InvalidDocument:
        return None
