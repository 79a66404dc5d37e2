"""License replacement: the end of one license and the start of another one are one change of plan.

So are the end and the start of the same license, if it was renewed late or if its suspension or deletion was undone:
then the end was none, and its event is withdrawn. A deleted license that returns to another customer has moved.

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
from rules.model.changes import Change, DocId, LicenseValue, Origin
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

MAX_ENDED = 20
"""Remembered ends per customer; ends beyond the last ones are ordinary ends."""


def find_switch(batch: Batch, change: Change, transition: LicenseTransition) -> PendingSwitch | None:
    """Return the earlier half of a change that the transition completes; None if there is none.

    For a license that starts it is its own end or that of another license, for one that ends the start of another one.
    """
    if change.origin is Origin.BOOTSTRAP:
        return None
    if transition.starts:
        return _ended(batch, change, transition)
    if not transition.ends or license_events.customer_changed(transition):
        return None
    customer = batch.customer_state(transition.owner)
    started = customer.recent.started if customer.recent else None
    if started is None or started.license_id == transition.license_id:
        return None
    is_replaced = _is_near(batch, started, change) and _is_only_remaining(customer, started, transition)
    return started if is_replaced else None


def _ended(batch: Batch, change: Change, transition: LicenseTransition) -> PendingSwitch | None:
    """Return the end that a start undoes or replaces: preferably the end of the same license.

    A license without MRR that resumes does not undo the churn of another one: then it replaces that one.
    """
    own = _own_end(batch, change, transition) if is_resumed(transition) else None
    if has_moved(transition, own):
        return own
    other = _replaced_end(batch, change, transition)
    assert transition.value_after is not None
    return own if own is not None and (other is None or transition.value_after.mrr_cents > 0) else other


def is_resumed(transition: LicenseTransition) -> bool:
    """Return whether a license that ended starts again: renewed late, or its suspension or deletion was undone."""
    was_suspended = transition.before is not None and transition.before.status in license_events.SUSPENDED
    return transition.returned or was_suspended or license_events.term_moved_later(transition)


def has_moved(transition: LicenseTransition, pending: PendingSwitch | None) -> bool:
    """Return whether a license that was deleted returns to another customer than it had."""
    is_own = pending is not None and pending.license_id == transition.license_id
    return is_own and transition.returned and transition.former_owner != transition.owner


def _own_end(batch: Batch, change: Change, transition: LicenseTransition) -> PendingSwitch | None:
    """Return the end of the license itself; for another customer only its deletion, if it returns to it now."""
    ends = _near_ends(batch, change, transition.former_owner)
    own = (end for end in ends if end.license_id == transition.license_id)
    stays = transition.former_owner == transition.owner
    return next((end for end in own if stays or (transition.returned and end.after is None)), None)


def _replaced_end(batch: Batch, change: Change, transition: LicenseTransition) -> PendingSwitch | None:
    """Return the end that left the customer with nothing: no MRR, or (if it had none) no active license."""
    customer = batch.customer_state(transition.owner)
    ends = _near_ends(batch, change, transition.owner)
    churns = [end for end in ends if end.kind is MovementKind.CHURN] if customer.mrr_cents == 0 else []
    last = (churns or ends)[-1:] if churns or customer.active_licenses == 0 else []
    return next((end for end in last if end.license_id != transition.license_id), None)


def _near_ends(batch: Batch, change: Change, owner: DocId) -> list[PendingSwitch]:
    recent = batch.customer_state(owner).recent
    return [end for end in recent.ended if _is_near(batch, end, change)] if recent is not None else []


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
    if has_moved(transition, pending):
        _book_moved(batch, change, transition, pending, own)
        return
    kind = _kind(batch.customer_state(transition.owner), pending, own)
    reposted = _line(pending, own, (pending.before, pending.after), count=0)
    own.reason = reposted.reason = Reason.PLAN_CHANGED
    _correct_churn(batch, change, transition, pending, own)
    batch.book(change, _reversal(pending, own), pending.kind)
    # The end is posted before the start, so that no running total exceeds its value before and after.
    for line in (reposted, own) if transition.starts else (own, reposted):
        batch.book(change, line, kind)
    _forget_paired(batch, transition, pending)


def _book_moved(
    batch: Batch, change: Change, transition: LicenseTransition, pending: PendingSwitch, own: Movement
) -> None:
    """Reverse the end of a deleted license, move it to the customer to which it returned, and post any difference."""
    assert pending.before is not None
    batch.book(change, replace(_reversal(pending, own), customer_id=transition.former_owner), pending.kind)
    move(batch, change, own, transition.former_owner, pending.before, count=0)
    own.before, own.reason = pending.before, Reason.PLAN_CHANGED
    if own.before != own.after or own.one_time_cents:
        batch.book(change, own)
    forget(batch, transition.former_owner, pending.license_id)


def move(
    batch: Batch, change: Change, own: Movement, former_owner: DocId, value: LicenseValue, *, count: int = 1
) -> None:
    """Post the move of a license from its former customer to that of `own`: no MRR is lost or won."""
    sides = ((former_owner, value, None, count), (own.customer_id, None, value, 1))
    for customer_id, before, after, number in sides:
        line = replace(own, customer_id=customer_id, before=before, after=after, count=number)
        line.plan_id, line.reason, line.one_time_cents = value.plan_id, Reason.LICENSE_MOVED, 0
        batch.book(change, line, MovementKind.NEUTRAL)


def _correct_churn(
    batch: Batch, change: Change, transition: LicenseTransition, pending: PendingSwitch, own: Movement
) -> None:
    """Post the churn by the end of another license again as a contraction, if the customer has MRR again.

    So it is if a license resumes that ended before the last one.
    """
    customer = batch.customer_state(transition.owner)
    is_back = pending.license_id == transition.license_id and customer.mrr_cents == 0 and _mrr(own.after) > 0
    ends = _near_ends(batch, change, transition.owner) if is_back else []
    churn = next((end for end in reversed(ends) if end.kind is MovementKind.CHURN), None)
    if customer.recent is None or churn is None or churn.license_id == pending.license_id:
        return
    corrected = _line(churn, own, (churn.before, churn.after), count=1)
    corrected.at, corrected.reason = churn.at, churn.reason
    batch.book(change, _reversal(churn, own), churn.kind)
    batch.book(change, corrected, MovementKind.CONTRACTION)
    ended = (end._replace(kind=corrected.kind) if end == churn else end for end in customer.recent.ended)
    _set_switches(batch, transition.owner, tuple(ended), customer.recent.started)


def _reversal(pending: PendingSwitch, own: Movement) -> Movement:
    reversal = _line(pending, own, (pending.after, pending.before), count=-1)
    reversal.at, reversal.reason = pending.at, pending.reason
    return reversal


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
    if pending.key and (plan_change or transition.starts):
        owner = transition.former_owner if has_moved(transition, pending) else transition.owner
        fact_matching.correct(batch, owner, pending.key, pending.at)
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
    """Remember a transition that may be the first half of a change: an end, or the start of an additional license."""
    if change.origin is Origin.BOOTSTRAP:
        return
    license_id = transition.license_id
    customer = batch.customer_state(transition.owner)
    started = customer.recent.started if customer.recent is not None else None
    ended = [end for end in _near_ends(batch, change, transition.owner) if end.license_id != license_id]
    switch = PendingSwitch(booked.at, license_id, booked.kind, booked.reason, key, booked.before, booked.after)
    if transition.starts:
        started = switch if customer.active_licenses > 1 else None
    else:
        ended = [*ended, switch][-MAX_ENDED:]
        started = None if started is not None and started.license_id == license_id else started
    _set_switches(batch, transition.owner, tuple(ended), started)


def forget(batch: Batch, customer_id: DocId, license_id: DocId) -> None:
    """Remove the pending switches of a license, such as one that moved to another customer."""
    recent = batch.customer_state(customer_id).recent
    if recent is None:
        return
    started = None if recent.started is not None and recent.started.license_id == license_id else recent.started
    ended = tuple(end for end in recent.ended if end.license_id != license_id)
    _set_switches(batch, customer_id, ended, started)


def forget_event(batch: Batch, customer_id: DocId, key: str) -> None:
    """Remove the key of a start whose event was withdrawn, because an external event reports it."""
    recent = batch.customer_state(customer_id).recent
    if recent is not None and recent.started is not None and recent.started.key == key:
        _set_switches(batch, customer_id, recent.ended, recent.started._replace(key=""))


def _forget_paired(batch: Batch, transition: LicenseTransition, pending: PendingSwitch) -> None:
    """Remove both halves of a change; a license that resumes leaves the last additional license."""
    recent = batch.customer_state(transition.owner).recent
    assert recent is not None, "a pending switch is remembered by its customer"
    paired = (pending.license_id, transition.license_id)
    ended = tuple(end for end in recent.ended if end.license_id not in paired)
    is_same = pending.license_id == transition.license_id
    _set_switches(batch, transition.owner, ended, recent.started if is_same else None)


def _set_switches(
    batch: Batch, customer_id: DocId, ended: tuple[PendingSwitch, ...], started: PendingSwitch | None
) -> None:
    customer = batch.customer_state(customer_id)
    if customer.recent is not None or ended or started is not None:
        batch.set_recent(customer, (customer.recent or RecentActivity())._replace(ended=ended, started=started))


def _mrr(value: LicenseValue | None) -> int:
    return value.mrr_cents if value is not None else 0
