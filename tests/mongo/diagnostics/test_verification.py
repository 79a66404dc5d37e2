"""Verification on a real replica set: it passes for a busy shop and reports changed data."""

import threading
from datetime import timedelta
from random import Random

from bson import ObjectId

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.diagnostics.verification import Verification
from daemon.mongo.types import Database
from daemon.pipeline import dry_run
from daemon.rollup.rollup import Rollup
from daemon.store import gaps
from rules import business_days
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, recount, totals


def test_a_busy_shop_passes_verification_during_and_after_the_writes(mongo_uri: str, database: Database) -> None:
    dashboard = Dashboard(database, Random(3))
    dashboard.set_up(clock.now())
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        for _ in range(150):
            dashboard.step(clock.now())
        wait_for(lambda: totals(database) == recount(database), "the totals to catch up", 30)
        result = Verification(database, config).verify_totals()
        assert result.mismatches == []
        assert Verification(database, config).verify_documents() == []

    assert_ledger_consistent(database)
    assert_each_event_once(database)


def test_held_licenses_count_with_their_last_valid_state(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        held = shop.license(database, shop.customer(database, "A"), plans["pro"])
        shop.license(database, shop.customer(database, "B"), plans["agency"])
        gone = shop.license(database, shop.customer(database, "C"), plans["starter"])
        wait_for(lambda: events(database)["license_created", gone] == 1, "the licenses")
        database.licenses.update_one({"_id": held}, {"$set": {"status": "frozen"}})
        database.licenses.update_one({"_id": gone}, {"$set": {"plan_id": ObjectId()}})
        wait_for(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 2, "both to be held")
        result = Verification(database, config).verify_totals()

    assert result.mismatches == []
    assert result.totals == {
        "customers": 3,
        "paying_customers": 3,
        "subscribers": 3,
        "active_licenses": 3,
        "mrr_cents": 799 + 1999 + 299,
    }


def test_a_changed_ledger_line_and_a_missing_mirror_document_are_reported(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, shop.customer(database, "A"), plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")
    database.analytics_ledger.update_one({"mrr_cents": 799}, {"$set": {"mrr_cents": 800}})
    database.analytics_mirror.delete_one({"_id.id": license})
    verification = Verification(database, config, wait=lambda _seconds: None)

    assert verification.verify_totals().mismatches == ["mrr_cents: 800 in the ledger, 799 in the running totals"]
    assert verification.verify_documents() == [f"licenses {license}: in the source, but not in the mirror"]
    assert list(dry_run.survey(database, config)) == [f"licenses {license}: add"]


def test_a_requested_reconciliation_repairs_the_mirror_and_duplicates_nothing(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, shop.customer(database, "A"), plans["starter"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")
        database.analytics_mirror.update_one({"_id.id": license}, {"$set": {"fields.plan_id": plans["pro"]}})
        gaps.open_gap(database, "requested", "a test", None, clock.now())
        wait_for(lambda: gaps.count_open(database) == 0, "the gap to be closed", 20)
        after = shop.customer(database, "afterwards")
        wait_for(lambda: events(database)["new_customer", after] == 1, "the stream to continue")

    gap = database.analytics_gaps.find_one({"cause": "requested"})
    assert gap is not None
    assert gap["recovered"] == {"licenses_replace": 1}
    assert gap["since"] is not None
    assert_ledger_consistent(database)
    assert_each_event_once(database)


def test_a_requested_reconciliation_starts_in_a_busy_shop(mongo_uri: str, database: Database) -> None:
    shop.plans(database)
    stop = threading.Event()

    def sell() -> None:
        while not stop.wait(0.02):
            shop.customer(database, "one more")

    with shop.running(shop.config_for(mongo_uri, database, stream={"checkpoint_seconds": 1})):
        seller = threading.Thread(target=sell)
        seller.start()
        try:
            gaps.open_gap(database, "requested", "a test", None, clock.now())
            wait_for(lambda: gaps.count_open(database) == 0, "the gap to be closed", 20)
        finally:
            stop.set()
            seller.join()
        wait_for(lambda: totals(database) == recount(database), "the totals to catch up")

    assert_each_event_once(database)


def test_a_retry_releases_licenses_after_their_plans_currency_has_a_rate(mongo_uri: str, database: Database) -> None:
    plan = database.plans.insert_one({"name": "dollar", "price": 10.0, "currency": "USD"}).inserted_id
    license = shop.license(database, shop.customer(database, "A"), plan)
    with shop.running(shop.config_for(mongo_uri, database)):
        assert totals(database)["mrr_cents"] == 0
    gaps.open_gap(database, "retry", "a test", None, clock.now())
    with shop.running(shop.config_for(mongo_uri, database, rules={"rates": {"USD": "0.9"}})):
        wait_for(lambda: totals(database)["mrr_cents"] == 900, "the license to count")

    assert database.analytics_dead_letters.count_documents({"state": "held"}) == 0
    assert events(database)["license_created", license] == 1


def test_four_days_of_downtime_leave_four_missing_days_and_each_is_written_once(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, shop.customer(database, "A"), plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")
    today = business_days.business_day(clock.now(), config.time.zone)
    _move_back(database, timedelta(days=4))
    rollup = Rollup(database, ActiveConfig(config))
    morning = business_days.start(today, config.time.zone) + timedelta(hours=6)
    too_early = morning - timedelta(seconds=1)

    missing_early, missing = rollup.missing_days(too_early), rollup.missing_days(morning)
    assert missing == [today - timedelta(days=n) for n in (4, 3, 2, 1)]
    assert missing_early == missing[:-1]
    assert rollup.close_missing(morning) == missing
    assert rollup.close_missing(morning) == []
    rows = list(database.historical_analytics.find({"final": True}).sort("date", 1))
    assert [(row["mrr"], row["total_customers"]) for row in rows] == [(7.99, 1)] * 4
    assert [row["new_customers"] for row in rows] == [1, 0, 0, 0]
    assert database.business_events.count_documents({"processed": False}) == 0


def _move_back(db: Database, earlier: timedelta) -> None:
    """Move the dates of all movements and events some days back, because the machine's clock cannot be changed."""
    for movement in db.analytics_ledger.find():
        moved = {"day": movement["day"] - earlier, "at": movement["at"] - earlier}
        db.analytics_ledger.update_one({"_id": movement["_id"]}, {"$set": moved})
    for event in db.business_events.find():
        db.business_events.update_one({"_id": event["_id"]}, {"$set": {"event_date": event["event_date"] - earlier}})


def test_a_late_fact_amends_the_final_row_and_keeps_first_reported(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, shop.customer(database, "A"), plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")
    _move_back(database, timedelta(days=1))
    today = business_days.business_day(clock.now(), config.time.zone)
    rollup = Rollup(database, ActiveConfig(config))
    noon = business_days.start(today, config.time.zone) + timedelta(hours=12)
    rollup.close_missing(noon)
    yesterday = business_days.stored(today - timedelta(days=1))
    database.analytics_ledger.update_one({"mrr_cents": 799}, {"$set": {"mrr_cents": 999, "after.mrr_cents": 999}})
    database.analytics_checkpoint.update_one(
        {"_id": "checkpoint"},
        {"$set": {"totals.mrr_cents": 999}, "$push": {"reopened": {"day": yesterday, "seq": 2}}},
    )

    rollup.close_missing(noon)
    row = database.historical_analytics.find_one({"date": yesterday})
    assert row is not None
    assert (row["mrr"], row["revision"], row["first_reported"]["mrr"]) == (9.99, 1, 7.99)
    checkpoint = database.analytics_checkpoint.find_one({"_id": "checkpoint"})
    assert checkpoint is not None
    assert checkpoint["reopened"] == []
