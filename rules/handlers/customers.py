"""Handler of customer changes: count customers and emit `new_customer`."""

from rules.handlers.batch import Batch
from rules.model import documents
from rules.model.changes import Change, Fields, Operation
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, Reason
from rules.model.states import CustomerState
from rules.settings import catalog
from rules.settings.settings import Settings


def apply_customer(batch: Batch, change: Change) -> None:
    before = batch.customer_state(change.id)
    present = change.op is not Operation.DELETE
    after = CustomerState(
        change.id,
        _customer_fields(before, change) if present else {},
        present,
        before.mrr_cents,
        before.active_licenses,
        before.paid_licenses,
        before.ever_mrr,
        before.recent,
        deleted=not present and (before.present or before.deleted),
    )
    batch.set_customer(after)
    if present != before.present:
        batch.post(change, _customer_movement(change, before, after))
    if present and not before.present and not before.deleted:
        batch.emit(change, _new_customer_event(change, after, batch.settings))


def _customer_fields(before: CustomerState, change: Change) -> Fields:
    """Return the fields after `change`; a customer known only from an update is counted too, with the known fields."""
    if before.present or change.op is not Operation.UPDATE:
        return documents.after(before.fields, change) or {}
    return documents.updated({}, change)


def _reason(before: CustomerState, after: CustomerState) -> Reason:
    if not after.present:
        return Reason.CUSTOMER_DELETED
    return Reason.CUSTOMER_RETURNED if before.deleted else Reason.CUSTOMER_CREATED


def _customer_movement(change: Change, before: CustomerState, after: CustomerState) -> Movement:
    return Movement(
        at=change.at,
        kind=MovementKind.NEUTRAL,
        reason=_reason(before, after),
        cause=documents.short_cause(change.cause),
        customer_id=change.id,
        customers=1 if after.present else -1,
        customer_mrr=(after.mrr_cents, after.mrr_cents),
    )


def _new_customer_event(change: Change, state: CustomerState, settings: Settings) -> Event:
    name = settings.customer_name(state.fields)
    return Event(
        key=f"new_customer:{documents.id_key(change.id)}",
        type=EventType.NEW_CUSTOMER,
        at=change.at,
        description=catalog.new_customer(name, settings.texts),
        customer_id=change.id,
        metadata={"customer_name": name} if name else {},
    )
