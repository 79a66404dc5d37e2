"""Rates over a period, as ChartMogul defines them (its "Standard" formulas; help.chartmogul.com).

A rate is a share (0.031 is 3.1 %), rounded to six places. What is undefined has no value: None, never 0 or infinity.
Subscribers are customers with MRR; a period's flows leave out opening balances. One-time revenue is in none of these.
"""

from decimal import Decimal
from typing import NamedTuple

from rules.model.ledger import MovementKind
from rules.revenue.day_sums import DaySums
from rules.revenue.pricing import round_half_even

PLACES = 6


class Start(NamedTuple):
    """How a period began: customers with MRR, and MRR in cents."""

    subscribers: int
    mrr_cents: int


class Rates(NamedTuple):
    """The rates of one period; None where undefined."""

    customer_churn_rate: float | None = None
    revenue_churn_rate: float | None = None
    net_revenue_retention: float | None = None
    quick_ratio: float | None = None


def of(start: Start, flows: DaySums) -> Rates:
    return Rates(
        customer_churn_rate(start, flows),
        revenue_churn_rate(start, flows),
        net_revenue_retention(start, flows),
        quick_ratio(flows),
    )


def arpa(mrr_cents: int, subscribers: int) -> float | None:
    """Average revenue per account, in euros: MRR / subscribers ("Chart: Average Revenue Per Account", 203359301).

    None without subscribers. Lifetime customers pay nothing a month: they are in neither number.
    """
    return round_half_even(Decimal(mrr_cents) / subscribers) / 100 if subscribers else None


def customer_churn_rate(start: Start, flows: DaySums) -> float | None:
    """Customers that churned in the period / customers at its start ("Chart: Customer Churn Rate").

    None if there were none. It can pass 1: who came in the period may churn in it too.
    """
    return _share(flows.churned_customers, start.subscribers)


def revenue_churn_rate(start: Start, flows: DaySums) -> float | None:
    """Churn and contraction MRR / MRR at the start ("Metric: MRR Churn Rate", gross, 203359341); None without MRR."""
    return _share(lost(flows), start.mrr_cents)


def net_revenue_retention(start: Start, flows: DaySums) -> float | None:
    """1 less the net MRR churn rate, which is (churn + contraction - expansion - reactivation) / MRR at the start.

    "Chart: Net MRR Churn Rate", 4414075567250, and "Net MRR Retention". New business is not in it. None without MRR.
    """
    regained = flows.mrr_of(MovementKind.EXPANSION) + flows.mrr_of(MovementKind.REACTIVATION)
    return _share(start.mrr_cents + regained - lost(flows), start.mrr_cents)


def quick_ratio(flows: DaySums) -> float | None:
    """MRR won (new, expansion, reactivation) / MRR lost (churn, contraction): ChartMogul's "SaaS Quick Ratio".

    None while nothing is lost.
    """
    return _share(won(flows), lost(flows))


def won(flows: DaySums) -> int:
    """MRR won in the period, in cents."""
    kinds = (MovementKind.NEW, MovementKind.EXPANSION, MovementKind.REACTIVATION)
    return sum(flows.mrr_of(kind) for kind in kinds)


def lost(flows: DaySums) -> int:
    """MRR lost in the period, in cents, as a positive number."""
    return -flows.mrr_of(MovementKind.CHURN) - flows.mrr_of(MovementKind.CONTRACTION)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, PLACES) if whole > 0 else None
