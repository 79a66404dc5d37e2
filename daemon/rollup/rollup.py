"""The day: which rows are owed, and writing them. `schedule` only rings; the database decides.

Everything here may run twice, late or after a crash: a row is a function of ledger, events and rules.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime

from daemon import clock
from daemon.config.schema import Config
from daemon.errors import Unavailable
from daemon.mongo.types import Database, Document
from daemon.rollup.row_builder import RowBuilder
from daemon.runtime import logs, metrics
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten, rows
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.rows import periods
from rules.rows.amendment import Amended
from rules.rows.periods import Kind, Period

log = logs.get("rollup")


class Rollup:
    """Writes rows for one database. Safe to run beside another one: rows come out the same."""

    def __init__(self, database: Database, config: Config, beat: Callable[[], None] = lambda: None) -> None:
        """`beat` is called with every row: many may be owed."""
        self.database = database
        self.beat = beat
        self.rollup_at = config.time.rollup_at
        self.set_config(config)

    def set_config(self, config: Config) -> None:
        """Write rows by these rules from now on."""
        self.settings = config.settings()
        self.rebuild = RowBuilder(self.database, self.settings)

    def now(self) -> datetime:
        """What time it is for the rows: the checkpoint's cluster time, so that a wrong clock here changes nothing.

        It is never ahead of what was committed. Raises Unavailable before the first start.
        """
        checkpoint = checkpoints.load(self.database)
        if checkpoint is None or checkpoint.at is None:
            raise Unavailable("the daemon has not taken over this database yet: start it once")
        return checkpoint.at

    def last_closed(self, now: datetime) -> date:
        """The newest day that may have a final row: over by the clock, and passed by the checkpoint."""
        passed = business_days.business_day(self.now(), self.settings.zone) - business_days.ONE_DAY
        return min(business_days.last_closed(now, self.rollup_at, self.settings.zone), passed)

    def missing_days(self, now: datetime) -> list[date]:
        """The closed days without a final row that the checkpoint has passed, oldest first.

        A day whose final row somebody replaced is among them: theirs is not final.
        """
        first = ledger.first_day(self.database)
        if first is None:
            return []
        last = self.last_closed(now)
        return list(business_days.due(rows.final_days(self.database, first, last), first, last))

    def missing_months(self, now: datetime) -> list[Period]:
        """The months that are over and have no final row, oldest first; the first may have begun in its middle."""
        first = ledger.first_day(self.database)
        if first is None:
            return []
        closed = list(periods.months(first, self.last_closed(now)))
        known = rows.final_days(self.database, first.replace(day=1), self.last_closed(now), Kind.MONTHLY)
        return [month for month in closed if month.first not in known]

    def close_missing(self, now: datetime) -> list[date]:
        """Write every owed row, then those that late facts reopened; the days written."""
        owed, months = self.missing_days(now), self.missing_months(now)
        reopened = checkpoints.reopened(self.database)
        for first, last in business_days.runs(owed):
            self._close(first, last)
        for month in months:
            self.write_month(month)
        self._reopen(reopened, set(owed), now)
        checkpoints.settle_reopened(self.database, reopened)
        return owed

    def _close(self, first: date, last: date) -> None:
        """Write the final rows of days without a gap; many in one walk."""
        if first == last:
            self.write(first, final=True)
            return
        for made in self.rebuild.days(first, last):
            self.store(made, periods.day(made["date"].date()), final=True)

    def _reopen(self, entries: Iterable[Document], written: set[date], now: datetime) -> None:
        """Amend what late facts changed: their day; where they moved a number, every day and month from it on."""
        last = self.last_closed(now)
        told = {entry["day"].date() for entry in entries}
        moved = [entry["day"].date() for entry in entries if entry.get("moved", True)]
        begin = ledger.first_day(self.database) or date.min  # of an empty ledger any row is as true as another
        since = max(begin, min(moved, default=last + business_days.ONE_DAY))
        for day in sorted(day for day in told - written if begin <= day < since and day <= last):
            if rows.final_days(self.database, day, day):
                self.write(day, final=True)
        final = rows.final_days(self.database, since, last) - written
        for made in self.rebuild.days(since, last):
            if made["date"].date() in final:
                self.store(made, periods.day(made["date"].date()), final=True)
        for month in periods.months(since, last):
            if rows.final_days(self.database, month.first, month.first, Kind.MONTHLY):
                self.write_month(month)

    def write_today(self, now: datetime) -> Document:
        """Bring today's live row up to date."""
        day = business_days.business_day(now, self.settings.zone)
        return self.store(self.rebuild.live(day), periods.day(day), final=False).row

    def today_was_replaced(self, now: datetime) -> bool:
        """Whether the dashboard's "save today" put its own row in the place of the live one."""
        return rows.was_replaced(self.database, periods.day(business_days.business_day(now, self.settings.zone)))

    def write(self, day: date, *, final: bool) -> Document:
        """Compute the row of one day at one snapshot and store it; the row."""
        return self.store(self.row(day), periods.day(day), final=final).row

    def write_month(self, month: Period) -> Document:
        """The same for a month that is over."""
        return self.store(self.rebuild.row(month), month, final=True).row

    def row(self, day: date) -> Document:
        """The row of `day` as ledger and events have it now."""
        return self.rebuild.row(periods.day(day))

    def store(self, made: Document, period: Period, *, final: bool) -> Amended:
        """Store a row that was made; what of a final one changed is told."""
        self.beat()
        if final and period.kind is Kind.DAILY:  # before the row is final: a crash in between leaves the day owed
            rows.mark_processed(self.database, *self.rebuild.bounds(period.first))
        done = rows.write(self.database, made, final=final, now=clock.now())
        if forgotten.count(self.database) != self.rebuild.forgotten.count:  # what was just written may hold a name
            made = self.rebuild.row(period)
            done = rows.write(self.database, made, final=final, now=clock.now())
        if done.written:
            metrics.ROWS.labels("final" if final else "live").inc()
            self._log(done, period, final)
        return done

    def _log(self, done: Amended, period: Period, final: bool) -> None:
        row = done.row
        if done.healed:
            log.warning("row.restored", period=str(period), revision=row["revision"])
        if done.differences:
            changes = [difference._asdict() for difference in done.differences]
            log.info("row.amended", period=str(period), revision=row["revision"], changes=changes)
        elif final:
            log.info("row.closed", period=str(period), mrr=row["mrr"], customers=row["total_customers"])
