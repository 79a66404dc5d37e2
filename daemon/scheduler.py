"""The bell: `schedule` rings, and what is to be done is decided from the database each time.

A job that fails is logged and rings again; it can neither stop the bell nor starve another job.
"""

import math
import threading
from collections.abc import Callable
from typing import Protocol

import schedule

from daemon import clock
from daemon.config.schema import Config
from daemon.diagnostics.verification import Verification
from daemon.errors import ChatelloError
from daemon.rollup.retention import Retention
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs, metrics
from daemon.runtime.health import Health
from daemon.store import gaps
from rules import business_days
from rules.insights import calendar

TICK_SECONDS = 1.0
JUMP_SECONDS = 30.0
JOBS = ("close_days", "verify", "prune_history", "count_api_calls", "refresh_today", "count_records")

Job = Callable[[], bool | None]
"""What may be rung for; False says that it is yet to be done."""

log = logs.get("scheduler")


class LeaderHandle(Protocol):
    """What the bell asks of whoever leads."""

    def take_changed(self) -> bool:
        """Whether anything was committed since the last call."""

    def emit_daily_events(self) -> None:
        """Have the pipeline tell what the day brings; it is done in its own time."""

    def count_api_calls(self) -> None:
        """Count the day's API calls, and have the pipeline tell what they reach."""


class Scheduler:
    """Rings for the diary, the nightly rows and the live row while this daemon leads."""

    def __init__(
        self,
        nightly: Rollup,
        proof: Verification,
        config: Config,
        progress: Health,
        term: LeaderHandle,
    ) -> None:
        self.nightly = nightly
        self.proof = proof
        self.retention = Retention(nightly, config)
        self.progress = progress
        self.term = term
        self.time = config.time
        self._due: list[Job] = [self.verify]
        """Jobs of the day that are yet to be done; after a start the proof: nobody knows what the last one said."""
        self.scheduler = self._scheduler()
        self._offset = _clock_offset()
        for job in JOBS:
            for outcome in ("success", "failure"):
                metrics.JOBS.labels(job, outcome)

    def set_config(self, config: Config) -> None:
        """Write rows and prove numbers by the rules of another configuration from now on."""
        self.nightly.set_config(config)
        self.proof.set_config(config)

    def _scheduler(self) -> schedule.Scheduler:
        scheduler = schedule.Scheduler()
        at = self.time.rollup_at.strftime("%H:%M:%S")
        scheduler.every().day.at(at, str(self.time.zone)).do(self._guarded, self.close_days)
        scheduler.every().day.at(at, str(self.time.zone)).do(self._daily, self.verify)
        scheduler.every().day.at(at, str(self.time.zone)).do(self._daily, self.prune_history)
        scheduler.every(10).minutes.do(self._retry_due)
        scheduler.every(10).minutes.do(self._guarded, self.close_days)
        scheduler.every(5).minutes.do(self._guarded, self.term.count_api_calls)
        scheduler.every(math.ceil(self.time.live_row_seconds)).seconds.do(self._guarded, self.refresh_today)
        scheduler.every(1).minutes.do(self._guarded, self.count_records)
        return scheduler

    def run(self, stop: threading.Event) -> None:
        """Ring until told to stop; what is owed is looked at as soon as this daemon leads."""
        looked = False
        self._look_up_dates()
        while not stop.wait(TICK_SECONDS):
            self.progress.heartbeat("scheduler", clock.monotonic())
            metrics.BELL.set(clock.now().timestamp())
            if self.progress.role != "leader":
                looked = False
                continue
            if not looked:
                self._guarded(self.close_days)
                self._daily(self.prune_history)
                self._guarded(self.term.count_api_calls)
                self._guarded(self.refresh_today)
                looked = True
            self._follow_the_clock()
            self.scheduler.run_pending()

    def _follow_the_clock(self) -> None:
        """A clock that was set leaves `schedule` waiting for an hour that is years away: it starts anew."""
        offset = _clock_offset()
        if abs(offset - self._offset) > JUMP_SECONDS:
            log.warning("clock.jumped", seconds=round(offset - self._offset))
            self.scheduler = self._scheduler()
            self._guarded(self.close_days)
        self._offset = offset

    def _look_up_dates(self) -> None:
        """Have the year's holidays read, which takes a tenth of a second, before the pipeline asks for them."""
        settings = self.nightly.settings
        calendar.holiday_names(business_days.business_day(clock.now(), settings.zone), settings.thresholds.calendar)

    def close_days(self) -> None:
        """Write the rows that are owed, whatever time it is."""
        self.term.emit_daily_events()
        now = self.nightly.now()
        metrics.ROWS_OWED.set(
            len(self.nightly.missing_days(now)) + len(self.nightly.missing_months(now))
        )  # before it is tried: what fails stays owed, and shows
        written = self.nightly.close_missing(now)
        metrics.ROLLUP.set(clock.now().timestamp())
        metrics.ROWS_OWED.set(len(self.nightly.missing_days(now)))
        if written:
            log.info("days.closed", days=[str(day) for day in written])

    def verify(self) -> bool:
        """Ledger = running totals = source: the nightly proof, told in the log and as a metric; whether it holds."""
        verdict = self.proof.numbers()
        metrics.PROOF_MISMATCHES.set(len(verdict.mismatches))
        if verdict.holds:
            metrics.PROOF.set(clock.now().timestamp())
            log.info("verification.passed", **verdict.totals)
        for mismatch in verdict.mismatches:
            log.error("verification.failed", mismatch=mismatch, cure="chatello-analytics verify, then reconcile")
        return verdict.holds

    def prune_history(self) -> None:
        """Let go of facts that the owner does not keep for ever."""
        self.retention.run(lambda: self.progress.heartbeat("scheduler", clock.monotonic()))

    def refresh_today(self) -> None:
        """Bring today's row up to date, if anything was committed since or somebody replaced it."""
        now = self.nightly.now()
        if self.term.take_changed() or self.nightly.today_was_replaced(now):
            self.nightly.write_today(now)

    def count_records(self) -> None:
        """Look how many gaps are open and documents held: a person may have changed that."""
        gaps.export_counts(self.nightly.database)

    def _daily(self, job: Job) -> None:
        """A job of the day; what is not done by it is tried every ten minutes, for nobody waits until tomorrow."""
        self._due = [other for other in self._due if other != job]
        if not self._guarded(job):
            self._due.append(job)

    def _retry_due(self) -> None:
        for job in tuple(self._due):
            self._daily(job)

    def _guarded(self, job: Job) -> bool:
        """Run a job, whatever becomes of it; whether it is done."""
        began, outcome, done = clock.monotonic(), "success", False
        try:
            done = job() is not False
        except ChatelloError as error:
            outcome = "failure"
            log.error("job.failed", job=job.__name__, problem=str(error))
        metrics.JOBS.labels(job.__name__, outcome).inc()
        metrics.JOB_SECONDS.labels(job.__name__).set(clock.monotonic() - began)
        self.progress.heartbeat("scheduler", clock.monotonic())
        return done


def _clock_offset() -> float:
    """Wall time less monotonic time: it only changes when the clock is set, or the machine slept."""
    return clock.now().timestamp() - clock.monotonic()
