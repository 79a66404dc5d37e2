"""Days on the command line: YYYY-MM-DD, today or yesterday; and errors for days without a row."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from daemon.errors import ChatelloError

if TYPE_CHECKING:
    from daemon.mongo.types import Database
    from rules.rows.periods import Period

Day = date | Literal["today", "yesterday"]
"""A day as given; the words depend on the configured zone (`CommandContext.day`)."""


class NoSuchDay(ChatelloError):
    """The database has no data of the requested day: choose another day."""


class DayType(click.ParamType[Day]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Day:
        if value in ("today", "yesterday") or isinstance(value, date):
            return value  # type: ignore[no-any-return]  # click passes Any
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            self.fail(f"{value!r} is not a day; use YYYY-MM-DD, today or yesterday", param, ctx)


DAY = DayType()


class MonthType(click.ParamType[date]):
    """A month; the value is its first day."""

    name = "YYYY-MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return datetime.strptime(str(value), "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
        except ValueError:
            self.fail(f"{value!r} is not a month; use YYYY-MM", param, ctx)


MONTH = MonthType()


def require_order(first: date | None, last: date | None) -> None:
    """Raise BadParameter for a range that ends before it begins."""
    if first is not None and last is not None and first > last:
        raise click.BadParameter(f"{first} must not be after --to", param_hint="--from")


def require_recorded(database: "Database", period: "Period") -> None:
    """Raise NoSuchDay for a period before the first day of the ledger."""
    from daemon.store import rows
    from daemon.store.ledger import reader as ledger

    begin = ledger.first_day(database)
    if begin is None:
        raise NoSuchDay(
            f"no row for {period}: the ledger in the database {database.name} is empty; is the daemon running?"
        )
    if period.last >= begin:
        return
    if rows.get(database, period) is not None:
        raise NoSuchDay(f"the row of {period} cannot be recomputed: the ledger's first day is {begin}")
    raise NoSuchDay(f"no row for {period}: the first day is {begin}; backfill creates earlier rows")
