"""What a change of a licence does to the books: it is read, valued, booked and told, or held."""

from datetime import UTC, datetime, timedelta

from rules.handlers import license_events, license_replacement, payments
from rules.handlers.batch import Batch
from rules.handlers.license_events import LicenseTransition
from rules.model import documents, event_keys
from rules.model.changes import Change, DocId, Fields, License, LicenseValue, Operation, Plan, Source
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, Reason
from rules.model.recent import PendingSwitch
from rules.model.states import LicenseState
from rules.revenue import movements
from rules.revenue.pricing import InvalidDocument
from rules.settings import catalog
from rules.text import customer_name

UNSEEN = "an update of a licence never seen whole; its next replacement or a reconciliation brings the rest"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def apply(batch: Batch, change: Change) -> None:
    """Take over a change of a licence document, or value it anew (REVALUE)."""
    before = batch.license_state(change.id)
    if change.op is Operation.DELETE:
        _delete(batch, change, before)
        return
    if change.op in (Operation.UPDATE, Operation.REVALUE) and (before is None or before.held == UNSEEN):
        _keep_unseen(batch, change, before)
        return
    fields = documents.after(before.fields if before else None, change)
    assert fields is not None, "a licence that is not deleted has fields"
    try:
        license = license_events.read_license(fields, batch.settings)
        plan = license_events.plan_of(license, before.license if before else None, batch.plans)
    except InvalidDocument as problem:
        _hold(batch, change, before, fields, str(problem))
        return
    _apply_fields(batch, change, before, LicenseState(change.id, fields, license), plan)


