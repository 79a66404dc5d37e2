"""Rates over a period, as ChartMogul defines them (its "Standard" formulas; help.chartmogul.com).

A rate is a share (0.031 is 3.1 %), rounded to six places. An undefined rate is None, never 0 or infinity. Subscribers
are customers with MRR; a period's sums exclude opening balances. No rate includes one-time revenue.
"""

from decimal import Decimal
from typing import NamedTuple

from rules.model.ledger import MovementKind
from rules.revenue.day_sums import DaySums
from rules.revenue.pricing import round_half_even

PLACES = 6
MIN_SUBSCRIBERS = 10
"""With fewer subscribers at the start of a period a percentage says nothing: its fraction stands alone."""


class Start(NamedTuple):
    """Balances at the start of a period: customers with MRR, and MRR in cents."""

    subscribers: int
    mrr_cents: int


class Rates(NamedTuple):
    """The rates of one period; an undefined rate is None."""

    customer_churn_rate: float | None = None
    revenue_churn_rate: float | None = None
    net_revenue_retention: float | None = None
    quick_ratio: float | None = None


def of(start: Start, sums: DaySums) -> Rates:
    return Rates(
        customer_churn_rate(start, sums),
        revenue_churn_rate(start, sums),
        net_revenue_retention(start, sums),
        quick_ratio(sums),
    )


def arpa(mrr_cents: int, subscribers: int) -> float | None:
    """Average revenue per account, in euros: MRR / subscribers ("Chart: Average Revenue Per Account", 203359301).

    None without subscribers. Lifetime customers have no MRR: they are in neither number.
    """
    return round_half_even(Decimal(mrr_cents) / subscribers) / 100 if subscribers else None


def customer_churn_rate(start: Start, sums: DaySums) -> float | None:
    """Customers that churned in the period / customers at its start ("Chart: Customer Churn Rate").

    None without customers at the start. It can exceed 1: a customer may arrive and churn in the same period.
    """
    return _ratio(sums.churned_customers, start.subscribers)


def revenue_churn_rate(start: Start, sums: DaySums) -> float | None:
    """Churn and contraction MRR / MRR at the start ("Metric: MRR Churn Rate", gross, 203359341); None without MRR."""
    return _ratio(lost(sums), start.mrr_cents)


def net_revenue_retention(start: Start, sums: DaySums) -> float | None:
    """1 minus the net MRR churn rate, which is (churn + contraction - expansion - reactivation) / MRR at the start.

    "Chart: Net MRR Churn Rate", 4414075567250, and "Net MRR Retention". It excludes new business. None without MRR.
    """
    return _ratio(retained(start, sums), start.mrr_cents)


def quick_ratio(sums: DaySums) -> float | None:
    """MRR won (new, expansion, reactivation) / MRR lost (churn, contraction): ChartMogul's "SaaS Quick Ratio".

    None if no MRR was lost.
    """
    return _ratio(won(sums), lost(sums))


def won(sums: DaySums) -> int:
    """Return the MRR won in the period, in cents."""
    kinds = (MovementKind.NEW, MovementKind.EXPANSION, MovementKind.REACTIVATION)
    return sum(sums.mrr_of(kind) for kind in kinds)


def lost(sums: DaySums) -> int:
    """Return the MRR lost in the period, in cents, as a positive number."""
    return -sums.mrr_of(MovementKind.CHURN) - sums.mrr_of(MovementKind.CONTRACTION)


def retained(start: Start, sums: DaySums) -> int:
    """Return the MRR that the start's became without new business, in cents."""
    regained = sums.mrr_of(MovementKind.EXPANSION) + sums.mrr_of(MovementKind.REACTIVATION)
    return start.mrr_cents + regained - lost(sums)


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, PLACES) if whole > 0 else None
