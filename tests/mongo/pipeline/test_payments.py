"""Payments on the real replica set: from the stream, found late, with external events, and on an old installation."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.demo.simulator.weights import PAYING_WEIGHTS
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules.business_days import business_day
from tests import shop
from tests.oracle import (
    assert_each_event_once,
    assert_each_payment_once,
    assert_ledger_consistent,
    events,
    recount,
    totals,
)

PAID_EVENTS = {"event_type": {"$regex": "^payment_"}}


def pay(db: Database, license_id: Any, customer_id: Any, status: Any = "completed", /, **more: Any) -> ObjectId:
    payment: dict[str, Any] = {
        "customer_id": customer_id,
        "license_id": license_id,
        "amount": 7.99,
        "currency": "EUR",
        "status": status,
        "provider": "paddle",
        "created_at": clock.now(),
        **more,
    }
    made: ObjectId = db.payments.insert_one(payment).inserted_id
    return made


def told(db: Database) -> list[str]:
    return [
        event["description"] for event in db.business_events.find(PAID_EVENTS).sort([("event_date", 1), ("_id", 1)])
    ]


@pytest.mark.parametrize("batch_size", [1, 800])
def test_a_license_deleted_and_inserted_again_is_the_same_license_and_emits_no_payment_anew(
    mongo_uri: str, database: Database, batch_size: int
) -> None:
    """Its payment was withdrawn by the payment document, so the same key is never emitted again."""
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database, stream={"batch_size": batch_size})
    with shop.running(config):
        license = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the guess")
    database.customers.insert_many([{"name": f"C{n}"} for n in range(100)])  # while they are taken, the rest gathers
    payment = pay(database, license, ada, "pending")
    database.payments.delete_one({"_id": payment})
    sold = database.licenses.find_one_and_delete({"_id": license}) or {}
    database.licenses.insert_one({**sold, "status": "active"})
    with shop.running(config):
        shop.wait_until_committed(database)

    assert events(database)["license_created", license] == 1
    assert events(database)["payment_completed", license] == 0
    assert_ledger_consistent(database)


def test_a_payment_lives_through_all_its_statuses_and_the_note_tells_it(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the guess")
        payment = pay(database, license, ada, "pending", amount=9.75, transaction_id="txn_1")
        wait_for(lambda: events(database)["payment_completed", license] == 0, "the guess to be withdrawn")
        for status in ("failed", "completed", "refunded"):
            database.payments.update_one({"_id": payment}, {"$set": {"status": status}})
        wait_for(lambda: events(database)["payment_refunded", license] == 1, "the refund")

    assert told(database) == [
        "Pagamento fallito: €9.75 di Ada",
        "Pagamento ricevuto: €9.75 da Ada",
        "Pagamento rimborsato: €9.75 a Ada",
    ]
    stored = database.business_events.find_one({"event_type": "payment_completed"}) or {}
    assert (stored["amount"], stored["currency"], stored["plan_name"]) == (9.75, "EUR", "pro")
    assert (stored["metadata"]["payment_id"], stored["metadata"]["transaction_id"]) == (payment, "txn_1")
    note = Rollup(database, ActiveConfig(config)).row(business_day(clock.now(), config.time.zone))["auto_notes"]
    assert "💰 Pagamento ricevuto: €9.75 • " in note
    assert "↩️ Pagamento rimborsato: €9.75 a Ada" in note
    assert_ledger_consistent(database)


@pytest.mark.parametrize(
    "bad",
    [
        {"amount": float("nan")},
        {"amount": "12,50"},
        {"amount": Decimal128("NaN")},
        {"amount": True},
        {"amount": -7.99},
        {"currency": "XYZ"},
        {"status": ["completed"]},
        {"license_id": {"$oid": "x"}},
    ],
    ids=str,
)
def test_a_hostile_payment_is_held_until_it_is_mended_and_the_license_stands_for_it_meanwhile(
    mongo_uri: str, database: Database, bad: dict[str, Any]
) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        ada, license = shop.customer(database, "Ada"), ObjectId()
        payment = pay(database, license, ada, **{"status": "completed", "license_id": license, **bad})
        shop.license(database, ada, plans["pro"], _id=license)
        wait_for(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 1, "the hold")
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the guess")
        good = {"amount": Decimal128("12.50"), "currency": "EUR", "status": "completed", "license_id": license}
        database.payments.update_one({"_id": payment}, {"$set": good})
        wait_for(lambda: told(database) == ["Pagamento ricevuto: €12.50 da Ada"], "the payment in its place")

    assert database.analytics_dead_letters.count_documents({"state": "held"}) == 0


def test_a_rate_for_its_currency_releases_a_held_payment(mongo_uri: str, database: Database) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        pay(database, None, shop.customer(database, "Ada"), currency="USD", amount=10)
        wait_for(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 1, "the hold")
    with shop.running(shop.config_for(mongo_uri, database, rules={"rates": {"USD": "0.92"}})):
        wait_for(lambda: told(database) == ["Pagamento ricevuto: €9.20 da Ada"], "the payment")

    assert database.analytics_dead_letters.count_documents({"state": "held"}) == 0


def test_a_first_start_over_payments_is_silent_and_takes_them_for_used(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    old = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
    payment = pay(database, old, ada)
    pay(database, old, ada, "pending")
    with shop.running(shop.config_for(mongo_uri, database)):
        shop.license(database, ada, plans["starter"])
        shop.wait_until_committed(database)
        silent = told(database)
        database.payments.update_one({"_id": payment}, {"$set": {"status": "refunded"}})
        wait_for(lambda: events(database)["payment_refunded", old] == 1, "the refund")

    assert silent == []
    assert told(database) == ["Pagamento rimborsato: €7.99 a Ada"]


def test_an_installation_that_did_not_know_payments_takes_over_the_old_ones_in_silence(
    mongo_uri: str, database: Database
) -> None:
    """As an upgrade finds it: a mirror without payments, another filter in the checkpoint, and no word of payments."""
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the guess")
        shop.wait_until_committed(database)
    for number in range(30):
        pay(database, license, ada, created_at=clock.now() - timedelta(days=number, hours=1))
    database[CHECKPOINT].update_one(
        {"_id": "checkpoint"}, {"$set": {"fingerprint": "of another version"}, "$unset": {"memory.payments": 1}}
    )
    during = pay(database, None, ada, "failed")
    with shop.running(config):
        shop.wait_until_committed(database)
        after = pay(database, None, ada, amount=1.23)
        wait_for(lambda: len(told(database)) == 3, "the payment after")

    keys = sorted(event["metadata"]["key"] for event in database.business_events.find(PAID_EVENTS))
    assert keys == [
        f"payment_completed:{license}",
        f"payment_completed:payment:{after}",
        f"payment_failed:payment:{during}",
    ]
    gap = database.analytics_gaps.find_one({"cause": "filter_change"}) or {}
    assert gap["recovered"] == {"payments_insert": 31}
    assert_ledger_consistent(database)


@pytest.mark.parametrize("order", ["theirs first", "ours first", "while we were away"])
def test_a_payment_the_dashboard_tells_too_stands_once(mongo_uri: str, database: Database, order: str) -> None:
    plans = shop.plans(database)
    ada = shop.customer(database, "Ada")
    pay(database, None, ada)
    config = shop.config_for(mongo_uri, database)
    theirs = {"event_type": "payment_completed", "customer_id": ada, "amount": 7.99, "description": "loro"}
    with shop.running(config):
        license = shop.license(database, ada, plans["pro"])
        shop.wait_until_committed(database)
        if order == "theirs first":
            database.business_events.insert_one({**theirs, "license_id": license, "event_date": clock.now()})
            shop.wait_until_committed(database)
            pay(database, license, ada)
        elif order == "ours first":
            pay(database, license, ada)
            wait_for(lambda: len(told(database)) == 1, "ours")
            database.business_events.insert_one({**theirs, "license_id": license, "event_date": clock.now()})
            wait_for(lambda: told(database) == ["loro"], "ours to be withdrawn")
        shop.wait_until_committed(database)
    if order == "while we were away":
        pay(database, license, ada)
        database.business_events.insert_one({**theirs, "license_id": license, "event_date": clock.now()})
        database[CHECKPOINT].update_one({"_id": "checkpoint"}, {"$set": {"fingerprint": "another filter"}})
        with shop.running(config):
            shop.wait_until_committed(database)

    assert told(database) == ["loro"]


def test_a_guess_that_somebody_told_in_a_gap_is_theirs_when_its_payment_comes_too(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        shop.wait_until_committed(database)
    license = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
    theirs = {"event_type": "payment_completed", "customer_id": ada, "license_id": license, "amount": 7.99}
    database.business_events.insert_one({**theirs, "event_date": clock.now(), "description": "loro"})
    database[CHECKPOINT].update_one({"_id": "checkpoint"}, {"$set": {"fingerprint": "another filter"}})
    with shop.running(config):
        shop.wait_until_committed(database)
        pay(database, license, ada)
        shop.wait_until_committed(database)

    assert told(database) == ["loro"]


def test_payments_found_after_lost_history_are_told_once_each_and_dropped_ones_ask_nobody(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database, reconciliation={"max_deleted": 0, "max_deleted_share": 0})
    with shop.running(config):
        license = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
        first = pay(database, license, ada, "pending", transaction_id="one")
        wait_for(lambda: database.analytics_mirror.count_documents({"_id.k": "payments"}) == 1, "the payment")
        shop.wait_until_committed(database)
    database.payments.update_one({"_id": first}, {"$set": {"status": "completed"}})
    database.payments.insert_one({"_id": "P2", "status": "completed", "amount": 5, "customer_id": ada})
    database[CHECKPOINT].update_one({"_id": "checkpoint"}, {"$set": {"fingerprint": "another filter"}})
    with shop.running(config):
        wait_for(lambda: len(told(database)) == 2, "both")
        database.payments.delete_many({})
        present = {"_id.k": "payments", "present": {"$ne": False}}
        wait_for(lambda: database.analytics_mirror.count_documents(present) == 0, "the deletions")
        again = shop.license(database, ada, plans["starter"])
        wait_for(lambda: events(database)["payment_completed", again] == 1, "the license to stand for its payment")

    found = list(database.business_events.find({"metadata.payment_id": {"$in": [first, "P2"]}}))
    assert all(event["metadata"]["recovered"] for event in found)
    assert len(found) == 2


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_a_busy_shop_that_uses_payments_tells_each_once(mongo_uri: str, database: Database, batch_size: int) -> None:
    dashboard = Dashboard(database, Random(batch_size), pays=True)
    dashboard.set_up(clock.now())
    with shop.running(shop.config_for(mongo_uri, database, stream={"batch_size": batch_size})):
        for _ in range(200):
            dashboard.step(clock.now(), PAYING_WEIGHTS)
        shop.wait_until_committed(database)
        wait_for(lambda: totals(database) == recount(database), "the books")

    assert_each_payment_once(database)
    assert_each_event_once(database)
    assert_ledger_consistent(database)
    assert database.payments.count_documents({}) > 20
