"""Months of the table: stored rows, the running month from the ledger, and months that only have daily rows."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from daemon.mongo.types import ClientSession, Database, Document
from daemon.rollup.row_builder import RowBuilder
from daemon.store import month_rows
from daemon.store.ledger.day_totals import DayTotals
from rules.rows import periods
from rules.settings.settings import Settings


class MonthSource(StrEnum):
    """Where the numbers of a month come from."""

    CLOSED = "closed"
    """Its final row."""
    OPEN = "open"
    """The ledger, because its row is not written yet: it is running, or its row is due."""
    RECONSTRUCTED = "reconstructed"
    """A row made by `backfill`."""
    DAYS = "days"
    """Rows that another program wrote: its days', or its own."""


class Month(NamedTuple):
    """A month by its first day, and its row."""

    first: date
    row: Document
    source: MonthSource


class Months:
    """Months at one snapshot. `ledger_start` is the ledger's first day, None for an empty ledger."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        session: ClientSession,
        today: date,
        ledger_start: date | None,
        day_totals: DayTotals | None = None,
    ) -> None:
        self.database = database
        self.settings = settings
        self.session = session
        self.running = today.replace(day=1)
        self.ledger_start = ledger_start
        self.day_totals = day_totals

    def listed(self) -> list[Month]:
        """Return all months up to the running one, oldest first; only that one is computed."""
        found = {month.first: month for month in self._of_days()} | {month.first: month for month in self._stored()}
        if self._is_open(self.running, found):
            found[self.running] = self.computed(self.running)
        return [found[first] for first in sorted(found) if first <= self.running]

    def get(self, first: date, listed: list[Month]) -> Month | None:
        """Return one of the listed months, computed from the ledger if it is not closed; None if there is none."""
        found = {month.first: month for month in listed}
        return self.computed(first) if first < self.running and self._is_open(first, found) else found.get(first)

    def computed(self, first: date) -> Month:
        """Return a month computed from the ledger."""
        builder, period = RowBuilder(self.database, self.settings, self.day_totals), periods.month(first)
        row = builder.build_from(period, builder.period_data(period, self.session), self.session)
        return Month(first, row, MonthSource.OPEN)

    def has_ledger(self, first: date) -> bool:
        """Return whether the ledger has a day of the month."""
        return self.ledger_start is not None and self.ledger_start <= periods.month(first).last

    def _is_open(self, first: date, found: dict[date, Month]) -> bool:
        month = found.get(first)
        return self.has_ledger(first) and (month is None or month.source is MonthSource.DAYS)

    def _stored(self) -> list[Month]:
        return [
            Month(row["date"].date().replace(day=1), row, _source(row))
            for row in month_rows.stored(self.database, self.session)
        ]

    def _of_days(self) -> list[Month]:
        found = month_rows.of_days(self.database, self.session)
        return [Month(row["date"].date(), row, MonthSource.DAYS) for row in found]


def _source(row: Document) -> MonthSource:
    if row.get("reconstructed") is True:
        return MonthSource.RECONSTRUCTED
    return MonthSource.CLOSED if row.get("final") is True else MonthSource.DAYS
