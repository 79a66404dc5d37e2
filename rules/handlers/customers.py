"""TODO: rules/handlers/customers.py."""

from rules.handlers.batch import Batch
from rules.model import documents
from rules.model.changes import Change, Fields, Operation
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, Reason
from rules.model.states import CustomerState
from rules.settings import catalog
from rules.text import customer_name


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
    )
    batch.set_customer(after)
    if present != before.present:
        batch.post(change, _customer_counted(change, after))
    if present and not before.present:
        batch.emit(change, _new_customer(change, after, batch.settings.texts))


def _customer_fields(before: CustomerState, change: Change) -> Fields:
    """A customer never seen whole is no poison: it counts, and is named as far as the name is known."""
    if before.present or change.op is not Operation.UPDATE:
        return documents.after(before.fields, change) or {}
    return documents.updated({}, change)


def _customer_counted(change: Change, after: CustomerState) -> Movement:
    return Movement(
        at=change.at,
        kind=MovementKind.NEUTRAL,
        reason=Reason.CUSTOMER_CREATED if after.present else Reason.CUSTOMER_DELETED,
        cause=documents.short_cause(change.cause),
        customer_id=change.id,
        customers=1 if after.present else -1,
        customer_mrr=(after.mrr_cents, after.mrr_cents),
    )


def _new_customer(change: Change, state: CustomerState, texts: catalog.Texts) -> Event:
    name = customer_name(state.fields)
    return Event(
        key=f"new_customer:{documents.id_key(change.id)}",
        type=EventType.NEW_CUSTOMER,
        at=change.at,
        description=catalog.new_customer(name, texts),
        customer_id=change.id,
        metadata={"customer_name": name} if name else {},
    )
