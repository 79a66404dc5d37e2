"""Clocks that lie and rollups that collide: every day gets its row once, whatever time this machine thinks it is."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from daemon import clock
from daemon.bell import Bell
from daemon.embedded import wait_for
from daemon.errors import Unavailable
from daemon.metrics import REGISTRY
from daemon.nightly import Nightly
from daemon.progress import Progress
from daemon.proof import Proof
from daemon.store import rows
from rules import days
from tests import shop
from tests.oracle import events

Db = Database[dict[str, Any]]
DECADE = timedelta(days=3653)


@pytest.fixture
def nightly(mongo_uri: str, database: Db) -> Nightly:
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
    return Nightly(database, config)


@pytest.mark.parametrize("lie", [DECADE, -DECADE], ids=["ten years ahead", "ten years back"])
def test_a_clock_ten_years_off_neither_closes_days_to_come_nor_forgets_those_that_are_owed(
    nightly: Nightly, database: Db, monkeypatch: pytest.MonkeyPatch, lie: timedelta
) -> None:
    today = days.business_day(nightly.now(), nightly.settings.zone)
    right = clock.now
    monkeypatch.setattr(clock, "now", lambda: right() + lie)
    bell = _bell(nightly)
    bell.close_days()
    bell.keep_today()

    stored = [row["date"].date() for row in database.historical_analytics.find().sort("date", 1)]
    closed = [day for day in stored if rows.final_days(database, day, day)]
    assert stored[-1] == today
    assert closed == stored[:-1]
    assert len(closed) in (3, 4), "yesterday's row is owed only from six o'clock on"


class _Term:
    """A leader to whom nothing happens but changes."""

    def take_changed(self) -> bool:
        return True

    def keep_diary(self) -> None:
        return None

    def count_calls(self) -> None:
        return None


def _bell(nightly: Nightly) -> Bell:
    config = shop.config_for("mongodb://unused", nightly.database)
    return Bell(nightly, Proof(nightly.database, config), config, Progress(), _Term())


def test_a_clock_that_jumped_ahead_and_back_leaves_no_job_waiting_for_years(
    nightly: Nightly, monkeypatch: pytest.MonkeyPatch
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


def test_many_rollups_of_the_same_day_at_once_leave_one_row(nightly: Nightly, database: Db) -> None:
    day = days.business_day(nightly.now(), nightly.settings.zone) - timedelta(days=4)
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
    (row,) = database.historical_analytics.find({"date": days.stored(day)})
    assert (row["mrr"], row["final"], row["revision"]) == (7.99, True, 0)


def test_a_crash_in_the_middle_of_a_rollup_leaves_the_day_owed_and_the_next_one_whole(
    nightly: Nightly, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = nightly.now()
    owed = nightly.owed(now)
    write = rows.write

    def crash(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rows, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        nightly.catch_up(now)
    monkeypatch.setattr(rows, "write", write)

    assert nightly.owed(now) == owed
    assert nightly.catch_up(now) == owed
    assert nightly.owed(now) == []
    assert database.historical_analytics.count_documents({"final": True}) == len(owed)


def test_a_day_that_cannot_be_written_shows_as_owed(nightly: Nightly, monkeypatch: pytest.MonkeyPatch) -> None:
    bell = _bell(nightly)
    owed = nightly.owed(nightly.now())

    def refuse(*_arguments: Any, **_more: Any) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(rows, "write", refuse)
        bell._guarded(bell.close_days)
    shown = REGISTRY.get_sample_value("chatello_analytics_rows_owed")
    bell._guarded(bell.close_days)

    assert shown == len(owed) > 0
    assert REGISTRY.get_sample_value("chatello_analytics_rows_owed") == 0
