"""One licence takes the place of another: the end of one and the start of the other are one change of plan.

A customer that would have churned, had not another licence of its own begun shortly before or after, moved to another
plan. Whichever comes second finds what was booked and told of the first. The ledger is only ever added to: the first
line is taken back at its own time (`count` -1) and booked again at the time of the second (`count` 0), so that the day
of the first is told without it, and all movements of a kind still add up.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from rules.handlers import license_events
from rules.handlers.batch import Batch
from rules.handlers.license_events import LicenseTransition
from rules.model.changes import Change, LicenseValue, Origin
from rules.model.events import Event, EventType
from rules.model.ledger import Movement, MovementKind, Reason
from rules.model.recent import PendingSwitch, RecentActivity
from rules.model.states import CustomerState
from rules.revenue import movements

SWINGS = frozenset(
    (
        EventType.LICENSE_CREATED,
        EventType.LICENSE_ACTIVATED,
        EventType.LICENSE_CANCELLED,
        EventType.LICENSE_EXPIRED,
        EventType.LICENSE_SUSPENDED,
    )
)
"""What is told of a licence that turns on or off."""


def first_half(batch: Batch, change: Change, turn: LicenseTransition) -> PendingSwitch | None:
    """The end whose place the licence takes that starts now, or the start that took the place of the one that ends."""
    if change.origin is Origin.BOOTSTRAP or not (turn.starts or turn.ends) or license_events.changed_hands(turn):
        return None
    customer = batch.customer_state(turn.owner)
    if customer.recent is None:
        return None
    swing = customer.recent.ended if turn.starts else customer.recent.begun
    if swing is None or swing.license_id == turn.license_id or not _is_near(batch, swing, change):
        return None
    return swing if turn.starts or _is_all_that_stays(customer, swing, turn) else None


def _is_near(batch: Batch, swing: PendingSwitch, change: Change) -> bool:
    minutes = batch.settings.thresholds.plan_change_minutes
    return minutes > 0 and abs(change.at - swing.at) <= timedelta(minutes=minutes)


def _is_all_that_stays(customer: CustomerState, begun: PendingSwitch, turn: LicenseTransition) -> bool:
    """Whether this end would have left the customer with nothing, but for the licence that began."""
    assert turn.was is not None
    left = customer.mrr_cents - turn.was.mrr_cents - _mrr(begun.after)
    return left == 0 and (turn.was.mrr_cents > 0 or customer.active_licenses == 2)


def book(batch: Batch, change: Change, turn: LicenseTransition, first: PendingSwitch, own: Movement) -> None:
    """Take back the first half's line, book it again, and book `own`, the second half's, all of the whole's kind."""
    customer = batch.customer_state(turn.owner)
    kind = _kind(customer, first, own)
    back = _line(first, own, (first.after, first.before), count=-1)
    back.at, back.reason = first.at, first.reason
    again = _line(first, own, (first.before, first.after), count=0)
    own.reason = again.reason = Reason.PLAN_CHANGED
    batch.book(change, back, first.kind)
    for line in (again, own) if turn.starts else (own, again):  # never more at once than there was or will be
        batch.book(change, line, kind)
    _note(batch, turn, ended=None, begun=None)


def _kind(customer: CustomerState, first: PendingSwitch, own: Movement) -> MovementKind:
    """Of the whole, by the customer's MRR before the first half and after the second."""
    was = customer.mrr_cents - _mrr(first.after) + _mrr(first.before)
    now = customer.mrr_cents - _mrr(own.before) + _mrr(own.after)
    return movements.kind(was, now, customer.ever_mrr and first.kind is not MovementKind.NEW)


def _line(
    first: PendingSwitch, own: Movement, worths: tuple[LicenseValue | None, LicenseValue | None], count: int
) -> Movement:
    before, after = worths
    return replace(
        own,
        license_id=first.license_id,
        plan_id=(after or before or movements.NOTHING).plan_id,
        one_time_cents=0,
        before=before,
        after=after,
        count=count,
    )


def events(batch: Batch, turn: LicenseTransition, first: PendingSwitch) -> Iterator[Event]:
    """What is told of the second half, the change of plan in place of the turn; what the first half told is withdrawn.

    Plans that nothing tells apart are no change: the new licence is told then, and the end of the old one is not.
    """
    changed = next(_plan_change(batch, turn, first), None)
    if changed or turn.starts:
        batch.withdraw(first.key, first.at)
    for event in license_events.events(turn):
        if event.type not in SWINGS:
            yield event
        elif changed:
            yield changed
        elif turn.starts:
            yield event


def _plan_change(batch: Batch, turn: LicenseTransition, first: PendingSwitch) -> Iterator[Event]:
    """From the plan of the licence that ended to that of the one that stays, about the latter."""
    worth = first.before if turn.starts else first.after
    assert worth is not None
    other = batch.plan_of(worth.plan_id)
    if turn.starts:
        facts = {"previous_license": first.license_id}
        yield from license_events.plan_change(turn, other, turn.plan, turn.license_id, facts)
    else:
        facts = {"previous_license": turn.license_id}
        yield from license_events.plan_change(turn, turn.plan_before or turn.plan, other, first.license_id, facts)


def remember(batch: Batch, change: Change, turn: LicenseTransition, booked: Movement, key: str) -> None:
    """Keep in mind what another licence may make half of a change of plan: a churn, or a further licence's start."""
    if change.origin is Origin.BOOTSTRAP:
        return
    customer = batch.customer_state(turn.owner)
    known = customer.recent or RecentActivity()
    swing = PendingSwitch(booked.at, turn.license_id, booked.kind, booked.reason, key, booked.before, booked.after)
    if turn.starts:
        _note(batch, turn, ended=None, begun=swing if customer.active_licenses > 1 else None)
        return
    begun = None if known.begun is not None and known.begun.license_id == turn.license_id else known.begun
    _note(batch, turn, ended=swing if _churned(batch, change, customer, booked) else known.ended, begun=begun)


def _churned(batch: Batch, change: Change, customer: CustomerState, booked: Movement) -> bool:
    """Whether an end left the customer with nothing; one without MRR does not count behind one with, just before."""
    if customer.mrr_cents > 0 or booked.mrr_cents < 0:
        return customer.mrr_cents == 0
    last = customer.recent.ended if customer.recent else None
    is_last = last is None or _mrr(last.before) == 0 or not _is_near(batch, last, change)
    return customer.active_licenses == 0 and is_last


def forget(batch: Batch, turn: LicenseTransition) -> None:
    """A licence that changed hands is nobody's half any more."""
    assert turn.before is not None
    customer = batch.customer_state(turn.before.customer_id)
    if customer.recent is None:
        return
    ended, begun = (
        None if swing is not None and swing.license_id == turn.license_id else swing
        for swing in (customer.recent.ended, customer.recent.begun)
    )
    batch.set_recent(customer, customer.recent._replace(ended=ended, begun=begun))


def _note(batch: Batch, turn: LicenseTransition, ended: PendingSwitch | None, begun: PendingSwitch | None) -> None:
    customer = batch.customer_state(turn.owner)
    if customer.recent is not None or ended is not None or begun is not None:
        batch.set_recent(customer, (customer.recent or RecentActivity())._replace(ended=ended, begun=begun))


def _mrr(worth: LicenseValue | None) -> int:
    return worth.mrr_cents if worth is not None else 0
