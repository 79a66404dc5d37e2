"""Rows that stand, against rows made anew: every day and every month that ended, byte by byte."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from daemon.mongo.types import Document
from daemon.rollup.rollup import Rollup
from daemon.store import rows
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.rows import amendment, periods
from rules.rows.amendment import Difference
from rules.rows.periods import Kind, Period


@dataclass(frozen=True, slots=True)
class RowFinding:
    """One row: what it should be, and how what stands in the table differs.

    `fault` says what is wrong with the row as a whole: it is missing, not final, or somebody else's; "" if nothing is.
    """

    period: Period
    made: Document
    fault: str = ""
    differences: list[Difference] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.fault and not self.differences


class RowAudit:
    """Makes closed rows anew and compares them with the table, or writes them there."""

    def __init__(self, nightly: Rollup) -> None:
        self.nightly = nightly
        self.database = nightly.database

    def span(self, first: date | None, last: date | None) -> tuple[date, date] | None:
        """The days of a range that can be made anew: those in the ledger that are closed. None if there are none."""
        begin = ledger.first_day(self.database)
        closed = self.nightly.last_closed(self.nightly.now())
        if begin is None:
            return None
        first, last = max(first or begin, begin), min(last or closed, closed)
        return (first, last) if first <= last else None

    def findings(self, first: date, last: date) -> Iterator[RowFinding]:
        """Each day from `first` to `last`, and each month behind the last of its days. Writes nothing."""
        for made in self.nightly.rebuild.days(first, last):
            day = made["date"].date()
            yield self._compared(periods.day(day), made)
            month = periods.month(day)
            if month.last == day:
                yield self._compared(month, self.nightly.rebuild.row(month))

    def _compared(self, period: Period, made: Document) -> RowFinding:
        stored = rows.of(self.database, period)
        if stored is None:
            return RowFinding(period, made, "there is no row")
        if not amendment.is_ours(stored):
            return RowFinding(period, made, "the row is somebody else's: the dashboard saved it, or its old cron")
        differences = list(rows.differences(stored, made))
        return RowFinding(period, made, "" if stored.get("final") else "the row is not final", differences)

    def amend(self, finding: RowFinding) -> None:
        """Write what a finding says should stand there."""
        self.nightly.store(finding.made, finding.period, final=True)


def rows_in(first: date, last: date) -> int:
    """How many rows a range has, its months counted."""
    months = sum(1 for _ in periods.months(first, last))
    return (last - first).days + 1 + months


def following(period: Period) -> date:
    """The day to go on from behind a row; a month's row comes behind its last day's."""
    month_is_next = period.kind is Kind.DAILY and periods.month(period.last).last == period.last
    return period.last if month_is_next else period.last + business_days.ONE_DAY
