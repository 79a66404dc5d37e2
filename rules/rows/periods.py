"""The periods a row may describe: a business day, or a calendar month of them. A row is stored under its first day."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rules import business_days

RATES_DAYS = 30
"""The days a daily row's rates look back over, its own included."""


class Kind(StrEnum):
    DAILY = "daily"
    MONTHLY = "monthly"


class Period(NamedTuple):
    """The business days from `first` to `last`, both included."""

    kind: Kind
    first: date
    last: date

    @property
    def rates_from(self) -> date:
        """The first day its rates look back over: the month itself, or the last thirty days."""
        return self.first if self.kind is Kind.MONTHLY else self.last - (RATES_DAYS - 1) * business_days.ONE_DAY

    @property
    def rates_days(self) -> int:
        return (self.last - self.rates_from).days + 1

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}" if self.kind is Kind.MONTHLY else f"{self.first}"


def day(date: date) -> Period:
    return Period(Kind.DAILY, date, date)


def month(any_day: date) -> Period:
    """The calendar month a day lies in."""
    first = any_day.replace(day=1)
    return Period(Kind.MONTHLY, first, following(first) - business_days.ONE_DAY)


def months(first: date, last: date) -> Iterator[Period]:
    """Every month that ends from `first` on and not after `last`, oldest first."""
    found = month(first)
    while found.last <= last:
        yield found
        found = month(found.last + business_days.ONE_DAY)


def following(first_of_month: date) -> date:
    """The first day of the next month."""
    year, number = divmod(first_of_month.year * 12 + first_of_month.month, 12)
    return date(year, number + 1, 1)


def before(any_day: date, months: int) -> date:
    """The first day of the month so many months before the one a day lies in."""
    year, number = divmod(any_day.year * 12 + any_day.month - 1 - months, 12)
    return date(year, number + 1, 1)
