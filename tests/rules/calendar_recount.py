"""What every day of a history must say, recounted from the plain documents as of its midnight: the oracle's row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from rules import business_days as days
from rules.model.changes import Change
from rules.settings.settings import Settings
from tests.rules.recount import Oracle

MILLISECOND = timedelta(milliseconds=1)
ZONE = Settings().zone


@dataclass
class Recounted:
    """One day: the oracle's totals at its last instant, and the customers that churned and came back on it."""

    day: date
    totals: dict[str, Any]
    churned: int
    reactivated: int

    def numbers(self) -> dict[str, Any]:
        """As the row names them."""
        mrr = self.totals["mrr_cents"] / 100
        return {
            "total_customers": self.totals["customers"],
            "paying_customers": self.totals["paying_customers"],
            "subscribers": self.totals["subscribers"],
            "active_licenses": self.totals["active_licenses"],
            "mrr": mrr,
            "arr": self.totals["mrr_cents"] * 12 / 100,
            "churned_customers": self.churned,
            "reactivated_customers": self.reactivated,
        }

    def arpa(self) -> float | None:
        subscribers = self.totals["subscribers"]
        return round(Fraction(self.totals["mrr_cents"], subscribers)) / 100 if subscribers else None


def business_days(history: Sequence[Change]) -> list[date]:
    """The days of a history, from its first change to two days behind its last."""
    first, last = (days.business_day(change.at, ZONE) for change in (history[0], history[-1]))
    return list(days.between(first, last + 2 * days.ONE_DAY))


def recounted(history: Sequence[Change]) -> Iterator[Recounted]:
    """Every day of a history, oldest first."""
    oracle, waiting = Oracle(), list(history)
    subscribed: set[Any] = set()
    ever: set[Any] = set()
    for day in business_days(history):
        midnight = days.start(day + days.ONE_DAY, ZONE)
        seen = set(ever)
        while waiting and waiting[0].at < midnight:
            change = waiting.pop(0)
            oracle.follow(change)
            ever |= with_mrr(oracle, change.at)
        now = with_mrr(oracle, midnight - MILLISECOND)
        totals = oracle.totals(midnight - MILLISECOND)
        yield Recounted(day, totals, len(subscribed - now), len((now - subscribed) & seen))
        subscribed = now


def with_mrr(oracle: Oracle, at: Any) -> set[Any]:
    return {customer for customer, (mrr, _, _) in oracle.customers(at).items() if mrr}
