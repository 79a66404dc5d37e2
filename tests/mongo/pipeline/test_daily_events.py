"""Milestones, growth and dates on the real replica set: each emitted once, dated by the stream, and in the note."""

from datetime import date, timedelta
from typing import Any

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.runtime.health import Instant
from daemon.store import checkpoint as checkpoints
from rules import business_days
from rules.insights import daily
from tests import shop
from tests.oracle import assert_ledger_consistent, events


def told(db: Database, **query: Any) -> list[str]:
    return [e["description"] for e in db.business_events.find(query).sort("event_date", 1)]


def milestones(db: Database) -> list[str]:
    return told(db, **{"metadata.milestone_type": {"$exists": True}})


def test_a_milestone_is_told_once_in_a_lifetime_down_and_up_again(mongo_uri: str, database: Database) -> None:
    shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        made = [shop.customer(database, f"C{n}") for n in range(12)]
        database.customers.delete_many({"_id": {"$in": made[:5]}})
        last = [shop.customer(database, f"D{n}") for n in range(6)][-1]
        wait_for(lambda: events(database)["new_customer", last] == 1, "the last customer")

    assert milestones(database) == ["Raggiunti 10 clienti totali!"]
    assert_ledger_consistent(database)


def test_a_first_start_over_an_old_database_tells_no_milestone_of_the_past_but_the_next_one(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    for n in range(24):
        shop.license(database, shop.customer(database, f"C{n}"), plans["starter"])
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = shop.customer(database, "the 25th")
        license = shop.license(database, customer, plans["starter"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")

    assert milestones(database) == ["Raggiunti 25 clienti totali!", "Raggiunte 25 licenze attive!"]


def test_growth_is_told_on_the_day_that_closed_and_again_only_after_its_rest(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        for n in range(4):
            shop.license(database, shop.customer(database, f"C{n}"), plans["agency"])
        wait_for(lambda: len(told(database, event_type="license_created")) == 4, "the licenses")
    nightly = Rollup(database, ActiveConfig(config))
    today = business_days.business_day(nightly.now(), config.time.zone)
    closed = business_days.last_closed(nightly.now(), config.time.rollup_at, config.time.zone)
    _open_twelve_days_ago_and_sell_three_days_ago(database, today, closed)
    before = clock.now().timestamp()
    with shop.running(config) as run:
        assert run.leader is not None
        last = shop.customer(database, "the last one")
        wait_for(lambda: events(database)["new_customer", last] == 1, "the last customer")
        for _ in range(2):
            run.leader.jobs.put(run.leader.daily_events.emit)
        wait_for(lambda: _kept(database, today), "the diary", 20)

    assert run.health.at(Instant.EVENT) >= before - 1, "an event of a closed day is not the newest one"
    assert told(database, **{"metadata.growth_period": "7_days"}) == [
        "MRR aumentato di €79.96 in 7 giorni!",
        "+4 clienti paganti in 7 giorni!",
    ]
    assert "📈 MRR aumentato di €79.96 in 7 giorni!" in nightly.row(closed)["auto_notes"]


def _open_twelve_days_ago_and_sell_three_days_ago(db: Database, today: date, closed: date) -> None:
    """Date what is booked back; the diary ends with the day before the last closed one."""
    for movement in db.analytics_ledger.find():
        earlier = timedelta(days=3)
        moved = {"day": movement["day"] - earlier, "at": movement["at"] - earlier}
        db.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
    first = db.analytics_ledger.find_one({"_id": 1}) or {}
    zero = (
        "customers",
        "mrr_cents",
        "paying_customers",
        "subscribers",
        "active_licenses",
        "licenses",
        "one_time_cents",
    )
    old = {**first, "_id": 0, "day": business_days.stored(today - timedelta(days=12)), **dict.fromkeys(zero, 0)}
    db.analytics_ledger.insert_one({**old, "before": None, "after": None})
    kept = {"opened": today - timedelta(days=1), "closed": closed - timedelta(days=1)}
    memory = {name: day.isoformat() for name, day in kept.items()}
    db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"memory.diary": memory}})


def _kept(db: Database, today: date) -> bool:
    checkpoint = checkpoints.load(db)
    return checkpoint is not None and checkpoint.memory.get(daily.DIARY, {}).get("opened") == today.isoformat()
