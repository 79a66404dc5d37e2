"""Byte-by-byte comparison of stored rows with recomputed ones, for all closed days and months."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from daemon.mongo.types import Document
from daemon.rollup.rollup import Rollup
from daemon.store import rows
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.rows import amendment, periods
from rules.rows.amendment import FieldDifference
from rules.rows.kept_words import with_kept_words
from rules.rows.periods import Period, PeriodKind


@dataclass(frozen=True, slots=True)
class RowFinding:
    """Comparison of one row: the expected row, and the differences of the stored one.

    `problem` concerns the whole row: it is missing, not final, or not written by the daemon; "" if there is none.
    """

    period: Period
    expected: Document
    problem: str = ""
    differences: list[FieldDifference] = field(default_factory=list)

    @property
    def matches(self) -> bool:
        return not self.problem and not self.differences


class RowAudit:
    """Recomputes closed rows and compares them with the table, or writes them."""

    def __init__(self, rollup: Rollup) -> None:
        self.rollup = rollup
        self.database = rollup.database

    def closed_range(self, first: date | None, last: date | None) -> tuple[date, date] | None:
        """Return first and last closed day of the ledger in a range, or None if there is none."""
        begin = ledger.first_day(self.database)
        closed = self.rollup.last_closed(self.rollup.now())
        if begin is None:
            return None
        first, last = max(first or begin, begin), min(last or closed, closed)
        return (first, last) if first <= last else None

    def findings(self, first: date, last: date) -> Iterator[RowFinding]:
        """Yield each day from `first` to `last`, and each month after its last day. Writes nothing."""
        for expected in self.rollup.row_builder.build_days(first, last):
            day = expected["date"].date()
            yield self._compare(periods.day(day), expected)
            month = periods.month(day)
            if month.last == day:
                yield self._compare(month, self.rollup.row_builder.build_row(month))

    def _compare(self, period: Period, expected: Document) -> RowFinding:
        stored = rows.get(self.database, period)
        if stored is None:
            return RowFinding(period, expected, "the row is missing")
        if not amendment.is_own(stored):
            return RowFinding(
                period, expected, "the row was not written by the daemon but by the dashboard or its old cron job"
            )
        words_kept = with_kept_words(expected, rows.last_written(self.database, period))
        differences = list(rows.differences(stored, words_kept))
        return RowFinding(period, expected, "" if stored.get("final") else "the row is not final", differences)

    def amend(self, finding: RowFinding) -> None:
        """Write the expected row of a finding."""
        self.rollup.store(finding.expected, finding.period, final=True)


def count_rows(first: date, last: date) -> int:
    """Return the number of daily and monthly rows in a range."""
    months = sum(1 for _ in periods.months(first, last))
    return (last - first).days + 1 + months


def next_day(period: Period) -> date:
    """Return the day to continue with after a row; the row of a month follows the row of its last day."""
    month_is_next = period.kind is PeriodKind.DAILY and periods.month(period.last).last == period.last
    return period.last if month_is_next else period.last + business_days.ONE_DAY
