"""Retention: deletes old events and ledger lines as configured, never before the rows of their days are final.

Rows are never deleted. Whole months of ledger lines are replaced by an opening balance; rows whose rates cover them can
no longer be rebuilt.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from daemon.config.schema import Config
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs
from daemon.store.ledger import retention as ledger_retention
from rules import business_days
from rules.rows import periods

log = logs.get("retention")


class Pruned(NamedTuple):
    """Number of events and ledger lines deleted by one run."""

    events: int
    lines: int


class HistoryPruner:
    """Deletes events and ledger lines older than the configured limits; nothing by default."""

    def __init__(self, rollup: Rollup, config: Config) -> None:
        self.rollup = rollup
        self.database = rollup.database
        self.limits = config.retention
        self.zone = config.time.zone

    def run(self, heartbeat: Callable[[], object]) -> Pruned:
        """Delete old events and ledger lines in small steps; an interruption after any step loses no data."""
        events = self._prune_events(heartbeat) if self.limits.events_days else 0
        lines = self._prune_ledger(heartbeat) if self.limits.ledger_days else 0
        if events or lines:
            log.info("history.pruned", events=events, lines=lines)
        return Pruned(events, lines)

    def _prune_events(self, heartbeat: Callable[[], object]) -> int:
        cut = self._events_cut(self.limits.events_days)
        ledger_retention.record_events_cutoff(self.database, cut)
        deleted = 0
        while count := ledger_retention.delete_events(self.database, business_days.start(cut, self.zone)):
            deleted += count
            heartbeat()
        return deleted

    def _prune_ledger(self, heartbeat: Callable[[], object]) -> int:
        cut = self._ledger_cut()
        last = ledger_retention.last_line_before(self.database, cut)
        deleted = 0
        while last is not None and (count := ledger_retention.fold(self.database, last, cut - business_days.ONE_DAY)):
            deleted += count
            heartbeat()
        return deleted

    def _ledger_cut(self) -> date:
        """Return the first day to keep, a 1st: missing rows can still be built (see `ledger.first_day`)."""
        now = self.rollup.now()
        cut = business_days.business_day(now, self.zone) - timedelta(days=self.limits.ledger_days)
        missing = self._first_due_day()
        return min([cut.replace(day=1), *([periods.months_before(missing, 2)] if missing else [])])

    def _events_cut(self, days: int) -> date:
        """Return the first day whose events are kept: `days` ago, or an earlier first day without its row."""
        cut = business_days.business_day(self.rollup.now(), self.zone) - timedelta(days=days)
        return min(cut, self._first_due_day() or cut)

    def _first_due_day(self) -> date | None:
        """Return the first day of all missing rows, None if no row is missing."""
        now = self.rollup.now()
        missing = [*self.rollup.missing_days(now), *(month.first for month in self.rollup.missing_months(now))]
        return min(missing, default=None)
