"""The periods of rows: a business day or a calendar month. A row is stored under the period's first day."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rules import business_days

RATES_DAYS = 30
"""Number of days that the rates of a daily row cover, including its own."""


class PeriodKind(StrEnum):
    DAILY = "daily"
    MONTHLY = "monthly"


class Period(NamedTuple):
    """The business days from `first` to `last`, both included."""

    kind: PeriodKind
    first: date
    last: date

    @property
    def rates_from(self) -> date:
        """The first day that the rates cover: the first of the month, or 29 days before the day."""
        return self.first if self.kind is PeriodKind.MONTHLY else self.last - (RATES_DAYS - 1) * business_days.ONE_DAY

    @property
    def rates_days(self) -> int:
        return (self.last - self.rates_from).days + 1

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}" if self.kind is PeriodKind.MONTHLY else f"{self.first}"


def day(date: date) -> Period:
    return Period(PeriodKind.DAILY, date, date)


def month(any_day: date) -> Period:
    """Return the calendar month that contains a day."""
    first = any_day.replace(day=1)
    return Period(PeriodKind.MONTHLY, first, next_month(first) - business_days.ONE_DAY)


def months(first: date, last: date) -> Iterator[Period]:
    """Yield every month whose last day is between `first` and `last`, both included, oldest first."""
    found = month(first)
    while found.last <= last:
        yield found
        found = month(found.last + business_days.ONE_DAY)


def next_month(first_of_month: date) -> date:
    """Return the first day of the next month."""
    year, number = divmod(first_of_month.year * 12 + first_of_month.month, 12)
    return date(year, number + 1, 1)


def months_before(any_day: date, months: int) -> date:
    """Return the first day of the month that is `months` before the month of a day."""
    year, number = divmod(any_day.year * 12 + any_day.month - 1 - months, 12)
    return date(year, number + 1, 1)
