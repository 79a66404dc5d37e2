"""Scheduled jobs. `schedule` only decides when to look; what is due is decided from the database each time.

A job that fails is logged and runs again later; it can neither stop the scheduler nor delay another job for long.
"""

import math
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Protocol

import schedule

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.diagnostics import customers
from daemon.diagnostics.verification import Verification
from daemon.errors import ChatelloError
from daemon.mongo.types import Database
from daemon.rollup.retention import HistoryPruner
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs, metrics
from daemon.runtime.business_metrics import BUSINESS
from daemon.runtime.health import Health, Instant
from daemon.store import gaps
from rules import business_days
from rules.insights import calendar

TICK_SECONDS = 1.0
JUMP_SECONDS = 30.0
LIVE_ROW_SHARE = 0.05
"""Largest share of the time that is spent on the live row; it takes 7 s for 100,000 external events."""
JOBS = (
    *("close_days", "verify", "prune_history", "count_api_calls", "refresh_today", "count_records", "count_todo"),
    "announce",
)

Job = Callable[[], bool | None]
"""Work of the scheduler; returns False if it has to be repeated."""

log = logs.get("scheduler")


class LeaderHandle(Protocol):
    """What the scheduler asks of the current leader."""

    def take_changed(self) -> bool:
        """Return whether anything was committed since the last call."""

    def emit_daily_events(self) -> None:
        """Have the pipeline's thread emit the events of the day, and wait a few seconds for it."""

    def announce(self) -> None:
        """Have the pipeline's thread add what became final, and who was forgotten, to the outbox."""

    def count_api_calls(self) -> None:
        """Count the day's API calls, and have the pipeline's thread emit the milestones they reach."""


