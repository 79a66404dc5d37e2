"""What an owner sees of a shop's days, through the pretend dashboard, with and without triggers."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules.business_days import business_day
from tests import shop
from tests.oracle import assert_ledger_consistent, events, recount, totals

OURS = {"metadata.source": "chatello-analytics"}


def opened(db: Database, **how: Any) -> Dashboard:
    dashboard = Dashboard(db, Random(3), **how)
    dashboard.set_up(clock.now())
    return dashboard


def told_of(db: Database, license_id: ObjectId | None) -> list[str]:
    return sorted(event["event_type"] for event in db.business_events.find({"license_id": license_id}))


def note(db: Database, config: Any) -> str:
    found: str = Rollup(db, ActiveConfig(config)).row(business_day(clock.now(), config.time.zone))["auto_notes"]
    return found


@pytest.mark.parametrize("triggers", [False, True])
def test_the_founders_deal_counts_down_and_sells_out_and_hand_entered_ones_pay_nothing(
    mongo_uri: str, database: Database, triggers: bool
) -> None:
    dashboard = opened(database, triggers=triggers)
    dashboard.plans["founders"]["lifetime_limit"] = 2
    database.plans.update_one({"name": "founders"}, {"$set": {"lifetime_limit": 2}})
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        buyer = dashboard.create_customer(clock.now(), "Ada").customer_id
        bought = dashboard.create_license(clock.now(), "founders", buyer).license_id
        by_hand = dashboard.insert_manual_license(clock.now()).license_id
        instead = dashboard.insert_manual_license(clock.now())
        shop.wait_until_committed(database)

    sales = list(
        database.business_events.find({"metadata.founders_remaining": {"$exists": True}}).sort("event_date", 1)
    )
    assert [(sale["license_id"], sale["metadata"]["founders_remaining"]) for sale in sales] == [
        (bought, 1),
        (by_hand, 0),
    ]
    assert told_of(database, bought) == ["license_created", "milestone_reached", "payment_completed"]
    assert told_of(database, by_hand) == ["license_created", "milestone_reached"]
    assert (instead.plan, told_of(database, instead.license_id)) == ("pro", ["license_created"])
    checkpoint = database.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    assert checkpoint["totals"]["one_time_cents"] == 2900
    assert "inserita manualmente" in note(database, config)
    if not triggers:
        assert [sale["description"] for sale in sales] == [
            "Founders Deal: ne resta solo uno!",
            "Founders Deal: esaurito!",
        ]
    assert_ledger_consistent(database)


def test_renewals_and_returns_are_told_and_only_new_terms_are_paid(mongo_uri: str, database: Database) -> None:
    dashboard = opened(database)
    ada = dashboard.create_customer(clock.now(), "Ada").customer_id
    license = dashboard.create_license(clock.now(), "pro", ada)
    key = dashboard.cards[license.license_id].key if license.license_id else ""
    config = shop.config_for(mongo_uri, database, rules={"thresholds": {"plan_change_minutes": 0}})
    with shop.running(config):
        dashboard.renew(clock.now())
        dashboard.suspend(clock.now())
        dashboard.insert_manual_license(clock.now(), key)
        dashboard.cancel(clock.now())
        dashboard.reactivate(clock.now())
        shop.wait_until_committed(database)

    told = events(database)
    counts = {
        kind: told[kind, license.license_id] for kind in ("license_renewed", "license_activated", "payment_completed")
    }
    assert counts == {"license_renewed": 1, "license_activated": 2, "payment_completed": 1}
    assert "✅ Licenza Pro riattivata: Ada" in note(database, config)
    assert "🔄 Licenza Pro rinnovata: Ada" in note(database, config)
    assert_ledger_consistent(database)


def test_a_jump_over_several_levels_is_told_as_the_highest(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    dear = database.plans.insert_one({"name": "enterprise", "price": 600.0, "currency": "EUR"}).inserted_id
    with shop.running(shop.config_for(mongo_uri, database)):
        for number, plan in enumerate((plans["pro"], dear)):
            shop.license(database, shop.customer(database, f"c{number}"), plan)
        shop.wait_until_committed(database)

    told = [event["description"] for event in database.business_events.find({"event_type": "milestone_reached"})]
    assert told == ["Raggiunti €500 di MRR!"]


def test_an_event_of_the_dashboard_that_comes_before_its_document_in_another_batch_stands_alone(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    ada, license = ObjectId(), ObjectId()
    theirs = {"event_date": clock.now(), "customer_id": ada, "description": "loro", "amount": 7.99}
    with shop.running(shop.config_for(mongo_uri, database)):
        database.business_events.insert_one({**theirs, "event_type": "new_customer"})
        for kind in ("license_created", "payment_completed"):
            database.business_events.insert_one({**theirs, "event_type": kind, "license_id": license})
        shop.wait_until_committed(database)
        shop.customer(database, "Ada", _id=ada)
        shop.license(database, ada, plans["pro"], _id=license)
        wait_for(lambda: totals(database) == recount(database), "the license")

    assert database.business_events.count_documents(OURS) == 1, "only the last customer's"
    assert database.business_events.count_documents({"description": "loro"}) == 3


@pytest.mark.parametrize("triggers", [False, True])
def test_a_shop_that_does_everything_tells_each_fact_once_in_a_readable_note(
    mongo_uri: str, database: Database, triggers: bool
) -> None:
    dashboard = opened(database, triggers=triggers, hostile=True)
    weights = {
        "create_customer": 6,
        "create_license": 6,
        "add_license": 2,
        "insert_manual_license": 2,
        "cancel": 4,
        "reactivate": 3,
        "renew": 3,
        "change_plan": 3,
        "pay": 2,
        "settle_payment": 1,
        "refund": 1,
        "delete_license": 1,
    }
    config = shop.config_for(mongo_uri, database, stream={"batch_size": 5})
    with shop.running(config):
        for _ in range(150):
            dashboard.step(clock.now(), weights)
        shop.wait_until_committed(database)
        wait_for(lambda: totals(database) == recount(database), "the books")

    told = events(database)
    doubled = [key for key, count in told.items() if key[0] in ("new_customer", "license_created") and count > 1]
    assert doubled == []
    assert_ledger_consistent(database)
    found = note(database, config)
    assert len(found) <= 600
    assert found.splitlines() == [found]


def test_events_of_others_dated_at_the_ends_of_the_calendar_do_no_harm(mongo_uri: str, database: Database) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        for edge in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)):
            about = {
                "event_date": edge,
                "customer_id": ObjectId(),
                "license_id": ObjectId(),
                "amount": Decimal128("NaN"),
            }
            for kind in ("new_customer", "license_created", "payment_completed", "payment_failed", "milestone_reached"):
                metadata = {"growth_period": 7, "mrr_growth": 1, "special_date": "12-31"}
                database.business_events.insert_one({**about, "event_type": kind, "metadata": metadata})
        shop.wait_until_committed(database)

    assert database.business_events.count_documents({}) == 11
