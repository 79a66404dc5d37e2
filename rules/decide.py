"""The heart: a mirror and some changes in; events, movements and the next mirror out.

`decide` is pure, and splitting a list of changes into batches never changes the result, because
- a stream change at or before the mirror's `position` was applied already and is passed over;
- a licence's end is applied before the first change at or after that instant, whoever brings it;
- whatever a rule remembers is part of the mirror.
The caller hands in every state `required` names, and every active licence that ends by the last change;
a state that was not looked for is a KeyError, never a guess.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from rules import catalogue, custom, documents, licenses, milestones, payments, pricing, twins
from rules.batch import Batch
from rules.facts import Event, EventType, Movement, MovementKind, Reason, Sweep
from rules.mirror import Decision, Held, Mirror, required
from rules.model import Change, Fields, Operation, Origin, Plan, Source
from rules.names import customer_name
from rules.pricing import Unintelligible
from rules.settings import Settings
from rules.states import CustomerState, FormerName, PlanState

__all__ = ["Decision", "Held", "Mirror", "decide", "required"]

NEVER = datetime.min.replace(tzinfo=UTC)


def decide(mirror: Mirror, changes: Sequence[Change], settings: Settings) -> Decision:
    """Apply `changes` in order. The mirror handed in is not altered."""
    batch = Batch(mirror, settings, max((change.at for change in changes), default=NEVER))
    for change in changes:
        if _is_new(batch, change):
            _expire_until(batch, change.at)
            _apply(batch, change)
    return batch.result()


def _is_new(batch: Batch, change: Change) -> bool:
    """Whether a change is still to be applied; the stream's own move the position."""
    if change.origin is not Origin.STREAM or change.op in (Operation.REVALUE, Operation.TICK):
        return True
    if change.cause <= batch.out.position:
        return False
    batch.out.position = change.cause
    return True


def _expire_until(batch: Batch, instant: datetime) -> None:
    while (due := batch.next_to_end(instant)) is not None:
        licenses.expire(batch, *due)


def _apply(batch: Batch, change: Change) -> None:
    if change.source is Source.LICENSES:
        licenses.apply(batch, change)
    elif change.source is Source.CUSTOMERS:
        _customer(batch, change)
    elif change.source is Source.PAYMENTS:
        payments.apply(batch, change)
    elif change.source is Source.PLANS:
        _plan(batch, change)
    elif change.source is Source.EVENTS:
        _withdraw(batch, change)
    elif change.source is Source.CUSTOM:
        _custom(batch, change)


def _withdraw(batch: Batch, change: Change) -> None:
    """Somebody else told a fact of ours: theirs stands, ours goes, told just now or long ago."""
    dated = change.fields.get("event_date")
    at = dated if isinstance(dated, datetime) else change.at
    for key in twins.natural_keys(change.fields):
        batch.withdraw(key, at)
        if _is_to_come(batch, change.fields, key):
            batch.hear(key, at)
    if payments.is_payment(change.fields):
        payments.foreign(batch, change)
    batch.out.told.append(at)


def _is_to_come(batch: Batch, event: Fields, key: str) -> bool:
    """Whether somebody told a fact before its document came, or was understood."""
    kind, customer_id, license_id = (event.get(name) for name in ("event_type", "customer_id", "license_id"))
    if kind == EventType.NEW_CUSTOMER:
        return not batch.customer_state(customer_id).present
    if key.startswith(milestones.KEY):
        return not milestones.is_passed(key, batch.lookout.memory)
    if license_id is None or not documents.is_id(license_id):
        return False
    state = batch.license_state(license_id)
    return state is None or state.worth is None


def _custom(batch: Batch, change: Change) -> None:
    zone = batch.settings.zone
    for event in custom.events(change, batch.settings.custom, lambda at: at.astimezone(zone)):
        batch.tell(change, event)


def _customer(batch: Batch, change: Change) -> None:
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
        before.lately,
    )
    batch.keep_customer(after)
    if present != before.present:
        batch.post(change, _customer_counted(change, after))
    if present and not before.present:
        batch.tell(change, _new_customer(change, after, batch.settings.texts))


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


def _new_customer(change: Change, state: CustomerState, texts: catalogue.Texts) -> Event:
    name = customer_name(state.fields)
    return Event(
        key=f"new_customer:{documents.id_key(change.id)}",
        type=EventType.NEW_CUSTOMER,
        at=change.at,
        description=catalogue.new_customer(name, texts),
        customer_id=change.id,
        metadata={"customer_name": name} if name else {},
    )


def _plan(batch: Batch, change: Change) -> None:
    before = batch.plans.get(change.id)
    if change.op is Operation.DELETE:
        _delete_plan(batch, change, before)
        return
    fields = documents.after(before.fields if before else None, change)
    after = _read_plan(batch, change, before, documents.updated({}, change) if fields is None else fields)
    after.former = _former_names(before, after, change)
    batch.keep_plan(after)
    if after.plan is not None and (before is None or _prices_anew(before, after.plan)):
        batch.out.sweeps.append(Sweep(change.id, change.at, change.cause, change.origin))


def _delete_plan(batch: Batch, change: Change, before: PlanState | None) -> None:
    """The last price stays, for the licences that are on it."""
    if before is None:
        return
    if before.held:
        batch.release(Source.PLANS, change.id)
    batch.keep_plan(PlanState(change.id, before.fields, before.plan, present=False, former=before.former))


def _read_plan(batch: Batch, change: Change, before: PlanState | None, fields: Fields) -> PlanState:
    try:
        plan = pricing.read_plan(change.id, fields, batch.settings.rates)
    except Unintelligible as problem:
        batch.hold(change, fields, str(problem))
        return PlanState(change.id, fields, before.plan if before else None, held=str(problem))
    if before is not None and before.held:
        batch.release(Source.PLANS, change.id)
    return PlanState(change.id, fields, plan)


def _former_names(before: PlanState | None, after: PlanState, change: Change) -> tuple[FormerName, ...]:
    """With the name it had until now, if it has another one."""
    if before is None or before.plan is None or after.plan is None or before.plan.name == after.plan.name:
        return before.former if before else ()
    return (*before.former, FormerName(before.plan.name, change.at))


def _prices_anew(before: PlanState, plan: Plan) -> bool:
    """Whether licences on the plan may be worth something else now, or may have waited for it."""
    if before.plan is None or not before.present:
        return True
    return (before.plan.price_cents, before.plan.mrr_cents) != (plan.price_cents, plan.mrr_cents)
