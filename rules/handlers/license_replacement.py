"""License replacement: the end of one license and the start of another one are one change of plan.

So are the end and the start of the same license, if it was renewed late or if its deletion was undone: then the end was
none, and its event is withdrawn.

A customer that would have churned, but for another license that started within `plan_change_minutes` before or after,
changed plan. The second of the two transitions finds the first as a `PendingSwitch`. The ledger is append-only: the
line of the first is reversed at its own time (`count` -1) and posted again at the time of the second (`count` 0). So
the day of the first no longer contains it, and the movements of each kind still add up.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from rules.handlers import fact_matching, license_events
from rules.handlers.batch import Batch
from rules.handlers.license_events import LicenseTransition
from rules.model.changes import Change, LicenseValue, Origin
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, Reason
from rules.model.recent import PendingSwitch, RecentActivity
from rules.model.states import CustomerState
from rules.revenue import movements

SWITCH_EVENTS = frozenset(
    (
        EventType.LICENSE_CREATED,
        EventType.LICENSE_ACTIVATED,
        EventType.LICENSE_CANCELLED,
        EventType.LICENSE_EXPIRED,
        EventType.LICENSE_SUSPENDED,
    )
)
"""Event types of a license that becomes active or inactive."""


def find_switch(batch: Batch, change: Change, transition: LicenseTransition) -> PendingSwitch | None:
    """Return the earlier half of a change of plan that the transition completes; None if there is none.

    For a license that starts it is the end of another one, for a license that ends the start of another one.
    """
    is_switch = (transition.starts or transition.ends) and not license_events.customer_changed(transition)
    if change.origin is Origin.BOOTSTRAP or not is_switch:
        return None
    customer = batch.customer_state(transition.owner)
    if customer.recent is None:
        return None
    switch = customer.recent.ended if transition.starts else customer.recent.started
    if switch is None or not _is_near(batch, switch, change):
        return None
    if switch.license_id == transition.license_id and not is_resumed(transition):
        return None
    return switch if transition.starts or _is_only_remaining(customer, switch, transition) else None


def is_resumed(transition: LicenseTransition) -> bool:
    """Return whether a license that ended starts again by a late renewal, or because its deletion was undone."""
    return transition.starts and (transition.returned or license_events.term_moved_later(transition))


def _is_near(batch: Batch, switch: PendingSwitch, change: Change) -> bool:
    minutes = batch.settings.thresholds.plan_change_minutes
    return minutes > 0 and abs(change.at - switch.at) <= timedelta(minutes=minutes)


def _is_only_remaining(customer: CustomerState, started: PendingSwitch, transition: LicenseTransition) -> bool:
    """Return whether the customer would have nothing left after this end without the license in `started`."""
    ended = transition.value_before
    assert ended is not None
    left_cents = customer.mrr_cents - ended.mrr_cents - _mrr(started.after)
    return left_cents == 0 and (ended.mrr_cents > 0 or customer.active_licenses == 2)


def book(batch: Batch, change: Change, transition: LicenseTransition, pending: PendingSwitch, own: Movement) -> None:
    """Reverse the line of `pending`, post it again, and post `own`; the last two with the kind of the whole change."""
    customer = batch.customer_state(transition.owner)
    kind = _kind(customer, pending, own)
    reversal = _line(pending, own, (pending.after, pending.before), count=-1)
    reversal.at, reversal.reason = pending.at, pending.reason
    reposted = _line(pending, own, (pending.before, pending.after), count=0)
    own.reason = reposted.reason = Reason.PLAN_CHANGED
    batch.book(change, reversal, pending.kind)
    # The end is posted before the start, so that no running total exceeds its value before and after.
    for line in (reposted, own) if transition.starts else (own, reposted):
        batch.book(change, line, kind)
    _set_switches(batch, transition, ended=None, started=None)


def _kind(customer: CustomerState, pending: PendingSwitch, own: Movement) -> MovementKind:
    """Return the kind of the whole change, from the customer's MRR before the first half and after the second."""
    was = customer.mrr_cents - _mrr(pending.after) + _mrr(pending.before)
    now = customer.mrr_cents - _mrr(own.before) + _mrr(own.after)
    return movements.kind(was, now, customer.ever_mrr and pending.kind is not MovementKind.NEW)


