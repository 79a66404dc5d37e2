"""Handler of external events: withdraw the own events that they replace."""

from datetime import datetime

from rules.handlers import fact_matching
from rules.handlers.batch import Batch
from rules.handlers.fact_matching import MATCHED_EVENTS
from rules.handlers.payments import owner_of
from rules.insights import milestones
from rules.model import documents, event_keys
from rules.model.changes import Change, Fields, Origin
from rules.model.events import PAYMENT_EVENTS, EventType
from rules.model.recent import FactObservation


def apply_external_event(batch: Batch, change: Change) -> None:
    """Keep an external event and withdraw own events of the same fact, emitted in this batch or an earlier one."""
    event_date = change.fields.get("event_date")
    at = event_date if isinstance(event_date, datetime) and event_date.tzinfo is not None else change.at
    for key in event_keys.natural_keys(change.fields):
        batch.withdraw(key, at, replaced=True)
        if _is_early(batch, change.fields, key):
            batch.remember_external(key, at)
    kind = change.fields.get("event_type")
    if isinstance(kind, str) and kind in MATCHED_EVENTS:
        _observe(batch, change, EventType(kind), at)
    batch.decision.external_event_times.append(at)


def _observe(batch: Batch, change: Change, kind: EventType, at: datetime) -> None:
    """Match an external event with a known fact, and withdraw the own event of that fact.

    An event found after a gap may have been applied before the gap: it counts only if it replaces an own event.
    """
    license_id, customer_id = change.fields.get("license_id"), change.fields.get("customer_id")
    if not documents.is_id(license_id):
        return
    owner = owner_of(batch, license_id, customer_id if documents.is_id(customer_id) else None)
    if owner is None and license_id is None:
        return
    cents = fact_matching.cents_or_none(change.fields.get("amount")) if kind in PAYMENT_EVENTS else None
    observation = FactObservation(at, license_id, kind, cents, by_external=True)
    known = fact_matching.observations_of(batch, owner)
    index = fact_matching.match(batch, known, observation, "external")
    if index is not None:
        own = known[index]
        batch.withdraw(own.payment_key or own.guess, own.at, replaced=True)
    elif change.origin is Origin.RECOVERED:
        return
    fact_matching.remember(batch, owner, known, index, observation)


def _is_early(batch: Batch, event: Fields, key: str) -> bool:
    """Return whether the fact is reported before its document was received, or while that document is invalid."""
    kind, customer_id, license_id = (event.get(name) for name in ("event_type", "customer_id", "license_id"))
    if kind == EventType.NEW_CUSTOMER:
        return not batch.customer_state(customer_id).present
    if key.startswith(milestones.KEY):
        return not milestones.is_passed(key, batch.milestone_tracker.memory)
    if license_id is None or not documents.is_id(license_id):
        return False
    state = batch.license_state(license_id)
    return state is None or state.value is None
