"""TODO: rules/handlers/external_events.py."""

from datetime import datetime

from rules.handlers import payments
from rules.handlers.batch import Batch
from rules.insights import milestones
from rules.model import documents, event_keys
from rules.model.changes import Change, Fields
from rules.model.events import EventType


def withdraw(batch: Batch, change: Change) -> None:
    """Somebody else told a fact of ours: theirs stands, ours goes, told just now or long ago."""
    dated = change.fields.get("event_date")
    at = dated if isinstance(dated, datetime) else change.at
    for key in event_keys.natural_keys(change.fields):
        batch.withdraw(key, at)
        if _is_to_come(batch, change.fields, key):
            batch.remember_external(key, at)
    if payments.is_payment(change.fields):
        payments.observe_external(batch, change)
    batch.out.external_event_times.append(at)


def _is_to_come(batch: Batch, event: Fields, key: str) -> bool:
    """Whether somebody told a fact before its document came, or was understood."""
    kind, customer_id, license_id = (event.get(name) for name in ("event_type", "customer_id", "license_id"))
    if kind == EventType.NEW_CUSTOMER:
        return not batch.customer_state(customer_id).present
    if key.startswith(milestones.KEY):
        return not milestones.is_passed(key, batch.milestone_tracker.memory)
    if license_id is None or not documents.is_id(license_id):
        return False
    state = batch.license_state(license_id)
    return state is None or state.value is None
