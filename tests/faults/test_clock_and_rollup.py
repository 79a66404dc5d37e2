"""Clocks that lie and rollups that collide: every day gets its row once, whatever time this machine thinks it is."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics.verification import Verification
from daemon.errors import AccessDenied, Unavailable
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.runtime.health import Health
from daemon.runtime.metrics import REGISTRY
from daemon.scheduler import Scheduler
from daemon.store import rows
from rules import business_days
from tests import shop
from tests.oracle import events

DECADE = timedelta(days=3653)


@pytest.fixture
def nightly(mongo_uri: str, database: Database) -> Rollup:
    """A shop with one sale, four days ago."""
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, shop.customer(database, "A"), plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the licence")
    earlier = timedelta(days=4)
    for movement in database.analytics_ledger.find():
        moved = {"day": movement["day"] - earlier, "at": movement["at"] - earlier}
        database.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
    return Rollup(database, config)


@pytest.mark.parametrize("lie", [DECADE, -DECADE], ids=["ten years ahead", "ten years back"])
def test_a_clock_ten_years_off_neither_closes_days_to_come_nor_forgets_those_that_are_owed(
    nightly: Rollup, database: Database, monkeypatch: pytest.MonkeyPatch, lie: timedelta
) -> None:
    today = business_days.business_day(nightly.now(), nightly.settings.zone)
    right = clock.now
    monkeypatch.setattr(clock, "now", lambda: right() + lie)
    bell = _bell(nightly)
    bell.close_days()
    bell.refresh_today()

    stored = [row["date"].date() for row in database.historical_analytics.find().sort("date", 1)]
    closed = [day for day in stored if rows.final_days(database, day, day)]
    assert stored[-1] == today
    assert closed == stored[:-1]
    assert len(closed) in (3, 4), "yesterday's row is owed only from six o'clock on"


class _Term:
    """A leader to whom nothing happens but changes."""

    def take_changed(self) -> bool:
        return True

    def emit_daily_events(self) -> None:
        return None

    def count_api_calls(self) -> None:
        return None


def _bell(nightly: Rollup, wait: Callable[[float], None] = time.sleep) -> Scheduler:
    config = shop.config_for("mongodb://unused", nightly.database)
    return Scheduler(nightly, Verification(nightly.database, config, wait), config, Health(), _Term())


def test_a_clock_that_jumped_ahead_and_back_leaves_no_job_waiting_for_years(
    nightly: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = _bell(nightly)
    stuck = bell.scheduler
    right = clock.now
    monkeypatch.setattr(clock, "now", lambda: right() + DECADE)
    bell._follow_the_clock()
    monkeypatch.setattr(clock, "now", right)
    bell._follow_the_clock()
    bell._follow_the_clock()

    assert bell.scheduler is not stuck
    assert all(job.next_run is not None for job in bell.scheduler.jobs)
    assert bell.scheduler.idle_seconds is not None
    assert bell.scheduler.idle_seconds < 3600


def test_many_rollups_of_the_same_day_at_once_leave_one_row(nightly: Rollup, database: Database) -> None:
    day = business_days.business_day(nightly.now(), nightly.settings.zone) - timedelta(days=4)
    problems: list[BaseException] = []

    def write() -> None:
        try:
            nightly.write(day, final=True)
        except BaseException as problem:  # noqa: BLE001 - told below
            problems.append(problem)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    (row,) = database.historical_analytics.find({"date": business_days.stored(day)})
    assert (row["mrr"], row["final"], row["revision"]) == (7.99, True, 0)


def test_a_crash_in_the_middle_of_a_rollup_leaves_the_day_owed_and_the_next_one_whole(
    nightly: Rollup, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = nightly.now()
    owed = nightly.missing_days(now)
    write = rows.write

    def crash(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rows, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        nightly.close_missing(now)
    monkeypatch.setattr(rows, "write", write)

    assert nightly.missing_days(now) == owed
    assert nightly.close_missing(now) == owed
    assert nightly.missing_days(now) == []
    assert database.historical_analytics.count_documents({"final": True}) == len(owed)


def test_a_day_that_cannot_be_written_shows_as_owed(nightly: Rollup, monkeypatch: pytest.MonkeyPatch) -> None:
    bell = _bell(nightly)
    owed = nightly.missing_days(nightly.now())

    def refuse(*_arguments: Any, **_more: Any) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(rows, "write", refuse)
        bell._guarded(bell.close_days)
    shown = REGISTRY.get_sample_value("chatello_analytics_rows_owed")
    bell._guarded(bell.close_days)

    assert shown == len(owed) > 0
    assert REGISTRY.get_sample_value("chatello_analytics_rows_owed") == 0


def test_many_owed_rows_are_progress_one_by_one(nightly: Rollup) -> None:
    beats: list[None] = []
    nightly.beat = lambda: beats.append(None)
    owed = nightly.close_missing(nightly.now())

    assert len(beats) >= len(owed) > 1


def _sample(name: str) -> float:
    return REGISTRY.get_sample_value(f"chatello_analytics_{name}") or 0.0


def test_a_mismatch_is_proved_again_until_it_is_mended_not_until_tomorrow(nightly: Rollup, database: Database) -> None:
    bell = _bell(nightly, wait=lambda _seconds: None)
    database.analytics_ledger.update_one({"mrr_cents": 799}, {"$set": {"mrr_cents": 800}})
    bell.verify()
    broken = _sample("proof_mismatches")
    database.analytics_ledger.update_one({"mrr_cents": 800}, {"$set": {"mrr_cents": 799}})
    _ten_minutes_later(bell)

    assert broken == 1
    assert _sample("proof_mismatches") == 0
    assert _sample("proof_success_timestamp_seconds") > 0
    assert bell.proof.numbers().holds


def test_a_proof_that_cannot_be_made_is_a_failed_job_and_no_mismatch(nightly: Rollup, database: Database) -> None:
    bell = _bell(nightly, wait=lambda _seconds: None)
    bell.verify()
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"reconciling": "a gap"}})
    failed = _failures("prove")
    with pytest.raises(Unavailable, match="reconciling"):
        bell.verify()
    _ten_minutes_later(bell)

    assert _failures("prove") == failed + 1
    assert _sample("proof_mismatches") == 0


def test_the_numbers_are_proved_within_ten_minutes_of_a_start_and_then_rest(nightly: Rollup) -> None:
    bell = _bell(nightly)
    proved = _runs("prove")
    _ten_minutes_later(bell)
    _ten_minutes_later(bell)

    assert _runs("prove") == proved + 1


def test_a_job_of_the_day_that_failed_is_tried_again_within_the_hour(
    nightly: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = _bell(nightly)

    def refused(_beat: object) -> None:
        raise AccessDenied("no right to remove")

    monkeypatch.setattr(bell.retention, "keep", refused)
    failed = _failures("let_go")
    bell._daily(bell.prune_history)
    _ten_minutes_later(bell)
    monkeypatch.undo()
    _ten_minutes_later(bell)
    _ten_minutes_later(bell)

    assert _failures("let_go") == failed + 2


def _failures(task: str) -> float:
    return REGISTRY.get_sample_value("chatello_analytics_jobs_total", {"task": task, "outcome": "failure"}) or 0.0


def _runs(task: str) -> float:
    return _failures(task) + (
        REGISTRY.get_sample_value("chatello_analytics_jobs_total", {"task": task, "outcome": "success"}) or 0.0
    )


def _ten_minutes_later(bell: Scheduler) -> None:
    """Ring every job that is due each ten minutes."""
    for job in bell.scheduler.jobs:
        if (job.interval, job.unit) == (10, "minutes"):
            assert job.job_func is not None
            job.job_func()
