"""The whole flow with the real process: four days offline, a gap in the stream, each day's row as of its midnight.

Clocks are not changed: earlier documents are dated back, which is equivalent for the daemon.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId, Timestamp

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.types import Database
from rules import business_days
from tests import shop
from tests.oracle import assert_ledger_consistent, events
from tests.system.test_process import run_once

ROME = ZoneInfo("Europe/Rome")
AWAY = timedelta(days=4)
SETTINGS = {"CHATELLO_TIME__ROLLUP_AT": "00:00", "CHATELLO_TIME__LIVE_ROW_SECONDS": "1"}


def local(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ROME)


def row(db: Database, day: date) -> dict[str, Any]:
    return db.historical_analytics.find_one({"date": business_days.stored(day), "period_type": "daily"}) or {}


def date_back(db: Database) -> None:
    """Move ledger, events and checkpoint back by four days, with the fingerprint of another filter."""
    for movement in list(db.analytics_ledger.find()):
        moved = {"day": movement["day"] - AWAY, "at": movement["at"] - AWAY}
        db.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
    for collection, name in (("business_events", "event_date"), ("customers", "created_at")):
        for document in list(db[collection].find()):
            db[collection].update_one({"_id": document["_id"]}, {"$set": {name: document[name] - AWAY}})
    checkpoint = db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    then = Timestamp(checkpoint["cluster_time"].time - int(AWAY.total_seconds()), 1)
    moved_checkpoint: dict[str, Any] = {
        "cluster_time": then,
        "token": None,
        "memory": {},
        "fingerprint": "of an older version",
    }
    db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": moved_checkpoint})
    db.historical_analytics.drop()
    db.analytics_rows.delete_many({})


def set_expiry(db: Database, license: ObjectId, end: datetime) -> None:
    """Set the expiry of a license in the source and in the mirror."""
    db.licenses.update_one({"_id": license}, {"$set": {"expires_at": end}})
    mirrored = {"fields.expires_at": end, "due": end}
    db.analytics_mirror.update_one({"_id": {"k": "licenses", "id": license}}, {"$set": mirrored})


@pytest.fixture
def after_four_days(mongo_uri: str, database: Database) -> Iterator[tuple[Database, date]]:
    """Run a daemon that was offline for four days until all days are closed; yield its database and today's date."""
    plans = shop.plans(database)
    with shop.process(mongo_uri, database.name, **SETTINGS) as process:
        wait_for(lambda: database.analytics_checkpoint.count_documents({"token": {"$ne": None}}) == 1, "the stream", 30)
        ada, bruno = (shop.customer(database, name, email=f"{name}@chatello.io") for name in ("Ada", "Bruno"))
        shop.license(database, ada, plans["pro"])
        ending = shop.license(database, bruno, plans["agency"])
        wait_for(lambda: events(database)["payment_completed", ending] == 1, "the license events")
        process.stop()
    date_back(database)
    today = business_days.business_day(clock.now(), ROME)
    set_expiry(database, ending, local(today - timedelta(days=2), 18))
    shop.customer(database, "Carla", created_at=local(today - timedelta(days=2), 12))
    with shop.process(mongo_uri, database.name, **SETTINGS):
        finals = {"final": True, "period_type": "daily"}
        wait_for(lambda: database.historical_analytics.count_documents(finals) >= 4, "the days to be closed", 60)
        yield database, today


def test_each_of_four_days_offline_gets_its_row_as_of_its_midnight(after_four_days: tuple[Database, date]) -> None:
    database, today = after_four_days
    found = [row(database, today - timedelta(days=n)) for n in (4, 3, 2, 1)]

    assert [stored["total_customers"] for stored in found] == [2, 2, 3, 3]
    assert [stored["mrr"] for stored in found] == [27.98, 27.98, 7.99, 7.99]
    assert [stored["churned_customers"] for stored in found] == [0, 0, 1, 0]
    assert "🎉 Nuovo cliente: Carla" in found[2]["notes"]
    assert "⌛ Licenza Agency scaduta: Bruno" in found[2]["notes"]
    assert all(stored["final"] and stored["revision"] == 0 for stored in found)
    assert row(database, today).get("final") is not True
    assert database.analytics_gaps.count_documents({"closed_at": {"$ne": None}, "cause": "filter_change"}) == 1
    assert_ledger_consistent(database)


def test_a_row_replaced_by_save_today_is_restored_with_the_admins_text(after_four_days: tuple[Database, date]) -> None:
    database, today = after_four_days
    dashboard = Dashboard(database, Random(1))
    dashboard.set_up(clock.now())
    dashboard.save_today(local(today, 12), notes="Chiuso per inventario")
    wait_for(lambda: "revision" in row(database, today), "the row to be restored", 30)

    restored = row(database, today)
    assert (restored["notes"], restored["mrr"], restored["subscribers"]) == ("Chiuso per inventario", 7.99, 1)


def test_a_late_event_amends_its_day_and_every_row_still_passes_the_check(
    mongo_uri: str, after_four_days: tuple[Database, date]
) -> None:
    database, today = after_four_days
    day = today - timedelta(days=3)
    database.business_events.insert_one(
        {"event_type": "media_mention", "event_date": local(day, 9), "description": "Articolo su Wired", "metadata": {}}
    )
    reopened = {"reopened.day": business_days.stored(day)}
    wait_for(lambda: database.analytics_checkpoint.count_documents(reopened) == 1, "the day to be reopened", 30)
    environment = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": database.name, **SETTINGS}
    status, output = run_once("rollup", **environment)

    assert status == 0, output
    assert (row(database, day)["revision"], row(database, day)["notes"]) == (1, "📰 Articolo su Wired")
    assert f"period={day}" in output.replace("'", "") or f'"period": "{day}"' in output
    assert run_once("rollup", "--check", **environment)[0] == 0
    status, output = run_once("explain", str(today - timedelta(days=2)), "mrr", **environment)
    assert (status, "churn  expired  Bruno" in output) == (0, True), output
