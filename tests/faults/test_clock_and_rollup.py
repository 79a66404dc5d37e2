"""Wrong clocks and concurrent rollups: each day gets exactly one row, whatever the system clock shows."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics.verification import Verification
from daemon.errors import AccessDenied, Unavailable
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.runtime import metrics
from daemon.runtime.health import Health
from daemon.runtime.metrics import REGISTRY
from daemon.scheduler import Scheduler
from daemon.store import rows
from rules import business_days
from tests import shop
from tests.oracle import events

DECADE = timedelta(days=3653)


@pytest.fixture
def rollup(mongo_uri: str, database: Database) -> Rollup:
    """Return a rollup on a shop with one sale, four days ago."""
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, shop.customer(database, "A"), plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license event")
    earlier = timedelta(days=4)
    for movement in database.analytics_ledger.find():
        moved = {"day": movement["day"] - earlier, "at": movement["at"] - earlier}
        database.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
    return Rollup(database, ActiveConfig(config))


@pytest.mark.parametrize("offset", [DECADE, -DECADE], ids=["ten years ahead", "ten years back"])
def test_a_clock_ten_years_off_neither_closes_future_days_nor_skips_missing_ones(
    rollup: Rollup, database: Database, monkeypatch: pytest.MonkeyPatch, offset: timedelta
) -> None:
    today = business_days.business_day(rollup.now(), rollup.settings.zone)
    right = clock.now
    monkeypatch.setattr(clock, "now", lambda: right() + offset)
    scheduler = _scheduler(rollup)
    scheduler.close_days()
    scheduler.refresh_today()

    stored = [row["date"].date() for row in database.historical_analytics.find().sort("date", 1)]
    closed = [day for day in stored if rows.final_days(database, day, day)]
    assert stored[-1] == today
    assert closed == stored[:-1]
    assert len(closed) in (3, 4), "yesterday's row is due only after 06:00"


class FakeLeader:
    """LeaderHandle whose shop changes all the time."""

    def take_changed(self) -> bool:
        return True

    def emit_daily_events(self) -> None:
        return None

    def announce(self) -> None:
        return None

    def count_api_calls(self) -> None:
        return None


def _scheduler(rollup: Rollup, wait: Callable[[float], None] = time.sleep) -> Scheduler:
    config = shop.config_for("mongodb://unused", rollup.database)
    health = Health()
    metrics.watch(health)
    return Scheduler(rollup.database, rollup, ActiveConfig(config), health, FakeLeader(), wait)


def test_a_clock_that_jumped_ahead_and_back_leaves_no_job_waiting_for_years(
    rollup: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = _scheduler(rollup)
    stuck = scheduler.scheduler
    right = clock.now
    monkeypatch.setattr(clock, "now", lambda: right() + DECADE)
    scheduler._follow_the_clock()
    monkeypatch.setattr(clock, "now", right)
    scheduler._follow_the_clock()
    scheduler._follow_the_clock()

    assert scheduler.scheduler is not stuck
    assert all(job.next_run is not None for job in scheduler.scheduler.jobs)
    assert scheduler.scheduler.idle_seconds is not None
    assert scheduler.scheduler.idle_seconds < 3600


def test_many_rollups_of_the_same_day_at_once_leave_one_row(rollup: Rollup, database: Database) -> None:
    day = business_days.business_day(rollup.now(), rollup.settings.zone) - timedelta(days=4)
    problems: list[BaseException] = []

    def write() -> None:
        try:
            rollup.write(day, final=True)
        except BaseException as problem:  # noqa: BLE001 - asserted below
            problems.append(problem)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    (row,) = database.historical_analytics.find({"date": business_days.stored(day)})
    assert (row["mrr"], row["final"], row["revision"]) == (7.99, True, 0)


def test_after_a_crash_during_a_rollup_the_day_is_still_missing_and_the_next_run_completes_it(
    rollup: Rollup, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = rollup.now()
    missing = rollup.missing_days(now)
    write = rows.write

    def crash(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rows, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        rollup.close_missing(now)
    monkeypatch.setattr(rows, "write", write)

    assert rollup.missing_days(now) == missing
    assert rollup.close_missing(now) == missing
    assert rollup.missing_days(now) == []
    assert database.historical_analytics.count_documents({"final": True}) == len(missing)


def test_a_day_that_cannot_be_written_is_counted_as_missing(rollup: Rollup, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _scheduler(rollup)
    missing = rollup.missing_days(rollup.now())

    def refuse(*_arguments: Any, **_more: Any) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(rows, "write", refuse)
        scheduler._guarded(scheduler.close_days)
    shown = REGISTRY.get_sample_value("chatello_analytics_rows_missing")
    scheduler._guarded(scheduler.close_days)

    assert shown == len(missing) > 0
    assert REGISTRY.get_sample_value("chatello_analytics_rows_missing") == 0


def test_each_of_many_missing_rows_is_a_heartbeat(rollup: Rollup) -> None:
    heartbeats: list[None] = []
    rollup.heartbeat = lambda: heartbeats.append(None)
    missing = rollup.close_missing(rollup.now())

    assert len(heartbeats) >= len(missing) > 1


def _sample(name: str) -> float:
    return REGISTRY.get_sample_value(f"chatello_analytics_{name}") or 0.0


def test_verification_is_retried_every_ten_minutes_until_a_mismatch_is_fixed(
    rollup: Rollup, database: Database
) -> None:
    scheduler = _scheduler(rollup, wait=lambda _seconds: None)
    database.analytics_ledger.update_one({"mrr_cents": 799}, {"$set": {"mrr_cents": 800}})
    scheduler.verify()
    broken = _sample("verification_mismatches")
    database.analytics_ledger.update_one({"mrr_cents": 800}, {"$set": {"mrr_cents": 799}})
    _ten_minutes_later(scheduler)

    assert broken == 1
    assert _sample("verification_mismatches") == 0
    assert _sample("verification_success_timestamp_seconds") > 0
    assert Verification(database, scheduler.config.current).verify_totals().passed


def test_a_verification_that_cannot_run_is_a_failed_job_and_not_a_mismatch(rollup: Rollup, database: Database) -> None:
    scheduler = _scheduler(rollup, wait=lambda _seconds: None)
    scheduler.verify()
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"reconciling": "a gap"}})
    failed = _failures("verify")
    with pytest.raises(Unavailable, match="reconciling"):
        scheduler.verify()
    _ten_minutes_later(scheduler)

    assert _failures("verify") == failed + 1
    assert _sample("verification_mismatches") == 0


def test_verification_runs_once_within_ten_minutes_of_a_start(rollup: Rollup) -> None:
    scheduler = _scheduler(rollup)
    before = _runs("verify")
    _ten_minutes_later(scheduler)
    _ten_minutes_later(scheduler)

    assert _runs("verify") == before + 1


def test_a_failed_daily_job_is_retried_within_the_hour(rollup: Rollup, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _scheduler(rollup)

    def refused(_heartbeat: object) -> None:
        raise AccessDenied("no right to remove")

    monkeypatch.setattr(scheduler.pruner, "run", refused)
    failed = _failures("prune_history")
    scheduler._daily(scheduler.prune_history)
    _ten_minutes_later(scheduler)
    monkeypatch.undo()
    _ten_minutes_later(scheduler)
    _ten_minutes_later(scheduler)

    assert _failures("prune_history") == failed + 2


def _failures(task: str) -> float:
    return REGISTRY.get_sample_value("chatello_analytics_jobs_total", {"task": task, "outcome": "failure"}) or 0.0


def _runs(task: str) -> float:
    return _failures(task) + (
        REGISTRY.get_sample_value("chatello_analytics_jobs_total", {"task": task, "outcome": "success"}) or 0.0
    )


def _ten_minutes_later(scheduler: Scheduler) -> None:
    """Run each job with an interval of ten minutes."""
    for job in scheduler.scheduler.jobs:
        if (job.interval, job.unit) == (10, "minutes"):
            assert job.job_func is not None
            job.job_func()
