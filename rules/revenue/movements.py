"""MRR movements per customer, and the totals they add up to.

The five kinds are ChartMogul's (help.chartmogul.com, "MRR movements"). They compare a customer's MRR before and after,
so canceling one of two licenses is a contraction, and only canceling the last one is churn.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from rules.model.changes import DocId, LicenseValue
from rules.model.ledger import Movement, MovementKind, PlanTotals, Reason, Totals
from rules.model.states import CustomerState

TOTALS = ("customers", "paying_customers", "subscribers", "active_licenses", "mrr_cents", "one_time_cents")
NO_LICENSE = LicenseValue(None, False, 0, False)


def kind(before_cents: int, after_cents: int, ever_mrr: bool) -> MovementKind:
    """Return the kind of a change of a customer's MRR; `ever_mrr`: the customer had MRR before."""
    if before_cents == after_cents:
        return MovementKind.NEUTRAL
    if before_cents == 0:
        return MovementKind.REACTIVATION if ever_mrr else MovementKind.NEW
    if after_cents == 0:
        return MovementKind.CHURN
    return MovementKind.EXPANSION if after_cents > before_cents else MovementKind.CONTRACTION


def complete(movement: Movement, customer: CustomerState) -> CustomerState:
    """Fill in a license movement's deltas from its `before` and `after`, in place; return the customer's next state."""
    was, now = movement.before or NO_LICENSE, movement.after or NO_LICENSE
    movement.mrr_cents = now.mrr_cents - was.mrr_cents
    movement.active_licenses = now.active - was.active
    movement.licenses = (movement.after is not None) - (movement.before is not None)
    mrr = customer.mrr_cents + movement.mrr_cents
    paid = customer.paid_licenses + now.paid - was.paid
    movement.paying_customers = (paid > 0) - (customer.paid_licenses > 0)
    movement.kind = kind(customer.mrr_cents, mrr, customer.ever_mrr)
    movement.customer_mrr = (customer.mrr_cents, mrr)
    movement.subscribers = (mrr > 0) - (customer.mrr_cents > 0)
    return CustomerState(
        id=customer.id,
        fields=customer.fields,
        present=customer.present,
        deleted=customer.deleted,
        mrr_cents=mrr,
        active_licenses=customer.active_licenses + movement.active_licenses,
        paid_licenses=paid,
        ever_mrr=customer.ever_mrr or mrr > 0,
        recent=customer.recent,
    )


def add(totals: Totals, movement: Movement) -> None:
    """Add one movement to the totals, in place."""
    totals.customers += movement.customers
    totals.paying_customers += movement.paying_customers
    totals.subscribers += movement.subscribers
    totals.active_licenses += movement.active_licenses
    totals.mrr_cents += movement.mrr_cents
    totals.one_time_cents += movement.one_time_cents
    if movement.one_time_cents:
        _plan(totals, movement.plan_id).one_time_cents += movement.one_time_cents
    if movement.kind is MovementKind.OPENING:
        _add_to_plan(totals, movement.plan_id, movement.licenses, movement.active_licenses, movement.mrr_cents)
        return
    if movement.before is not None:
        _add_to_plan(totals, movement.before.plan_id, -1, -movement.before.active, -movement.before.mrr_cents)
    if movement.after is not None:
        _add_to_plan(totals, movement.after.plan_id, 1, movement.after.active, movement.after.mrr_cents)


def _plan(totals: Totals, plan_id: DocId) -> PlanTotals:
    found = totals.by_plan.get(plan_id)
    if found is None:
        found = totals.by_plan[plan_id] = PlanTotals()
    return found


def _add_to_plan(totals: Totals, plan_id: DocId, licenses: int, active: int, mrr_cents: int) -> None:
    if licenses or active or mrr_cents:
        plan = _plan(totals, plan_id)
        plan.licenses += licenses
        plan.active += active
        plan.mrr_cents += mrr_cents


def combined(totals: Totals, by: Totals, sign: int = 1) -> Totals:
    """Return `totals` plus `by`, or minus `by` with a `sign` of -1; neither argument changes."""
    result = copy(totals)
    add_totals(result, by, sign)
    return result


def add_totals(totals: Totals, by: Totals, sign: int = 1) -> None:
    """Add `by` to `totals`, or subtract it with a `sign` of -1, in place."""
    for name in TOTALS:
        setattr(totals, name, getattr(totals, name) + sign * getattr(by, name))
    for plan_id, plan in by.by_plan.items():
        own = _plan(totals, plan_id)
        own.licenses += sign * plan.licenses
        own.active += sign * plan.active
        own.mrr_cents += sign * plan.mrr_cents
        own.one_time_cents += sign * plan.one_time_cents


def copy(totals: Totals) -> Totals:
    """Return a deep copy."""
    return replace(totals, by_plan={plan_id: replace(plan) for plan_id, plan in totals.by_plan.items()})


def opening_lines_of(movement: Movement) -> Iterator[Movement]:
    """Yield a movement as lines of an opening balance, one per plan that it changes."""
    before, after = movement.before, movement.after
    moves = before is not None and after is not None and before.plan_id != after.plan_id
    if before is not None and moves:
        left = Movement(movement.at, MovementKind.OPENING, movement.reason, movement.cause, plan_id=before.plan_id)
        left.licenses, left.active_licenses, left.mrr_cents = -1, -before.active, -before.mrr_cents
        yield left
    joined = replace(movement, kind=MovementKind.OPENING, before=None, after=None)
    if after is not None and moves:
        joined.licenses, joined.active_licenses, joined.mrr_cents = 1, after.active, after.mrr_cents
    yield joined


def add_to_opening(opening: Movement, movement: Movement) -> None:
    """Add the first balance of a license to the opening line of its plan, in place."""
    opening.customers += movement.customers
    opening.paying_customers += movement.paying_customers
    opening.subscribers += movement.subscribers
    opening.active_licenses += movement.active_licenses
    opening.mrr_cents += movement.mrr_cents
    opening.one_time_cents += movement.one_time_cents
    opening.licenses += movement.licenses


def opening_lines(totals: Totals, at: datetime, cause: str) -> list[Movement]:
    """Return totals as lines of an opening balance: one per plan, and one for the amounts without a plan."""
    lines = [
        Movement(
            at,
            MovementKind.OPENING,
            Reason.RETENTION,
            cause,
            plan_id=plan_id,
            licenses=plan.licenses,
            active_licenses=plan.active,
            mrr_cents=plan.mrr_cents,
            one_time_cents=plan.one_time_cents,
        )
        for plan_id, plan in totals.by_plan.items()
        if plan != PlanTotals()
    ]
    rest = Movement(at, MovementKind.OPENING, Reason.RETENTION, cause)
    for name in TOTALS:
        setattr(rest, name, getattr(totals, name) - sum(getattr(line, name) for line in lines))
    return [*lines, rest]
