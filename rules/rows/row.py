"""The row of a day or a month in the analytics table: a pure function of its flows, its events and the totals.

Money is in euros as doubles, as the dashboard's own fields are. A number that is undefined is None. docs/rows.md lists
every field; a test holds it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rules import business_days
from rules.model.changes import DocId
from rules.model.ledger import MovementKind, Totals
from rules.model.states import PlanState
from rules.revenue import rates
from rules.revenue.day_sums import MRR_KINDS, DaySums, KindSum
from rules.revenue.rates import Rates, Start
from rules.rows.period_data import PeriodData
from rules.rows.periods import Period
from rules.settings.settings import Settings
from rules.text import one_line

MAX_AUTO_EVENTS = 500
"""A row stays far below the 16 MB limit; the note counts every event, the list holds the first ones."""

DASHBOARD_NUMBERS = (
    "total_customers",
    "paying_customers",
    "mrr",
    "arr",
    "new_customers",
    "churned_customers",
    "revenue_by_plan",
)
OUR_NUMBERS = (
    "active_licenses",
    "subscribers",
    "reactivated_customers",
    "one_time_revenue",
    "mrr_movements",
    "arpa",
    *Rates._fields,
)
NUMBERS = DASHBOARD_NUMBERS + OUR_NUMBERS


def row(period: Period, books: PeriodData, plans: Mapping[DocId, PlanState], settings: Settings) -> dict[str, Any]:
    """The numbers of the row of `period`. Notes and events are added beside."""
    totals, flows = books.totals, books.flows
    return {
        "date": business_days.stored(period.first),
        "period_type": period.kind.value,
        "total_customers": totals.customers,
        "paying_customers": totals.paying_customers,
        "mrr": totals.mrr_cents / 100,
        "arr": totals.mrr_cents * 12 / 100,
        "new_customers": flows.new_customers,
        "churned_customers": flows.churned_customers,
        "revenue_by_plan": revenue_by_plan(totals, plans, end(period, settings)),
        "active_licenses": totals.active_licenses,
        "subscribers": totals.subscribers,
        "reactivated_customers": flows.reactivated_customers,
        "one_time_revenue": flows.one_time_cents / 100,
        "mrr_movements": mrr_movements(flows),
        "arpa": rates.arpa(totals.mrr_cents, totals.subscribers),
        **looked_back(totals, books.looked_back)._asdict(),
        "rates_days": period.rates_days,
        "measured_from": books.measured_from,
        "zone": str(settings.zone),
    }


def end(period: Period, settings: Settings) -> datetime:
    """The instant a period ends: the next one's begin."""
    return business_days.start(period.last + business_days.ONE_DAY, settings.zone)


def looked_back(totals: Totals, flows: DaySums | None) -> Rates:
    """The rates of the time that `flows` sum up and `totals` end; all None where it is not known whole."""
    return Rates() if flows is None else rates.of(start(totals, flows), flows)


def start(totals: Totals, flows: DaySums) -> Start:
    """How the time began that `flows` sum up and `totals` end."""
    return Start(totals.subscribers - flows.subscribers, totals.mrr_cents - flows.mrr_cents)


def mrr_movements(flows: DaySums) -> dict[str, dict[str, float | int]]:
    """The five kinds, always; and the opening balance, on the day the ledger began."""
    kinds = (*MRR_KINDS, *(kind for kind in (MovementKind.OPENING,) if kind in flows.by_kind))
    sums = {kind.value: flows.by_kind.get(kind, KindSum()) for kind in kinds}
    return {kind: {"count": count, "amount": cents / 100} for kind, (count, cents) in sums.items()}


def revenue_by_plan(
    totals: Totals, plans: Mapping[DocId, PlanState], at: datetime | None = None
) -> dict[str, dict[str, float | int]]:
    """Per plan, by its name at `at` or now: active licences, and their MRR plus what was sold once, in euros."""
    names: dict[str, list[int]] = {}
    for plan_id, sums in totals.by_plan.items():
        if sums.active or sums.mrr_cents or sums.one_time_cents:
            entry = names.setdefault(plan_key(plans.get(plan_id), at), [0, 0])
            entry[0] += sums.mrr_cents + sums.one_time_cents
            entry[1] += sums.active
    return {name: {"revenue": cents / 100, "count": count} for name, (cents, count) in sorted(names.items())}


def plan_key(state: PlanState | None, at: datetime | None = None) -> str:
    """A plan's name at `at`, or now, as a field name the database takes everywhere: no dots, no dollar, never empty."""
    name = (state.name_at(at) if state is not None else None) or "unknown"
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
