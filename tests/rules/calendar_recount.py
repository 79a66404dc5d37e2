"""Expected rows of every day of a history, recounted from the source documents at the end of the day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from rules import business_days as days
from rules.model.changes import Change, Operation, Source
from rules.settings.settings import Settings
from tests.rules.recount import Oracle

WINDOW = timedelta(minutes=60)
MILLISECOND = timedelta(milliseconds=1)
ZONE = Settings().zone


@dataclass
class RecountedDay:
    """One day: the oracle's totals at its last instant, and the numbers of churned and reactivated customers."""

    day: date
    totals: dict[str, Any]
    churned: int
    reactivated: int
    has_moves: bool = False
    """Whether a license changes its owner in this history: what moves is neither churn nor reactivation."""

    def numbers(self) -> dict[str, Any]:
        """Return the numbers by the field names of a row; amounts in euros."""
        mrr = self.totals["mrr_cents"] / 100
        heads = {"churned_customers": self.churned, "reactivated_customers": self.reactivated}
        return {
            "total_customers": self.totals["customers"],
            "paying_customers": self.totals["paying_customers"],
            "subscribers": self.totals["subscribers"],
            "active_licenses": self.totals["active_licenses"],
            "mrr": mrr,
            "arr": self.totals["mrr_cents"] * 12 / 100,
            **({} if self.has_moves else heads),
        }

    def arpa(self) -> float | None:
        subscribers = self.totals["subscribers"]
        return round(Fraction(self.totals["mrr_cents"], subscribers)) / 100 if subscribers else None


def business_days(history: Sequence[Change]) -> list[date]:
    """Return the days of a history, from its first change to two days after its last."""
    first, last = (days.business_day(change.at, ZONE) for change in (history[0], history[-1]))
    return list(days.between(first, last + 2 * days.ONE_DAY))


def recounted_days(history: Sequence[Change]) -> Iterator[RecountedDay]:
    """Yield every day of a history, oldest first; none if an end and a return may be one change across midnight."""
    if may_cross_midnight(history):
        return
    oracle, waiting = Oracle(), list(history)
    subscribed: set[Any] = set()
    ever: set[Any] = set()
    moves = has_moves(history)
    for day in business_days(history):
        midnight = days.start(day + days.ONE_DAY, ZONE)
        seen = set(ever)
        while waiting and waiting[0].at < midnight:
            change = waiting.pop(0)
            oracle.follow(change)
            ever |= with_mrr(oracle, change.at)
        now = with_mrr(oracle, midnight - MILLISECOND)
        totals = oracle.totals(midnight - MILLISECOND)
        yield RecountedDay(day, totals, len(subscribed - now), len((now - subscribed) & seen), moves)
        subscribed = now


def may_cross_midnight(history: Sequence[Change]) -> bool:
    """Return whether changes of licenses within the replacement window lie on two business days.

    Such a day is reported as if the license had not ended (docs/decisions.md), other than a recount as of its midnight.
    """
    times = sorted(change.at for change in history if change.source is Source.LICENSES)
    return any(
        later - at <= WINDOW and days.business_day(at, ZONE) != days.business_day(later, ZONE)
        for at, later in pairwise(times)
    )


def has_moves(history: Sequence[Change]) -> bool:
    """Return whether any license has several owners over a history."""
    owners: dict[Any, set[str]] = {}
    for change in history:
        names_owner = "customer_id" in (*change.fields, *change.removed) or change.op in (
            Operation.INSERT,
            Operation.REPLACE,
        )
        if change.source is Source.LICENSES and names_owner:
            owners.setdefault(change.id, set()).add(repr(change.fields.get("customer_id")))
    return any(len(found) > 1 for found in owners.values())


def with_mrr(oracle: Oracle, at: Any) -> set[Any]:
    return {customer for customer, (mrr, _, _) in oracle.customers(at).items() if mrr}
