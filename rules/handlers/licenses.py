"""Handler of license changes: parse and value the document, post its movement, emit its events, or hold it."""

from datetime import UTC, datetime, timedelta

from rules.handlers import fact_matching, license_documents, license_events, license_replacement, payments
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

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def apply(batch: Batch, change: Change) -> None:
    """Apply a change of a license document, or value it again (REVALUE)."""
    before = batch.license_state(change.id)
    if change.op is Operation.DELETE:
        _delete(batch, change, before)
        return
    if change.op in (Operation.UPDATE, Operation.REVALUE) and (
        before is None or before.deleted or documents.is_partial(before.held)
    ):
        _hold_partial(batch, change, before)
        return
    fields = documents.after(before.fields if before else None, change)
    assert fields is not None, "a license that is not deleted has fields"
    try:
        license = license_documents.read_license(fields, batch.settings)
        plan = license_documents.plan_of(license, before.license if before else None, batch.plans)
    except InvalidDocument as problem:
        _hold(batch, change, before, fields, str(problem))
        return
    _apply_fields(batch, change, before, LicenseState(change.id, fields, license), plan)


def expire(batch: Batch, state: LicenseState, end: datetime) -> None:
    """Apply the expiry of a license at the instant `end`; no write of the document reports it."""
    assert state.license is not None and state.value is not None
    change = Change(Source.CLOCK, Operation.TICK, state.id, end, str((end - EPOCH) // MILLISECOND))
    plan = batch.plan_of(state.value.plan_id)
    now = license_documents.value_of(state.license, plan, end)
    batch.set_license(LicenseState(state.id, state.fields, state.license, now, state.started, state.held, state.sold))
    _book_and_emit(batch, change, _transition(batch, change, state, state.license, now, plan))


def _apply_fields(batch: Batch, change: Change, before: LicenseState | None, after: LicenseState, plan: Plan) -> None:
    """Apply a valid license; sets the value of `after`."""
    assert after.license is not None
    now = after.value = license_documents.value_of(after.license, plan, change.at)
    after.started = now.paid or (before is not None and before.started)
    after.sold = _sold(before.sold if before else (), after, plan, change)
    if before is not None and before.held:
        batch.release(Source.LICENSES, change.id)
    if change.op is not Operation.REVALUE or after != before:
        batch.set_license(after)
    _book_and_emit(batch, change, _transition(batch, change, before, after.license, now, plan))


def _sold(known: tuple[DocId, ...], after: LicenseState, plan: Plan, change: Change) -> tuple[DocId, ...]:
    """Return the lifetime plans that count as sold to the license.

    A plan that becomes a lifetime plan counts as sold to the started licenses on it, so that it is not sold again.
    """
    assert after.value is not None
    is_sold = after.value.active or (change.op is Operation.REVALUE and after.started)
    return (*known, plan.id) if plan.is_lifetime and is_sold and plan.id not in known else known


def _delete(batch: Batch, change: Change, before: LicenseState | None) -> None:
    if before is None or before.deleted:
        return
    deleted = LicenseState(change.id, {}, before.license, None, before.started, None, before.sold, deleted=True)
    batch.decision.licenses[change.id] = deleted if before.license is not None else None
    if before.held:
        batch.release(Source.LICENSES, change.id)
    if before.value is not None:
        plan = batch.plan_of(before.value.plan_id)
        _book_and_emit(batch, change, _transition(batch, change, before, None, None, plan))


def _hold_partial(batch: Batch, change: Change, before: LicenseState | None) -> None:
    if change.op is Operation.UPDATE:
        fields = documents.updated(before.fields if before else {}, change)
        _hold(batch, change, before, fields, documents.PARTIAL.format("license"))


def _hold(batch: Batch, change: Change, before: LicenseState | None, fields: Fields, reason: str) -> None:
    """Hold an invalid document; the license keeps the value of its last valid version."""
    if change.op is Operation.REVALUE and before is not None and before.held == reason:
        return
    valid = before or LicenseState(change.id, fields)
    state = LicenseState(change.id, fields, valid.license, valid.value, valid.started, reason, valid.sold)
    batch.decision.licenses[change.id] = state
    batch.hold(change, fields, reason)


def _transition(
    batch: Batch,
    change: Change,
    before: LicenseState | None,
    license: License | None,
    value: LicenseValue | None,
    plan: Plan,
) -> LicenseTransition:
    latest = license or (before.license if before else None)
    assert latest is not None, "only a valid license has transitions"
    customer = batch.customer_state(latest.customer_id).fields
    value_before = before.value if before else None
    return LicenseTransition(
        license_id=change.id,
        at=change.at,
        cause=documents.short_cause(change.cause),
        name=batch.settings.customer_name(customer),
        before=before.license if before else None,
        value_before=value_before,
        plan_before=batch.plan_of(value_before.plan_id) if value_before else None,
        after=license,
        value_after=value,
        plan=plan,
        returned=before is not None and before.license is not None and before.value is None,
        started=before is not None and before.started,
        sold=before.sold if before else (),
        pays=not (latest.is_manual or customer.get("email") == batch.settings.manual_email),
        settings=batch.settings,
    )


def _book_and_emit(batch: Batch, change: Change, transition: LicenseTransition) -> None:
    pending = license_replacement.find_switch(batch, change, transition)
    booked = _book(batch, change, transition, pending)
    events = license_replacement.events(batch, transition, pending) if pending else license_events.events(transition)
    key = ""
    for event in events:
        key = key or event.key
        if event.type is EventType.PAYMENT_COMPLETED:
            payments.guess_payment(batch, change, event)
        elif event.type in fact_matching.RECURRING_EVENTS:
            fact_matching.emit_unless_reported(batch, change, event)
        else:
            batch.emit(change, event)
    if booked is not None and pending is None and (transition.starts or transition.ends):
        license_replacement.remember(batch, change, transition, booked, key)
    sale = _limited_sale(batch, transition)
    if sale is not None:
        batch.emit(change, sale)


def _book(
    batch: Batch, change: Change, transition: LicenseTransition, pending: PendingSwitch | None
) -> Movement | None:
    """Post the difference between a license's two values and return the movement; None if there is none."""
    sold_cents = license_events.lifetime_sale_cents(transition)
    was, now = transition.value_before, transition.value_after
    movement = _movement(change, transition, sold_cents)
    if was is not None and license_events.customer_changed(transition):
        license_replacement.forget(batch, transition.former_owner, transition.license_id)
        license_replacement.move(batch, change, movement, transition.former_owner, was)
    if was == now and not sold_cents:
        return None
    if pending is not None:
        license_replacement.book(batch, change, transition, pending, movement)
    else:
        batch.book(change, movement)
    return movement


def _movement(change: Change, transition: LicenseTransition, sold_cents: int) -> Movement:
    before, after = transition.value_before, transition.value_after
    return Movement(
        at=change.at,
        kind=MovementKind.NEUTRAL,
        reason=reason(transition),
        cause=transition.cause,
        customer_id=transition.owner,
        license_id=transition.license_id,
        plan_id=(after or before or movements.NO_LICENSE).plan_id,
        one_time_cents=sold_cents,
        before=before,
        after=after,
    )


def reason(transition: LicenseTransition) -> Reason:
    """Return the reason of a license's movement."""
    was, now = transition.value_before, transition.value_after
    if was is None:
        return Reason.LICENSE_RETURNED if transition.returned else Reason.LICENSE_CREATED
    if now is None:
        return Reason.LICENSE_DELETED
    if transition.ends:
        return license_events.REASONS[license_events.end_event_type(transition)]
    if transition.starts:
        return Reason.ACTIVATED
    return Reason.PLAN_CHANGED if was.plan_id != now.plan_id else Reason.REPRICE


def _limited_sale(batch: Batch, transition: LicenseTransition) -> Event | None:
    """Return the sale of a lifetime plan with a limit, such as the Founders Deal, with the number of licenses left."""
    was, now, plan = transition.value_before, transition.value_after, transition.plan
    is_new_on_plan = now is not None and (was is None or was.plan_id != plan.id)
    if plan.limit is None or not plan.is_lifetime or not is_new_on_plan or transition.returned:
        return None
    remaining = max(0, plan.limit - batch.decision.totals.by_plan[plan.id].licenses)
    license = batch.license_state(transition.license_id)
    license_key = license.fields.get("license_key") if license else None
    return Event(
        key=next(event_keys.limited_sale_keys(license_key, transition.license_id)),
        type=EventType.MILESTONE_REACHED,
        at=transition.at,
        description=catalog.limited_sale(batch.settings.plan_title(plan), remaining, plan.limit, batch.settings.texts),
        customer_id=transition.after.customer_id if transition.after else None,
        license_id=transition.license_id,
        plan_name=plan.name,
        metadata={"founders_remaining": remaining, "license_key": license_key},
    )
