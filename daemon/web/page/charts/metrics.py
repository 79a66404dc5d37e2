"""The numbers that Andamento shows: how to read each one from a row and from the totals, and how to write it."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from daemon.mongo.types import ReadOnlyDocument
from daemon.web.page import trend_texts
from rules.model.ledger import Totals
from rules.rows.row import is_comparable
from rules.settings import italian
from rules.settings.goals import GoalMetric, amount_of

MAX_SHOWN = 1e15
"""A larger number in a row is invalid and not drawn."""


class TrendMetric(StrEnum):
    MRR = "mrr"
    CUSTOMERS = "clienti"
    PAYING = "paganti"
    LICENSES = "licenze"


class Metric(NamedTuple):
    """A number by its name in addresses and the name of its goals; `unit` is what one of its amounts is divided by."""

    key: str
    name: str
    goal: GoalMetric
    unit: int
    format: Callable[[object], str]
    of_row: Callable[[ReadOnlyDocument], object]

    def value_of(self, row: ReadOnlyDocument) -> float | None:
        known = italian.number(self.of_row(row))
        return known if known is not None and abs(known) < MAX_SHOWN else None

    def now(self, totals: Totals) -> float:
        return amount_of(self.goal, totals) / self.unit

    def format_tick(self, value: float) -> str:
        return italian.euro(value, 0) if self.goal is GoalMetric.MRR else italian.integer(round(value))

    def format_amount(self, amount: int) -> str:
        return self.format(amount / self.unit)

    def format_change(self, amount: int) -> str:
        return italian.signed_cents(amount) if self.goal is GoalMetric.MRR else italian.signed(amount)


def _count(key: TrendMetric, goal: GoalMetric, of_row: Callable[[ReadOnlyDocument], object]) -> Metric:
    return Metric(key, trend_texts.METRICS[key], goal, 1, lambda value: italian.decimal(value, 0), of_row)


METRICS = {
    metric.key: metric
    for metric in (
        Metric("mrr", trend_texts.METRICS["mrr"], GoalMetric.MRR, 100, italian.euro, lambda row: row.get("mrr")),
        _count(TrendMetric.CUSTOMERS, GoalMetric.CUSTOMERS, lambda row: row.get("total_customers")),
        _count(
            TrendMetric.PAYING,
            GoalMetric.PAYING,
            lambda row: row.get("paying_customers") if is_comparable(row) else None,
        ),
        _count(TrendMetric.LICENSES, GoalMetric.LICENSES, lambda row: row.get("active_licenses")),
    )
}
BY_GOAL = {metric.goal: metric for metric in METRICS.values()}