def expire(batch: Batch, state: LicenseState, end: datetime) -> None:
    """Let a licence end: nobody writes that, the clock alone brings it."""
    assert state.license is not None and state.value is not None
    change = Change(Source.CLOCK, Operation.TICK, state.id, end, str((end - EPOCH) // MILLISECOND))
    plan = batch.plan_of(state.value.plan_id)
    now = license_events.value_of(state.license, plan, end)
    batch.set_license(LicenseState(state.id, state.fields, state.license, now, state.started, state.held, state.sold))
    _book_and_emit(batch, change, _transition(batch, change, state, state.license, now, plan))


def _apply_fields(batch: Batch, change: Change, before: LicenseState | None, after: LicenseState, plan: Plan) -> None:
    """Count a licence that was understood; `after` is still without its worth."""
    assert after.license is not None
    now = after.value = license_events.value_of(after.license, plan, change.at)
    after.started = now.paid or (before is not None and before.started)
    after.sold = _sold(before.sold if before else (), after, plan, change)
    if before is not None and before.held:
        batch.release(Source.LICENSES, change.id)
    if change.op is not Operation.REVALUE or after != before:
        batch.set_license(after)
    _book_and_emit(batch, change, _transition(batch, change, before, after.license, now, plan))


def _sold(known: tuple[DocId, ...], after: LicenseState, plan: Plan, change: Change) -> tuple[DocId, ...]:
    """The lifetime plans a licence has; one that turns lifetime under a licence is not sold to it by that."""
    assert after.value is not None
    has = after.value.active or (change.op is Operation.REVALUE and after.started)
    return (*known, plan.id) if plan.is_lifetime and has and plan.id not in known else known


def _delete(batch: Batch, change: Change, before: LicenseState | None) -> None:
    if before is None:
        return
    batch.out.licenses[change.id] = None
    if before.held:
        batch.release(Source.LICENSES, change.id)
    if before.value is not None:
        plan = batch.plan_of(before.value.plan_id)
        _book_and_emit(batch, change, _transition(batch, change, before, None, None, plan))


def _keep_unseen(batch: Batch, change: Change, before: LicenseState | None) -> None:
    if change.op is Operation.UPDATE:
        fields = documents.updated(before.fields if before else {}, change)
        _hold(batch, change, before, fields, UNSEEN)


def _hold(batch: Batch, change: Change, before: LicenseState | None, fields: Fields, reason: str) -> None:
    """Keep a document that cannot be understood beside what its last good version counts for."""
    if change.op is Operation.REVALUE and before is not None and before.held == reason:
        return
    good = before or LicenseState(change.id, fields)
    state = LicenseState(change.id, fields, good.license, good.value, good.started, reason, good.sold)
    batch.out.licenses[change.id] = state
    batch.hold(change, fields, reason)


def _transition(
    batch: Batch,
    change: Change,
    before: LicenseState | None,
    license: License | None,
    now: LicenseValue | None,
    plan: Plan,
) -> LicenseTransition:
    owner = license or (before.license if before else None)
    assert owner is not None, "only a licence that was understood can turn"
    customer = batch.customer_state(owner.customer_id).fields
    was = before.value if before else None
    return LicenseTransition(
        license_id=change.id,
        at=change.at,
        cause=documents.short_cause(change.cause),
        name=customer_name(customer),
        before=before.license if before else None,
        was=was,
        plan_before=batch.plan_of(was.plan_id) if was else None,
        after=license,
        now=now,
        plan=plan,
        started=before is not None and before.started,
        sold=before.sold if before else (),
        pays=not (owner.is_manual or customer.get("email") == batch.settings.manual_email),
        settings=batch.settings,
    )


def _book_and_emit(batch: Batch, change: Change, turn: LicenseTransition) -> None:
    first = license_replacement.first_half(batch, change, turn)
    booked = _book(batch, change, turn, first)
    events = license_replacement.events(batch, turn, first) if first else license_events.events(turn)
    key = ""
    for event in events:
        key = key or event.key
        if event.type is EventType.PAYMENT_COMPLETED:
            payments.guess(batch, change, event)
        else:
            batch.emit(change, event)
    if booked is not None and first is None and (turn.starts or turn.ends):
        license_replacement.remember(batch, change, turn, booked, key)
    sale = _limited_sale(batch, turn)
    if sale is not None:
        batch.emit(change, sale)


def _book(batch: Batch, change: Change, turn: LicenseTransition, first: PendingSwitch | None) -> Movement | None:
    """Book the difference between a licence's two worths; the movement, None where there is not just one.

    A licence that changes hands leaves, then joins.
    """
    sold = license_events.sale_cents(turn)
    if turn.was is not None and turn.now is not None and license_events.changed_hands(turn):
        assert turn.before is not None
        license_replacement.forget(batch, turn)
        batch.book(change, _movement(change, turn, turn.before.customer_id, (turn.was, None)))
        batch.book(change, _movement(change, turn, turn.owner, (None, turn.now), sold))
        return None
    if turn.was == turn.now and not sold:
        return None
    movement = _movement(change, turn, turn.owner, (turn.was, turn.now), sold)
    if first is not None:
        license_replacement.book(batch, change, turn, first, movement)
    else:
        batch.book(change, movement)
    return movement


def _movement(
    change: Change,
    turn: LicenseTransition,
    customer_id: DocId,
    worths: tuple[LicenseValue | None, LicenseValue | None],
    sold_cents: int = 0,
) -> Movement:
    before, after = worths
    return Movement(
        at=change.at,
        kind=MovementKind.NEUTRAL,
        reason=reason(turn),
        cause=turn.cause,
        customer_id=customer_id,
        license_id=turn.license_id,
        plan_id=(after or before or movements.NOTHING).plan_id,
        one_time_cents=sold_cents,
        before=before,
        after=after,
    )


def reason(turn: LicenseTransition) -> Reason:
    """Why a licence's worth moved."""
    if turn.was is None:
        return Reason.LICENSE_CREATED
    if turn.now is None:
        return Reason.LICENSE_DELETED
    if license_events.changed_hands(turn):
        return Reason.LICENSE_MOVED
    if turn.was.active and not turn.now.active:
        return license_events.REASONS[license_events.off_event(turn)]
    if turn.now.active and not turn.was.active:
        return Reason.ACTIVATED
    return Reason.PLAN_CHANGED if turn.was.plan_id != turn.now.plan_id else Reason.REPRICE


def _limited_sale(batch: Batch, turn: LicenseTransition) -> Event | None:
    """The sale of a plan of which only so many are sold, such as the Founders Deal, and how many are left."""
    arrives = turn.now is not None and (turn.was is None or turn.was.plan_id != turn.plan.id)
    if turn.plan.limit is None or not turn.plan.is_lifetime or not arrives:
        return None
    remaining = max(0, turn.plan.limit - batch.out.totals.by_plan[turn.plan.id].licenses)
    license = batch.license_state(turn.license_id)
    license_key = license.fields.get("license_key") if license else None
    return Event(
        key=next(event_keys.limited_sale_keys(license_key, turn.license_id)),
        type=EventType.MILESTONE_REACHED,
        at=turn.at,
        description=catalog.limited_sale(turn.plan, remaining, batch.settings.texts),
        customer_id=turn.after.customer_id if turn.after else None,
        license_id=turn.license_id,
        plan_name=turn.plan.name,
        metadata={
            "founders_remaining": remaining,
            "license_key": license_key,
        },
    )
