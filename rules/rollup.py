"""The row of a day in the analytics table: a pure function of its movements, its events and the totals.

MRR and ARR are in euros as doubles, because the dashboard formats them so; everything else of ours that is
money ends in `_cents`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rules import days
from rules.model import DocId, Movement, MovementKind, PlanState, Totals
from rules.names import one_line
from rules.settings import Settings

MAX_AUTO_EVENTS = 500
"""A row stays far below the 16 MB limit; the note counts every event, the list holds the first ones."""


@dataclass(slots=True)
class DaySums:
    """What the movements of one day add up to; fed one movement at a time, so a day may have millions."""

    new_customers: int = 0
    one_time_cents: int = 0
    by_kind: dict[MovementKind, list[int]] = field(default_factory=dict)
    mrr_by_customer: dict[DocId, tuple[int, int]] = field(default_factory=dict)

    def add(self, movement: Movement) -> None:
        """Count one movement; they come in ledger order. An opening balance is not the day's own business."""
        if movement.kind is not MovementKind.OPENING:
            self.new_customers += movement.customers > 0
            self.one_time_cents += movement.one_time_cents
        if movement.kind is not MovementKind.NEUTRAL:
            tally = self.by_kind.setdefault(movement.kind, [0, 0])
            tally[0] += 1
            tally[1] += movement.mrr_cents
        if movement.customer_mrr[0] != movement.customer_mrr[1]:
            first, _ = self.mrr_by_customer.get(movement.customer_id, movement.customer_mrr)
            self.mrr_by_customer[movement.customer_id] = (first, movement.customer_mrr[1])

    @property
    def churned_customers(self) -> int:
        """Customers with MRR when the day began and none when it ended."""
        return sum(1 for before, after in self.mrr_by_customer.values() if before > 0 and after == 0)


def row(
    day: date,
    totals: Totals,
    sums: DaySums,
    plans: Mapping[DocId, PlanState],
    settings: Settings,
) -> dict[str, Any]:
    """The numbers of the row of `day`, whose end the `totals` describe. Notes and events are added beside."""
    return {
        "date": days.stored(day),
        "period_type": "daily",
        "total_customers": totals.customers,
        "paying_customers": totals.paying_customers,
        "mrr": totals.mrr_cents / 100,
        "arr": totals.mrr_cents * 12 / 100,
        "new_customers": sums.new_customers,
        "churned_customers": sums.churned_customers,
        "revenue_by_plan": revenue_by_plan(totals, plans),
        "active_licenses": totals.active_licenses,
        "one_time_revenue": sums.one_time_cents / 100,
        "mrr_movements": {
            kind.value: {"count": count, "amount": cents / 100} for kind, (count, cents) in sorted(sums.by_kind.items())
        },
        "zone": str(settings.zone),
    }


def revenue_by_plan(totals: Totals, plans: Mapping[DocId, PlanState]) -> dict[str, dict[str, float | int]]:
    """Per plan name: active licences, and their MRR plus what was sold once, in euros."""
    names: dict[str, list[int]] = {}
    for plan_id, sums in totals.by_plan.items():
        if sums.active or sums.mrr_cents or sums.one_time_cents:
            entry = names.setdefault(plan_key(plans.get(plan_id)), [0, 0])
            entry[0] += sums.mrr_cents + sums.one_time_cents
            entry[1] += sums.active
    return {name: {"revenue": cents / 100, "count": count} for name, (cents, count) in sorted(names.items())}


def plan_key(state: PlanState | None) -> str:
    """A plan's name as a field name the database takes everywhere: no dots, no dollar, never empty."""
    name = state.plan.name if state is not None and state.plan is not None else "unknown"
    return name.replace(".", "_").replace("$", "_").replace("\0", "_")


def auto_event(stored: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """One entry of `auto_events`, in the dashboard's shape, for a stored event (times are aware).

    Texts are bounded, as others may write events too: 500 of them must fit into one row.
    """
    customer_id = stored.get("customer_id")
    return {
        "type": one_line(stored.get("event_type")),
        "description": one_line(stored.get("description")),
        "time": stored["event_date"].astimezone(settings.zone).strftime("%H:%M"),
        "customer_id": None if customer_id is None else str(customer_id),
        "amount": stored.get("amount"),
    }
