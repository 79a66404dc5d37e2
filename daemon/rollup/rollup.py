"""Rollup: finds and writes missing daily and monthly rows, and keeps today's live row up to date.

The database decides which rows are missing; the scheduler only triggers. Every operation is safe to repeat, to run late
or after a crash: a row is a function of ledger, events and rules.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.errors import Unavailable
from daemon.mongo.types import Database, Document
from daemon.rollup.row_builder import RowBuilder
from daemon.runtime import logs, metrics
from daemon.store import checkpoint as checkpoints
from daemon.store import events as event_store
from daemon.store import forgotten, rows
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.rows import periods
from rules.rows.amendment import Amendment
from rules.rows.periods import Period, PeriodKind
from rules.settings.settings import Settings

NOTES_LOOK_BACK = timedelta(days=400)
"""Age of the oldest closed row whose note is compared every ten minutes; the server returns only notes that differ."""

log = logs.get("rollup")


class Rollup:
    """Writes the rows of one database. Two instances may run at once: they compute equal rows."""

    def __init__(self, database: Database, config: ActiveConfig, heartbeat: Callable[[], None] = lambda: None) -> None:
        """`heartbeat` is called with every row, because many may be missing."""
        self.database = database
        self.config = config
        self.heartbeat = heartbeat
        self.rollup_at = config.current.time.rollup_at
        self._built_for: Config | None = None

    @property
    def row_builder(self) -> RowBuilder:
        """The row builder for the active configuration."""
        config = self.config.current
        if config is not self._built_for:
            self._row_builder = RowBuilder(self.database, config.settings())
            self._built_for = config
        return self._row_builder

    @property
    def settings(self) -> Settings:
        """The settings of the active rules."""
        return self.row_builder.settings

    def now(self) -> datetime:
        """Return the checkpoint's cluster time, the current time of all rows; the local clock has no effect.

        It is never later than the committed changes. Raises Unavailable before the daemon's first start.
        """
        checkpoint = checkpoints.load(self.database)
        if checkpoint is None or checkpoint.at is None:
            raise Unavailable("this database has no checkpoint yet; start the daemon once")
        return checkpoint.at

    def last_closed(self, now: datetime) -> date:
        """Return the newest day that may have a final row: completed at `now` and passed by the checkpoint."""
        passed = business_days.business_day(self.now(), self.settings.zone) - business_days.ONE_DAY
        return min(business_days.last_closed(now, self.rollup_at, self.settings.zone), passed)

    def missing_days(self, now: datetime) -> list[date]:
        """Return the completed days without a final row that the checkpoint has passed, oldest first.

        They include days whose final row the dashboard replaced: its rows are not final.
        """
        first = ledger.first_day(self.database)
        if first is None:
            return []
        last = self.last_closed(now)
        return list(business_days.due(rows.final_days(self.database, first, last), first, last))

    def missing_months(self, now: datetime) -> list[Period]:
        """Return the completed months without a final row, oldest first; the ledger may begin within the first one."""
        first = ledger.first_day(self.database)
        if first is None:
            return []
        closed = list(periods.months(first, self.last_closed(now)))
        known = rows.final_days(self.database, first.replace(day=1), self.last_closed(now), PeriodKind.MONTHLY)
        return [month for month in closed if month.first not in known]

    def close_missing(self, now: datetime) -> list[date]:
        """Write all missing rows, then those reopened by late facts; return the missing days that were written."""
        missing, months = self.missing_days(now), self.missing_months(now)
        reopened = checkpoints.reopened_days(self.database)
        for first, last in business_days.runs(missing):
            self._close(first, last)
        for month in months:
            self.write_month(month)
        self._reopen(reopened, set(missing), now)
        self._restore_notes()
        checkpoints.remove_reopened(self.database, reopened)
        return missing

    def _close(self, first: date, last: date) -> None:
        """Write the final rows of consecutive days, several of them in one pass."""
        if first == last:
            self.write(first, final=True)
            return
        for computed in self.row_builder.build_days(first, last):
            self.store(computed, periods.day(computed["date"].date()), final=True)

    def _reopen(self, entries: Iterable[Document], written: set[date], now: datetime) -> None:
        """Rewrite the final rows that late facts changed: their day and, if numbers moved, all later periods."""
        last = self.last_closed(now)
        reopened = {entry["day"].date() for entry in entries}
        moved = [entry["day"].date() for entry in entries if entry.get("moved", True)]
        ledger_start = ledger.first_day(self.database) or date.min  # an empty ledger sets no limit
        since = max(ledger_start, min(moved, default=last + business_days.ONE_DAY))
        for day in sorted(day for day in reopened - written if ledger_start <= day < since and day <= last):
            if rows.final_days(self.database, day, day):
                self.write(day, final=True)
        final = rows.final_days(self.database, since, last) - written
        for computed in self.row_builder.build_days(since, last):
            if computed["date"].date() in final:
                self.store(computed, periods.day(computed["date"].date()), final=True)
        for month in periods.months(since, last):
            if rows.final_days(self.database, month.first, month.first, PeriodKind.MONTHLY):
                self.write_month(month)

    def write_today(self, now: datetime) -> Document:
        """Update today's live row and return it."""
        day = business_days.business_day(now, self.settings.zone)
        return self.store(self.row_builder.build_live_row(day), periods.day(day), final=False).row

    def _restore_notes(self) -> None:
        """Restore the generated notes of the closed rows of the last `NOTES_LOOK_BACK`."""
        last = business_days.business_day(self.now(), self.settings.zone)
        for at in rows.restore_notes(self.database, last - NOTES_LOOK_BACK, clock.now()):
            log.info("note.restored", period=str(at.date()))

    def today_was_changed(self, now: datetime) -> bool:
        """Return whether another writer replaced the live row or changed its note."""
        return rows.was_changed(self.database, periods.day(business_days.business_day(now, self.settings.zone)))

    def write(self, day: date, *, final: bool) -> Document:
        """Compute the row of one day at one snapshot and store it; return the stored row."""
        computed = self.row(day) if final else self.row_builder.build_live_row(day)
        return self.store(computed, periods.day(day), final=final).row

    def write_month(self, month: Period) -> Document:
        """Compute the final row of a completed month at one snapshot and store it; return the stored row."""
        return self.store(self.row_builder.build_row(month), month, final=True).row

    def row(self, day: date) -> Document:
        """Compute the row of `day` from the current ledger and events, without storing it."""
        return self.row_builder.build_row(periods.day(day))

    def store(self, computed: Document, period: Period, *, final: bool) -> Amendment:
        """Store a computed row and log the changes of a final one."""
        self.heartbeat()
        if final and period.kind is PeriodKind.DAILY:
            # before the row is final: after a crash in between, the row is still missing
            event_store.mark_processed(self.database, *self.row_builder.bounds(period.first))
        done = self._write(computed, final=final)
        if forgotten.count(self.database) != self.row_builder.forgotten.count:
            # a customer was forgotten in between: the stored row may contain the name
            computed = self.row_builder.build_row(period)
            done = self._write(computed, final=final)
        if done.written:
            metrics.ROWS.labels("final" if final else "live").inc()
            self._log(done, period, final)
        return done

    def _write(self, computed: Document, *, final: bool) -> Amendment:
        announces = self.config.current.delivers
        return rows.write(self.database, computed, final=final, now=clock.now(), announces=announces)

    def _log(self, done: Amendment, period: Period, final: bool) -> None:
        row = done.row
        if done.restored:
            log.warning("row.restored", period=str(period), revision=row["revision"])
        if done.differences:
            changes = [difference._asdict() for difference in done.differences]
            log.info("row.amended", period=str(period), revision=row["revision"], changes=changes)
        elif final:
            log.info("row.closed", period=str(period), mrr=row["mrr"], customers=row["total_customers"])
