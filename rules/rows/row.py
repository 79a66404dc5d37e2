"""The row of a day or a month in the analytics table: a pure function of its sums, its events and the totals.

Money is in euros as doubles, as in the dashboard's own fields. An undefined number is None. docs/rows.md lists every
field; a test checks that.
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
from rules.text import note_text

MAX_AUTO_EVENTS = 500
"""Keeps a row far below the 16 MB limit; the note counts all events, the list holds the first ones."""

DASHBOARD_NUMBERS = (
    "total_customers",
    "paying_customers",
    "mrr",
    "arr",
    "new_customers",
    "churned_customers",
    "revenue_by_plan",
)
OWN_NUMBERS = (
    "active_licenses",
    "subscribers",
    "reactivated_customers",
    "one_time_revenue",
    "mrr_movements",
    "arpa",
    *Rates._fields,
)
NUMBERS = DASHBOARD_NUMBERS + OWN_NUMBERS


def row(period: Period, data: PeriodData, plans: Mapping[DocId, PlanState], settings: Settings) -> dict[str, Any]:
    """Return the numbers of the row of `period`, without notes and events."""
    totals, sums = data.totals, data.sums
    return {
        "date": business_days.stored(period.first),
        "period_type": period.kind.value,
        "total_customers": totals.customers,
        "paying_customers": totals.paying_customers,
        "mrr": totals.mrr_cents / 100,
        "arr": totals.mrr_cents * 12 / 100,
        "new_customers": sums.new_customers,
        "churned_customers": sums.churned_customers,
        "revenue_by_plan": revenue_by_plan(totals, plans, end(period, settings)),
        "active_licenses": totals.active_licenses,
        "subscribers": totals.subscribers,
        "reactivated_customers": sums.reactivated_customers,
        "one_time_revenue": sums.one_time_cents / 100,
        "mrr_movements": mrr_movements(sums),
        "arpa": rates.arpa(totals.mrr_cents, totals.subscribers),
        **period_rates(totals, data.rates_sums)._asdict(),
        "rates_days": period.rates_days,
        "measured_from": data.measured_from,
        "zone": str(settings.zone),
    }


def end(period: Period, settings: Settings) -> datetime:
    """Return the instant at which a period ends and the next one begins."""
    return business_days.start(period.last + business_days.ONE_DAY, settings.zone)


def period_rates(totals: Totals, sums: DaySums | None) -> Rates:
    """Return the rates of the days summed in `sums`, with `totals` at their end; all None if `sums` is None."""
    return Rates() if sums is None else rates.of(start(totals, sums), sums)


def start(totals: Totals, sums: DaySums) -> Start:
    """Return the balances at the start of the days summed in `sums`, with `totals` at their end."""
    return Start(totals.subscribers - sums.subscribers, totals.mrr_cents - sums.mrr_cents)


def mrr_movements(sums: DaySums) -> dict[str, dict[str, float | int]]:
    """Return count and amount (euros) of the five kinds, and of the opening balance if the period includes it."""
    kinds = (*MRR_KINDS, *(kind for kind in (MovementKind.OPENING,) if kind in sums.by_kind))
    by_kind = {kind.value: sums.by_kind.get(kind, KindSum()) for kind in kinds}
    return {kind: {"count": count, "amount": cents / 100} for kind, (count, cents) in by_kind.items()}


def revenue_by_plan(
    totals: Totals, plans: Mapping[DocId, PlanState], at: datetime | None = None
) -> dict[str, dict[str, float | int]]:
    """Return per plan name the number of active licenses and their MRR plus one-time sales, in euros.

    A plan has its name at `at` (None: the current one); plans of equal name are added up.
    """
    names: dict[str, list[int]] = {}
    for plan_id, sums in totals.by_plan.items():
        if sums.active or sums.mrr_cents or sums.one_time_cents:
            entry = names.setdefault(plan_key(plans.get(plan_id), at), [0, 0])
            entry[0] += sums.mrr_cents + sums.one_time_cents
            entry[1] += sums.active
    return {name: {"revenue": cents / 100, "count": count} for name, (cents, count) in sorted(names.items())}


def plan_key(state: PlanState | None, at: datetime | None = None) -> str:
    """Return a plan's name at `at` (None: now) as a valid MongoDB field name: no dots, no dollar, never empty."""
    name = (state.name_at(at) if state is not None else None) or "unknown"
    return name.replace(".", "_").replace("$", "_").replace("\0", "_")


def auto_event(stored: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the entry of `auto_events`, in the dashboard's shape, for a stored event (aware times).

    The length of texts is limited because events may be external: 500 of them must fit into one row. They have no
    e-mail addresses and no license keys, and the dashboard can show them.
    """
    customer_id = stored.get("customer_id")
    return {
        "type": note_text(stored.get("event_type")),
        "description": note_text(stored.get("description")),
        "time": stored["event_date"].astimezone(settings.zone).strftime("%H:%M"),
        "customer_id": None if customer_id is None else str(customer_id),
        "amount": stored.get("amount"),
    }


def is_comparable(row: Mapping[str, Any]) -> bool:
    """Whether a row was counted by our rules: the dashboard's rows count free and lifetime licenses differently."""
    return row.get("active_licenses") is not None


def are_comparable(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two rows were counted by the same rules."""
    return is_comparable(before) == is_comparable(after)
