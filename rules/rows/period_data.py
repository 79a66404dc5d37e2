"""The ledger data of a period that its row is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from rules import business_days
from rules.model.ledger import Totals
from rules.revenue import day_sums
from rules.revenue.day_sums import DaySums
from rules.rows.periods import Period


class LedgerStart(NamedTuple):
    """The business day and the instant of the ledger's oldest movement; there is no data before it."""

    day: date
    at: datetime


@dataclass(frozen=True, slots=True)
class PeriodData:
    """The totals at the end of a period, its sums, and the sums of the days that its rates cover.

    `rates_sums` is None if the rates would need days before the ledger's start. `measured_from` is the ledger's start
    if it is within the period, else None.
    """

    totals: Totals = field(default_factory=Totals)
    sums: DaySums = field(default_factory=DaySums)
    rates_sums: DaySums | None = None
    measured_from: datetime | None = None


def first_needed_day(first: Period, ledger_start: LedgerStart | None) -> date:
    """Return the first day whose sums are needed for the period `first` and for all later ones.

    If its rates would need days before the ledger's start, the period has no rates. Then only the period itself is
    needed, without the opening balance before it, which has as many lines as the shop had licenses.
    """
    if ledger_start is None:
        return first.first
    return max(first.rates_from, min(first.first, ledger_start.day + business_days.ONE_DAY))


def of(period: Period, totals: Totals, by_day: Mapping[date, DaySums], ledger_start: LedgerStart | None) -> PeriodData:
    """Return the data of a period from the totals at its end.

    `by_day` must hold every day with a movement from `first_needed_day` to the end of the period.
    """
    known = ledger_start is not None and ledger_start.day < period.rates_from
    return PeriodData(
        totals,
        _between(by_day, period.first, period.last),
        _between(by_day, period.rates_from, period.last) if known else None,
        ledger_start.at if ledger_start is not None and period.first <= ledger_start.day <= period.last else None,
    )


def _between(by_day: Mapping[date, DaySums], first: date, last: date) -> DaySums:
    return day_sums.total(by_day[day] for day in business_days.between(first, last) if day in by_day)
