"""The main job on a real replica set: written documents become events, movements, totals and a row."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from pymongo import UpdateOne

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.source.stream import StreamItem
from rules.business_days import business_day
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, recount, totals


def settled(db: Database) -> None:
    """Wait until the running totals say what the source says."""
    wait_for(lambda: totals(db) == recount(db), f"totals {totals(db)} to become {recount(db)}", 20)


def told(db: Database, kind: str) -> list[dict[str, Any]]:
    return list(db.business_events.find({"event_type": kind}))


def test_a_new_customer_with_a_license_becomes_events_movements_and_totals(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = shop.customer(database, "TechCorp Italia")
        license = shop.license(database, customer, plans["pro"])
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the payment")

    assert events(database) == {
        ("new_customer", customer): 1,
        ("license_created", license): 1,
        ("payment_completed", license): 1,
    }
    payment = told(database, "payment_completed")[0]
    assert payment["description"] == "Pagamento ricevuto: €7.99 da TechCorp Italia"
    assert (payment["amount"], payment["currency"], payment["plan_name"]) == (7.99, "EUR", "pro")
    assert payment["metadata"]["source"] == "chatello-analytics"
    assert totals(database)["mrr_cents"] == 799
    assert_ledger_consistent(database)


def test_a_license_lives_through_upgrade_suspension_return_and_cancellation(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database, rules={"thresholds": {"plan_change_minutes": 0}})):
        license = shop.license(database, shop.customer(database, "A"), plans["starter"])
        for change in (
            {"plan_id": plans["agency"]},
            {"plan_id": plans["pro"]},
            {"status": "suspended"},
            {"status": "active"},
            {"status": "cancelled"},
        ):
            database.licenses.update_one({"_id": license}, {"$set": change})
        wait_for(lambda: events(database)["license_cancelled", license] == 1, "the cancellation")

    kinds = [e["event_type"] for e in database.business_events.find({"license_id": license}).sort("event_date", 1)]
    assert kinds == [
        "license_created",
        "payment_completed",
        "plan_upgraded",
        "plan_downgraded",
        "license_suspended",
        "license_activated",
        "license_cancelled",
    ]
    assert_ledger_consistent(database)


def test_a_license_nobody_writes_expires_by_the_clock_of_the_stream(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        end = clock.now() + timedelta(seconds=1)
        license = shop.license(database, shop.customer(database, "A"), plans["pro"], expires_at=end)
        wait_for(lambda: events(database)["license_expired", license] == 1, "the expiry", 30)

    expired = told(database, "license_expired")[0]
    assert abs(expired["event_date"] - end) < timedelta(milliseconds=1)
    assert totals(database)["mrr_cents"] == 0
    assert_ledger_consistent(database)


def test_a_plans_new_price_moves_mrr_by_the_difference_times_its_active_licenses(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database, stream={"batch_size": 7})):
        for n in range(25):
            shop.license(database, shop.customer(database, f"C{n}"), plans["pro"])
        database.plans.update_one({"_id": plans["pro"]}, {"$set": {"price": 9.99}})
        late = shop.license(database, shop.customer(database, "late"), plans["pro"])
        wait_for(lambda: events(database)["license_created", late] == 1, "the last license")

    assert totals(database)["mrr_cents"] == 26 * 999
    assert database.analytics_ledger.count_documents({"reason": "reprice", "mrr_cents": 200}) == 25
    assert_ledger_consistent(database)
    assert_each_event_once(database)


def test_a_stopped_daemon_catches_up_from_its_checkpoint(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        first = shop.customer(database, "first")
        wait_for(lambda: events(database)["new_customer", first] == 1, "the first customer")
    second = shop.customer(database, "second")
    license = shop.license(database, second, plans["starter"])
    database.licenses.update_one({"_id": license}, {"$set": {"plan_id": plans["pro"]}})
    with shop.running(config):
        wait_for(lambda: events(database)["plan_upgraded", license] == 1, "the upgrade while we were away")

    assert_ledger_consistent(database)
    assert_each_event_once(database)
    assert database.analytics_gaps.count_documents({}) == 1, "only the first start is a gap"


def test_a_restarted_daemon_stores_the_first_position_that_it_reaches(mongo_uri: str, database: Database) -> None:
    rarely = shop.config_for(mongo_uri, database, stream={"checkpoint_seconds": 3600})
    with shop.running(rarely):
        pass
    before = checkpoint_time(database)
    with shop.running(rarely):
        wait_for(lambda: checkpoint_time(database) > before, "the checkpoint to move", 10)


def checkpoint_time(db: Database) -> Any:
    return (db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {})["cluster_time"]


def test_the_last_check_flood_neither_reaches_us_nor_makes_us_write_while_the_checkpoint_advances(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    license = shop.license(database, shop.customer(database, "A"), plans["pro"])
    with shop.running(shop.config_for(mongo_uri, database)) as run:
        before = database.analytics_checkpoint.find_one({"_id": "checkpoint"})
        assert before is not None and run.leader is not None and run.leader.pipeline is not None
        arrived: list[StreamItem] = []
        handle = run.leader.pipeline.handle

        def listen(items: Sequence[StreamItem], waiting: Sequence[StreamItem] = ()) -> None:
            arrived.extend(item for item in items if item.item is not None)
            handle(items, waiting)

        run.leader.pipeline.handle = listen  # type: ignore[method-assign]
        database.licenses.bulk_write(
            [UpdateOne({"_id": license}, {"$set": {"last_check": n, "usage_count": n}}) for n in range(10_000)]
        )
        flooded = database.client.admin.command("hello")["$clusterTime"]["clusterTime"]

        def advanced() -> bool:
            found = database.analytics_checkpoint.find_one({"_id": "checkpoint"})
            return found is not None and found["cluster_time"] >= flooded

        wait_for(advanced, "the checkpoint to pass the flood", 30)
        after = database.analytics_checkpoint.find_one({"_id": "checkpoint"})

    assert arrived == []
    assert after is not None
    assert (after["seq"], after["position"]) == (before["seq"], before["position"])
    assert database.business_events.count_documents({}) == 0


def test_an_old_database_is_taken_over_silently_with_one_opening_balance_per_plan(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    for n in range(30):
        shop.license(database, shop.customer(database, f"C{n}"), plans[("pro", "agency", "founders")[n % 3]])
    with shop.running(shop.config_for(mongo_uri, database)):
        pass

    assert database.business_events.count_documents({}) == 0
    assert database.analytics_ledger.count_documents({"kind": "opening"}) == 4
    assert_ledger_consistent(database)


BAD_FIELDS: list[dict[str, Any]] = [
    {"status": None},
    {"status": ["active"]},
    {"status": "frozen"},
    {"expires_at": "domani"},
    {"plan_id": "no such plan"},
    {"plan_id": {"$gt": 1}},
    {"customer_id": [1]},
]


@pytest.mark.parametrize("bad", BAD_FIELDS, ids=str)
def test_a_license_that_cannot_be_understood_is_held_and_released_by_a_good_version(
    mongo_uri: str, database: Database, bad: dict[str, Any]
) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = shop.customer(database, "A")
        good: dict[str, Any] = {"customer_id": customer, "plan_id": plans["pro"], "status": "active"}
        poison = database.licenses.insert_one({**good, "expires_at": None, **bad}).inserted_id
        other = shop.license(database, customer, plans["starter"])
        wait_for(lambda: events(database)["license_created", other] == 1, "the street to go on")
        letter = database.analytics_dead_letters.find_one({"_id.id": poison})
        assert letter is not None
        assert letter["state"] == "held"
        assert next(iter(bad)) in letter["reason"]
        database.licenses.update_one({"_id": poison}, {"$set": {**good, "expires_at": None}})
        wait_for(lambda: events(database)["license_created", poison] == 1, "the release")

    letter = database.analytics_dead_letters.find_one({"_id.id": poison})
    assert letter is not None
    assert letter["state"] == "released"
    assert_ledger_consistent(database)


@pytest.mark.parametrize("price", [float("nan"), float("inf"), "12,50", True, -1.0, Decimal128("NaN"), [7.99]])
def test_a_plan_without_a_sane_price_holds_its_licenses_until_it_has_one(
    mongo_uri: str, database: Database, price: Any
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        plan = database.plans.insert_one({"name": "odd", "price": price, "currency": "EUR"}).inserted_id
        license = shop.license(database, shop.customer(database, "A"), plan)
        wait_for(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 2, "both to be held")
        database.plans.update_one({"_id": plan}, {"$set": {"price": Decimal128("12.50")}})
        wait_for(lambda: events(database)["license_created", license] == 1, "the license's release")

    assert totals(database)["mrr_cents"] == 1250
    assert database.analytics_dead_letters.count_documents({"state": "held"}) == 0


def test_a_date_beyond_the_calendar_and_invalid_utf8_do_no_harm(mongo_uri: str, database: Database) -> None:
    from bson import encode
    from bson.datetime_ms import DatetimeMS
    from bson.raw_bson import RawBSONDocument

    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = ObjectId()
        raw = encode({"_id": customer, "name": "Caff\u00e8"}).replace("\u00e8".encode(), b"\xff\xfe")
        database.customers.insert_one(RawBSONDocument(raw))
        license = shop.license(database, customer, plans["pro"], expires_at=DatetimeMS(2**60))
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")

    assert totals(database)["active_licenses"] == 1


def test_a_sixteen_megabyte_document_does_not_choke_the_stream(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    big = "x" * (16 * 1024 * 1024 - 4096)
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = shop.customer(database, "A", metadata={"notes": big})
        license = shop.license(database, customer, plans["pro"])
        database.licenses.update_one(
            {"_id": license}, {"$set": {"metadata": {"big": big[: 1 << 23]}, "status": "suspended"}}
        )
        wait_for(lambda: events(database)["license_suspended", license] == 1, "the suspension")

    assert_ledger_consistent(database)


def test_the_days_row_has_the_dashboards_shape_and_keeps_what_a_person_wrote(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, shop.customer(database, "TechCorp"), plans["pro"])
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the payment")
    nightly = Rollup(database, ActiveConfig(config))
    today = business_day(clock.now(), config.time.zone)
    nightly.write(today, final=False)
    database.historical_analytics.update_one({}, {"$set": {"notes": "Giornata memorabile"}})
    nightly.write(today, final=False)

    row = database.historical_analytics.find_one({})
    assert row is not None
    assert row["date"] == datetime(today.year, today.month, today.day, tzinfo=UTC)
    assert (row["total_customers"], row["paying_customers"], row["mrr"], row["arr"]) == (1, 1, 7.99, 95.88)
    assert row["revenue_by_plan"] == {"pro": {"revenue": 7.99, "count": 1}}
    assert row["new_customers"] == 1
    assert row["notes"] == "Giornata memorabile"
    assert row["auto_notes"] == (
        "🎉 Nuovo cliente: TechCorp • 🎫 Nuova licenza Pro: TechCorp • 💰 Pagamento ricevuto: €7.99"
    )
    assert {"type", "description", "time", "customer_id", "amount"} == set(row["auto_events"][0])