class Scheduler:
    """Runs rollups, verification, retention and the live row while this daemon leads.

    `wait` sleeps between two comparisons of a verification; it is called with seconds.
    """

    def __init__(
        self,
        database: Database,
        rollup: Rollup,
        config: ActiveConfig,
        health: Health,
        leader: LeaderHandle,
        wait: Callable[[float], None],
    ) -> None:
        self.database = database
        self.rollup = rollup
        self.config = config
        self.health = health
        self.leader = leader
        self.wait = wait
        self.pruner = HistoryPruner(rollup, config.current)
        self.time = config.current.time
        self._heartbeat = health.heartbeat_of("scheduler")
        self._due: list[Job] = [self.verify]
        """Daily jobs to be repeated. Starts with the verification, because its last result is not stored."""
        self._last_closed = self._closed_by_clock()
        self._last_passed = self._passed_day()
        self.scheduler = self._scheduler()
        self._next_live_row = 0.0
        self._offset = _clock_offset()
        for job in JOBS:
            for outcome in ("success", "failure"):
                metrics.JOBS.labels(job, outcome)

    def _scheduler(self) -> schedule.Scheduler:
        scheduler = schedule.Scheduler()
        scheduler.every(10).minutes.do(self._retry_due)
        scheduler.every(10).minutes.do(self._guarded, self.close_days)
        scheduler.every(5).minutes.do(self._guarded, self.leader.count_api_calls)
        scheduler.every(math.ceil(self.time.live_row_seconds)).seconds.do(self._guarded, self.refresh_today)
        scheduler.every(1).minutes.do(self._guarded, self.count_records)
        scheduler.every(10).minutes.do(self._guarded, self.count_todo)
        scheduler.every(10).seconds.do(self._guarded, self.leader.announce)
        return scheduler

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set; missing rows are written as soon as this daemon leads."""
        has_started = False
        self._load_holidays()
        while not stop.wait(TICK_SECONDS):
            self._heartbeat()
            metrics.SCHEDULER_TICK.set(clock.now().timestamp())
            if self.health.role != "leader":
                has_started = False
                continue
            if not has_started:
                self._start()
                has_started = True
            self._watch_day()
            self._watch_position()
            self._follow_the_clock()
            self.scheduler.run_pending()

    def _start(self) -> None:
        self._last_passed = self._passed_day()
        self._guarded(self.close_days)
        self._daily(self.prune_history)
        self._guarded(self.leader.count_api_calls)
        self._guarded(self.refresh_today)
        self._guarded(self.count_todo)
        self._guarded(self.leader.announce)

    def _watch_day(self) -> None:
        """Run the daily jobs once the configured time of day has passed, in the configured zone."""
        closed = self._closed_by_clock()
        if closed != self._last_closed:
            self._last_closed = closed
            self._guarded(self.close_days)
            self._daily(self.verify)
            self._daily(self.prune_history)

    def _watch_position(self) -> None:
        """Close days as soon as the committed position has passed them, which may be long after the start."""
        passed = self._passed_day()
        if passed != self._last_passed:
            self._last_passed = passed
            self._guarded(self.close_days)
            self._guarded(self.refresh_today)

    def _passed_day(self) -> date | None:
        """Return the newest day that is closed by the time of the committed position; None before the first commit."""
        seconds = self.health.at(Instant.CHECKPOINT)
        if not seconds:
            return None
        return business_days.last_closed(datetime.fromtimestamp(seconds, UTC), self.time.rollup_at, self.time.zone)

    def _closed_by_clock(self) -> date:
        return business_days.last_closed(clock.now(), self.time.rollup_at, self.time.zone)

    def _follow_the_clock(self) -> None:
        """Restart `schedule` after the clock was set, because its next runs may then be years away."""
        offset = _clock_offset()
        if abs(offset - self._offset) > JUMP_SECONDS:
            log.warning("clock.jumped", seconds=round(offset - self._offset))
            self.scheduler = self._scheduler()
            self._guarded(self.close_days)
        self._offset = offset

    def _load_holidays(self) -> None:
        """Load the year's holidays, which takes 0.1 s, before the pipeline needs them."""
        settings = self.config.current.settings()
        calendar.holiday_names(business_days.business_day(clock.now(), settings.zone), settings.thresholds.calendar)

    def close_days(self) -> None:
        """Write the missing final rows, whatever time it is."""
        self.leader.emit_daily_events()
        now = self.rollup.now()
        missing = len(self.rollup.missing_days(now)) + len(self.rollup.missing_months(now))
        metrics.ROWS_MISSING.set(missing)  # before they are written: a row that fails stays missing and is counted
        written = self.rollup.close_missing(now)
        self.health.record(Instant.ROLLUP, clock.now().timestamp())
        metrics.ROWS_MISSING.set(len(self.rollup.missing_days(now)))
        self.leader.announce()
        if written:
            log.info("days.closed", days=[str(day) for day in written])

    def verify(self) -> bool:
        """Verify ledger = running totals = source; log and export the result. Return whether they are equal."""
        result = Verification(self.database, self.config.current, self.wait).verify_totals()
        self.health.record_verification(clock.now().timestamp(), len(result.mismatches))
        if result.passed:
            log.info("verification.passed", **result.totals)
        for mismatch in result.mismatches:
            log.error("verification.failed", mismatch=mismatch, hint="chatello-analytics verify, then reconcile")
        return result.passed

    def prune_history(self) -> None:
        """Delete what is older than `[retention]` keeps."""
        self.pruner.run(self._heartbeat)

    def refresh_today(self) -> None:
        """Write today's live row if anything was committed since, or if another writer changed it.

        A row that took long is not written again until `LIVE_ROW_SHARE` is kept.
        """
        began = clock.monotonic()
        if began < self._next_live_row:
            return
        now = self.rollup.now()
        if self.leader.take_changed() or self.rollup.today_was_changed(now):
            BUSINESS.show_rates(self.rollup.write_today(now))
            took = clock.monotonic() - began
            self._next_live_row = began + took / LIVE_ROW_SHARE

    def count_records(self) -> None:
        """Count open gaps and held documents, which commands may have changed."""
        gaps.export_counts(self.database)

    def count_todo(self) -> None:
        """Count what is to do today, for the metrics."""
        customers.export_todo(self.database, self.config.current.settings())

    def _daily(self, job: Job) -> None:
        """Run a daily job. If it fails, retry every ten minutes instead of waiting for the next day."""
        self._due = [other for other in self._due if other != job]
        if not self._guarded(job):
            self._due.append(job)

    def _retry_due(self) -> None:
        for job in tuple(self._due):
            self._daily(job)

    def _guarded(self, job: Job) -> bool:
        """Run a job, log its error, and count the outcome. Return whether it is done."""
        began, outcome, done = clock.monotonic(), "success", False
        try:
            done = job() is not False
        except ChatelloError as error:
            outcome = "failure"
            log.error("job.failed", job=job.__name__, problem=str(error))
        metrics.JOBS.labels(job.__name__, outcome).inc()
        metrics.JOB_SECONDS.labels(job.__name__).set(clock.monotonic() - began)
        self._heartbeat()
        return done


def _clock_offset() -> float:
    """Wall time minus monotonic time: changes only when the clock is set or the machine slept."""
    return clock.now().timestamp() - clock.monotonic()
