"""Reload while the daemon runs: the position is kept and no event is lost or emitted twice."""

from typing import Any

from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics.verification import Verification
from daemon.mongo.types import Database
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, recount, totals


def with_rules(config: Config, **rules: Any) -> Config:
    return Config.model_validate({**config.model_dump(), "mongodb": config.mongodb, "rules": rules})


def milestones(db: Database) -> list[str]:
    query = {"metadata.milestone_type": {"$exists": True}}
    return [event["description"] for event in db.business_events.find(query).sort("event_date", 1)]


def test_new_thresholds_apply_from_the_next_change_and_nothing_is_lost(mongo_uri: str, database: Database) -> None:
    shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config) as run:
        assert run.leader is not None
        for n in range(3):
            shop.customer(database, f"C{n}")
        wait_for(lambda: totals(database).get("customers") == 3, "the first customers")
        run.active.replace(with_rules(config, thresholds={"customers": [4, 1000]}))
        made = [shop.customer(database, f"D{n}") for n in range(3)]
        wait_for(lambda: events(database)["new_customer", made[-1]] == 1, "the last customer")

    assert milestones(database) == ["Raggiunti 4 clienti totali!"]
    assert_ledger_consistent(database)
    assert_each_event_once(database)
    assert database.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0


def test_a_new_rate_releases_and_revalues_held_licenses(mongo_uri: str, database: Database) -> None:
    plan = database.plans.insert_one({"name": "us", "price": 10.0, "currency": "USD"}).inserted_id
    shop.license(database, shop.customer(database, "A"), plan)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config) as run:
        assert run.leader is not None
        assert totals(database)["mrr_cents"] == 0
        run.active.replace(with_rules(config, rates={"USD": "0.9"}))
        wait_for(lambda: totals(database)["mrr_cents"] == 900, "the rate to be applied")

    other = with_rules(config, rates={"USD": "0.8"})
    with shop.running(other):
        wait_for(lambda: totals(database)["mrr_cents"] == 800, "another rate, found at startup")
        assert Verification(database, other).verify_totals().mismatches == []
    assert database.analytics_dead_letters.count_documents({"state": "held"}) == 0


def test_reloads_on_a_busy_day_lose_and_duplicate_nothing(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database, stream={"batch_size": 7})
    with shop.running(config) as run:
        assert run.leader is not None
        for n in range(120):
            license = shop.license(database, shop.customer(database, f"C{n}"), plans["starter"])
            database.licenses.update_one({"_id": license}, {"$set": {"plan_id": plans["pro"]}})
            if n % 10 == 5:
                run.active.replace(with_rules(config, note_length=100 + n))
        wait_for(lambda: totals(database) == recount(database), "the totals to catch up")

    assert_ledger_consistent(database)
    assert_each_event_once(database)
    assert database.business_events.count_documents({"event_type": "plan_upgraded"}) == 120
