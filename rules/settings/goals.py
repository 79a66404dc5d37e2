"""Goals of the owner: a number that a metric is to reach by a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from rules.model.ledger import Totals

MAX_VALUE = 1_000_000_000
MAX_GOALS = 20


class GoalMetric(StrEnum):
    MRR = "mrr"
    CUSTOMERS = "customers"
    PAYING = "paying"
    LICENSES = "licenses"


@dataclass(frozen=True, slots=True)
class Goal:
    """One `[[rules.goals]]`; `value` is in whole euros for MRR.

    Raises ValueError with the key and the requirement.
    """

    metric: GoalMetric
    value: int
    by: date

    def __post_init__(self) -> None:
        if not 1 <= self.value <= MAX_VALUE:
            raise ValueError(f"value must be a number from 1 to {MAX_VALUE}, got {self.value}")

    @property
    def key(self) -> str:
        """The natural key of the event that reports the goal as reached."""
        return f"goal:{self.metric}:{self.value}"

    @property
    def amount(self) -> int:
        """The value in the units of `amount_of`: cents for MRR."""
        return self.value * 100 if self.metric is GoalMetric.MRR else self.value


def amount_of(metric: GoalMetric, totals: Totals) -> int:
    """Return the number of a metric; MRR is in cents."""
    if metric is GoalMetric.MRR:
        return totals.mrr_cents
    if metric is GoalMetric.CUSTOMERS:
        return totals.customers
    return totals.paying_customers if metric is GoalMetric.PAYING else totals.active_licenses


def check(goals: Sequence[Goal]) -> None:
    """Raise ValueError for too many goals, or two with the same metric and value."""
    if len(goals) > MAX_GOALS:
        raise ValueError(f"must be at most {MAX_GOALS} goals, got {len(goals)}")
    seen = set[str]()
    for goal in goals:
        if goal.key in seen:
            raise ValueError(f"two goals have the metric {goal.metric.value!r} and the value {goal.value}; keep one")
        seen.add(goal.key)
