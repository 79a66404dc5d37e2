"""Handler of external events: withdraw the own events that they replace."""

from datetime import datetime

from rules.handlers import fact_matching, license_replacement
from rules.handlers.batch import Batch
from rules.handlers.fact_matching import MATCHED_EVENTS
from rules.handlers.payments import owner_of
from rules.insights import milestones
from rules.model import documents, event_keys
from rules.model.changes import Change, Fields, Origin
from rules.model.decision import ExternalFact, WithdrawalKind
from rules.model.events import PAYMENT_EVENTS, EventType
from rules.model.recent import FactObservation


def apply_external_event(batch: Batch, change: Change) -> None:
    """Keep an external event and withdraw the own event of the same fact, emitted in this batch or an earlier one."""
    event_date, kind = change.fields.get("event_date"), change.fields.get("event_type")
    at = event_date if isinstance(event_date, datetime) and event_date.tzinfo is not None else change.at
    key = event_keys.natural_key(change.fields)
    if key is not None:
        _replace(batch, change.fields, key, at)
    elif isinstance(kind, str) and kind in MATCHED_EVENTS:
        key = _observe(batch, change, EventType(kind), at)
    is_recovered = change.origin is Origin.RECOVERED
    batch.decision.external.append(
        ExternalFact(change.id, kind if isinstance(kind, str) else "", at, key, is_recovered)
    )


def _replace(batch: Batch, event: Fields, key: str, at: datetime) -> None:
    """Withdraw the own event with the natural key of an external one, or prevent it if it is still to come."""
    if _is_early(batch, event, key):
        batch.remember_external(key, at)
        return
    batch.withdraw(key, at, WithdrawalKind.REPLACED)
    if event.get("event_type") == EventType.LICENSE_CREATED:
        license_replacement.forget_event(batch, owner_of(batch, event["license_id"], None), key)


def _observe(batch: Batch, change: Change, kind: EventType, at: datetime) -> str | None:
    """Match an external event of a fact that may happen again; return the key of that fact."""
    license_id, customer_id = change.fields.get("license_id"), change.fields.get("customer_id")
    if not documents.is_id(license_id):
        return None
    owner = owner_of(batch, license_id, customer_id if documents.is_id(customer_id) else None)
    if owner is None and license_id is None:
        return None
    cents = fact_matching.cents_or_none(change.fields.get("amount")) if kind in PAYMENT_EVENTS else None
    external = documents.id_key(change.id)
    return fact_matching.observe_external(batch, owner, FactObservation(at, license_id, kind, cents, external=external))


def _is_early(batch: Batch, event: Fields, key: str) -> bool:
    """Return whether the fact is reported before its document was received, or while that document is invalid."""
    kind, customer_id, license_id = (event.get(name) for name in ("event_type", "customer_id", "license_id"))
    if kind == EventType.NEW_CUSTOMER:
        customer = batch.customer_state(customer_id)
        return not customer.present and not customer.deleted
    if key.startswith(milestones.KEY):
        return not milestones.is_passed(key, batch.milestone_tracker.memory)
    if license_id is None or not documents.is_id(license_id):
        return False
    state = batch.license_state(license_id)
    return state is None or state.license is None
