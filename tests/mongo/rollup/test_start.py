"""A start after several days: all missing rows are closed at once, with the events of the days passed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import pytest
from bson import Timestamp

from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.leader import term
from daemon.leader.election import Election
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.runtime import metrics
from daemon.runtime.business_metrics import BUSINESS
from daemon.runtime.health import Health, Instant
from daemon.runtime.supervisor import ThreadSupervisor
from daemon.scheduler import Scheduler
from daemon.store import indexes, rows
from rules import business_days
from tests import shop
from tests.oracle import events
from tests.shop_history import ShopHistory, config_of, local, move_clock, row_of

AWAY = timedelta(days=4)
OWN_DATE = "Compleanno di Chatello"


@contextmanager
def daemon_threads(config: Config, database: Database) -> Iterator[None]:
    """Run pipeline and scheduler as the process does."""
    active, health, stop = ActiveConfig(config), Health(), threading.Event()
    metrics.watch(health)
    indexes.create(database)
    election = Election(database, active, health, stop, threading.Event())
    scheduler = Scheduler(database, Rollup(database, active), active, health, election, lambda seconds: None)
    supervisor = ThreadSupervisor(stop)
    supervisor.start("pipeline", election.run)
    supervisor.start("scheduler", lambda: scheduler.run(stop))
    try:
        yield
    finally:
        stop.set()
        supervisor.wait()


def stop_four_days_ago(database: Database, today: date) -> None:
    """Date back what was booked and the checkpoint; its resume token stays valid."""
    for movement in list(database.analytics_ledger.find()):
        moved = {"day": movement["day"] - AWAY, "at": movement["at"] - AWAY}
        database.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
    for event in list(database.business_events.find()):
        moved = {"event_date": event["event_date"] - AWAY}
        database.business_events.update_one({"_id": event["_id"]}, {"$set": moved})
    checkpoint = database.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    diary = {"opened": str(today - AWAY), "closed": str(today - AWAY - timedelta(days=1))}
    then = Timestamp(checkpoint["cluster_time"].time - int(AWAY.total_seconds()), 1)
    stood = {"cluster_time": then, "memory.diary": diary}
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": stood})


def test_a_start_after_four_days_closes_all_days_and_emits_todays_date_at_once(
    mongo_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is four days old when the scheduler starts; no job that runs every ten minutes is needed."""
    first = shop.config_for(mongo_uri, database)
    with shop.running(first):
        plans = shop.plans(database)
        license = shop.license(database, shop.customer(database, "Ada"), plans["pro"])
        shop.until(lambda: events(database)["payment_completed", license] == 1, "the payment")
    now = Rollup(database, ActiveConfig(first)).now()
    today = business_days.business_day(now, first.time.zone)
    closed = business_days.last_closed(now, first.time.rollup_at, first.time.zone)
    stop_four_days_ago(database, today)
    monkeypatch.setattr(term, "position_problem", lambda *_: None)  # the token is newer than the dated-back checkpoint
    calendar = {"thresholds": {"calendar": {"own_dates": {f"{today:%m-%d}": OWN_DATE}}}}
    config = shop.config_for(mongo_uri, database, rules=calendar, stream={"checkpoint_seconds": 5})
    expected = set(business_days.between(today - AWAY, closed))

    with daemon_threads(config, database):
        shop.until(lambda: rows.final_days(database, date.min, date.max) == expected, "all days to be closed", 30)
        shop.until(lambda: OWN_DATE in str(rows.read(database, today, today)), "today's row with its date", 20)

    final = rows.read(database, today - AWAY, closed)
    assert {row["revision"] for row in final} == {0}
    assert "Ada" in final[0]["notes"]


class FakeLeader:
    """A leader that emits nothing."""

    def take_changed(self) -> bool:
        return False

    def emit_daily_events(self) -> None:
        return None

    def announce(self) -> None:
        return None

    def count_api_calls(self) -> None:
        return None


def scheduler_at(life: ShopHistory, now: datetime) -> tuple[Scheduler, Health]:
    """Return a scheduler that has started while the committed position was at `now`."""
    move_clock(life.db, now)
    active, health = ActiveConfig(config_of(life.db)), Health()
    metrics.watch(health)
    health.record(Instant.CHECKPOINT, now.timestamp())
    scheduler = Scheduler(life.db, Rollup(life.db, active), active, health, FakeLeader(), lambda seconds: None)
    scheduler._start()
    return scheduler, health


def test_days_are_closed_as_soon_as_the_position_has_passed_them(life: ShopHistory) -> None:
    scheduler, health = scheduler_at(life, local(date(2025, 6, 27), 12))
    before = max(rows.final_days(life.db, date.min, date.max))
    passed = local(date(2025, 6, 30), 12)
    move_clock(life.db, passed)
    scheduler._watch_position()
    unmoved = max(rows.final_days(life.db, date.min, date.max))
    health.record(Instant.CHECKPOINT, passed.timestamp())
    scheduler._watch_position()

    assert (before, unmoved) == (date(2025, 6, 26), date(2025, 6, 26))
    assert max(rows.final_days(life.db, date.min, date.max)) == date(2025, 6, 29)


def test_an_emptied_note_comes_back_at_the_next_refresh_although_nothing_was_committed(life: ShopHistory) -> None:
    today, now = date(2025, 6, 27), local(date(2025, 6, 27), 12)
    life.customer(local(today, 11), "elena")
    life.store(now)
    scheduler, _ = scheduler_at(life, now)
    Rollup(life.db, ActiveConfig(config_of(life.db))).write_today(now)
    note = row_of(life.db, today)["notes"]
    life.db.historical_analytics.update_one({"date": business_days.stored(today)}, {"$set": {"notes": ""}})
    scheduler.refresh_today()
    back = row_of(life.db, today)
    scheduler.refresh_today()

    assert (back["notes"], note) == (note, "🎉 Nuovo cliente: elena")
    assert row_of(life.db, today) == back, "an unchanged row is not written"
    assert BUSINESS.row["arpa"] == back["arpa"] > 0, "the metrics export the rates of today's row"
