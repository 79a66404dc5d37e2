"""What the ledger knows of a period, put together for its row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from rules import business_days
from rules.model.ledger import Totals
from rules.revenue import day_sums as flows
from rules.revenue.day_sums import DaySums
from rules.rows.periods import Period


class LedgerStart(NamedTuple):
    """The business day and the instant of the ledger's oldest movement: nothing is known of the time before."""

    day: date
    at: datetime


@dataclass(frozen=True, slots=True)
class PeriodData:
    """The totals at a period's end, what it brought, and what its rates look back over.

    `looked_back` is None where the rates would look back behind the ledger's beginning: how things stood then nobody
    knows. `measured_from` is when the ledger began, where that was within the period.
    """

    totals: Totals = field(default_factory=Totals)
    flows: DaySums = field(default_factory=DaySums)
    looked_back: DaySums | None = None
    measured_from: datetime | None = None


def needed_from(first: Period, begin: LedgerStart | None) -> date:
    """The first day whose flows the books of a period need, or of periods of which it is the first.

    Where its rates would look back behind the ledger's beginning there are none: then only the period itself counts,
    and not the opening balance before it, which is as long as the shop was large.
    """
    if begin is None:
        return first.first
    return max(first.rates_from, min(first.first, begin.day + business_days.ONE_DAY))


def of(period: Period, totals: Totals, by_day: Mapping[date, DaySums], begin: LedgerStart | None) -> PeriodData:
    """`totals` stand at the end of the period; `by_day` has every day with a movement from `needed_from` on."""
    known = begin is not None and begin.day < period.rates_from
    return PeriodData(
        totals,
        _between(by_day, period.first, period.last),
        _between(by_day, period.rates_from, period.last) if known else None,
        begin.at if begin is not None and period.first <= begin.day <= period.last else None,
    )


def _between(by_day: Mapping[date, DaySums], first: date, last: date) -> DaySums:
    return flows.total(by_day[day] for day in business_days.between(first, last) if day in by_day)