def _line(
    pending: PendingSwitch, own: Movement, values: tuple[LicenseValue | None, LicenseValue | None], count: int
) -> Movement:
    before, after = values
    return replace(
        own,
        license_id=pending.license_id,
        plan_id=(after or before or movements.NO_LICENSE).plan_id,
        one_time_cents=0,
        before=before,
        after=after,
        count=count,
    )


def events(batch: Batch, transition: LicenseTransition, pending: PendingSwitch) -> Iterator[Event]:
    """Yield the events of the second half, with the change of plan in place of its start or end.

    Withdraws the event of the first half. A license that resumes has no start of its own, only a renewal if its term
    moved. If the two plans do not differ in price or order there is no change of plan:
    the event of the new license is kept, that of the end of the old one is not.
    """
    plan_change = next(_plan_change(batch, transition, pending), None)
    if plan_change or transition.starts:
        batch.withdraw(pending.key, pending.at)
        fact_matching.forget_key(batch, transition.owner, pending.key)
    is_same_license = pending.license_id == transition.license_id
    if is_same_license and not plan_change and license_events.term_moved_later(transition):
        yield license_events.license_event(transition, EventType.LICENSE_RENEWED, transition.plan)
    for event in license_events.events(transition):
        if event.type not in SWITCH_EVENTS:
            yield event
        elif plan_change:
            yield plan_change
        elif transition.starts and not is_same_license:
            yield event


def _plan_change(batch: Batch, transition: LicenseTransition, pending: PendingSwitch) -> Iterator[Event]:
    """Yield the change from the plan of the license that ended to the plan of the remaining license."""
    value = pending.before if transition.starts else pending.after
    assert value is not None
    other = batch.plan_of(value.plan_id)
    if transition.starts:
        ended, remaining, old, new = pending.license_id, transition.license_id, other, transition.plan
    else:
        ended, remaining, new = transition.license_id, pending.license_id, other
        old = transition.plan_before or transition.plan
    facts: dict[str, object] = {} if ended == remaining else {"previous_license": ended}
    yield from license_events.plan_change(transition, old, new, remaining, facts)


def remember(batch: Batch, change: Change, transition: LicenseTransition, booked: Movement, key: str) -> None:
    """Remember a transition that may be the first half of a change of plan: a churn, or an additional license."""
    if change.origin is Origin.BOOTSTRAP:
        return
    license_id = transition.license_id
    customer = batch.customer_state(transition.owner)
    known = customer.recent or RecentActivity()
    switch = PendingSwitch(booked.at, license_id, booked.kind, booked.reason, key, booked.before, booked.after)
    if transition.starts:
        _set_switches(batch, transition, ended=None, started=switch if customer.active_licenses > 1 else None)
        return
    started = None if known.started is not None and known.started.license_id == license_id else known.started
    ended = switch if _churned(batch, change, customer, booked) else known.ended
    _set_switches(batch, transition, ended=ended, started=started)


def _churned(batch: Batch, change: Change, customer: CustomerState, booked: Movement) -> bool:
    """Return whether an end left the customer with nothing: no MRR, or (if it had none) no active license.

    The end of a license without MRR does not count shortly after the end of a license with MRR.
    """
    if customer.mrr_cents > 0 or booked.mrr_cents < 0:
        return customer.mrr_cents == 0
    last = customer.recent.ended if customer.recent else None
    is_last = last is None or _mrr(last.before) == 0 or not _is_near(batch, last, change)
    return customer.active_licenses == 0 and is_last


def forget(batch: Batch, transition: LicenseTransition) -> None:
    """Remove the pending switches of a license that moved to another customer."""
    assert transition.before is not None
    customer = batch.customer_state(transition.before.customer_id)
    if customer.recent is None:
        return
    ended, started = (
        None if switch is not None and switch.license_id == transition.license_id else switch
        for switch in (customer.recent.ended, customer.recent.started)
    )
    batch.set_recent(customer, customer.recent._replace(ended=ended, started=started))


def _set_switches(
    batch: Batch, transition: LicenseTransition, ended: PendingSwitch | None, started: PendingSwitch | None
) -> None:
    customer = batch.customer_state(transition.owner)
    if customer.recent is not None or ended is not None or started is not None:
        batch.set_recent(customer, (customer.recent or RecentActivity())._replace(ended=ended, started=started))


def _mrr(value: LicenseValue | None) -> int:
    return value.mrr_cents if value is not None else 0
