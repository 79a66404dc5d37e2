"""Business metrics: totals and rates as of the last commit, exported by the leader only."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.runtime.metrics import PREFIX, REGISTRY
from rules.model.changes import DocId
from rules.model.ledger import PlanTotals, Totals
from rules.model.states import PlanState
from rules.revenue import rates
from rules.rows import number_values

RATES = {
    "customer_churn_ratio": (
        "customer_churn_rate",
        "Customers that churned in the last 30 days as a share of the subscribers before.",
    ),
    "revenue_churn_ratio": (
        "revenue_churn_rate",
        "MRR lost by churn and contraction in the last 30 days as a share of the MRR before.",
    ),
    "net_revenue_retention_ratio": (
        "net_revenue_retention",
        "MRR kept in the last 30 days, with expansion and reactivation, as a share of the MRR before.",
    ),
    "gross_revenue_retention_ratio": (
        number_values.GROSS_RETENTION,
        "MRR kept in the last 30 days, without expansion and reactivation, as a share of the MRR before.",
    ),
    "quick_ratio": ("quick_ratio", "MRR won in the last 30 days divided by the MRR lost."),
}
"""Field of today's row and help text of each rate."""
UNKNOWN_RATE = "From today's row; NaN while the ledger is younger or the divisor is 0."


class PlanShown(NamedTuple):
    """Sums of one plan, and the number of licenses left to sell; None if the plan is not limited."""

    sums: PlanTotals
    left: int | None


class Business(Collector):
    """Business totals as of the last commit. Only the leader exports them, because a standby does not know them."""

    def __init__(self) -> None:
        self.totals: Totals | None = None
        self.plans: Mapping[DocId, PlanState] = {}
        self.row: Mapping[str, Any] = {}

    def show(self, totals: Totals, plans: Mapping[DocId, PlanState]) -> None:
        """Export these values from the next scrape on. They are read at the scrape and must not be modified."""
        self.totals, self.plans = totals, plans

    def show_rates(self, row: Mapping[str, Any]) -> None:
        """Export the rates of today's row from the next scrape on."""
        self.row = row

    def hide(self) -> None:
        """Stop exporting business metrics until `show` is called again (this instance is no longer the leader)."""
        self.totals, self.row = None, {}

    def describe(self) -> Iterator[Metric]:
        return self._families(Totals(), {})

    def collect(self) -> Iterator[Metric]:
        if self.totals is not None:
            yield from self._families(self.totals, self._by_name(self.totals))

    def _by_name(self, totals: Totals) -> dict[str, PlanShown]:
        found: dict[str, PlanShown] = {}
        states = dict(self.plans)
        on_sale = {plan_id for plan_id, state in states.items() if state.present}
        for plan_id in [*totals.by_plan, *(on_sale - totals.by_plan.keys())]:
            state, sums = states.get(plan_id), totals.by_plan.get(plan_id, PlanTotals())
            plan = state.plan if state else None
            left = None if plan is None or plan.limit is None else max(0, plan.limit - sums.licenses)
            name = plan.name if plan else str(plan_id)
            found[name if name not in found else f"{name} ({plan_id})"] = PlanShown(sums, left)
        return found

    def _families(self, totals: Totals, plans: Mapping[str, PlanShown]) -> Iterator[Metric]:
        paying = "Number of customers with at least one active license with a price."
        sold_once = "Revenue of lifetime sales since the start of the ledger in euros."
        yield _family("customers", "Number of customers.", totals.customers)
        yield _family("paying_customers", paying, totals.paying_customers)
        yield _family("subscribers", "Number of customers with MRR.", totals.subscribers)
        yield _family("active_licenses", "Number of active licenses.", totals.active_licenses)
        yield _family("mrr_euros", "Monthly recurring revenue in euros.", totals.mrr_cents / 100)
        yield _family("one_time_revenue_euros", sold_once, totals.one_time_cents / 100)
        arpa = rates.arpa(totals.mrr_cents, totals.subscribers)
        yield _family("arpa_euros", "MRR per subscriber in euros; NaN without subscribers.", _known(arpa))
        for name, (field, text) in RATES.items():
            yield _family(name, f"{text} {UNKNOWN_RATE}", _known(number_values.value(self.row, field)))
        sums = {name: plan.sums for name, plan in plans.items()}
        issued = "Number of licenses of a plan, of any status."
        active = "Number of active licenses of a plan."
        mrr = "Monthly recurring revenue of a plan in euros."
        yield _by_plan("plan_licenses", issued, {n: s.licenses for n, s in sums.items()})
        yield _by_plan("plan_active_licenses", active, {n: s.active for n, s in sums.items()})
        yield _by_plan("plan_mrr_euros", mrr, {n: s.mrr_cents / 100 for n, s in sums.items()})
        left = {name: plan.left for name, plan in plans.items() if plan.left is not None}
        yield _by_plan("plan_licenses_left", "Number of licenses left to sell of a limited plan.", left)


def _known(number: float | None) -> float:
    return math.nan if number is None else number


def _family(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _by_plan(name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["plan"])
    for plan, value in values.items():
        family.add_metric([plan], value)
    return family


BUSINESS = Business()
REGISTRY.register(BUSINESS)
