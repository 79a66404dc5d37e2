"""The oplog rolls over: the gap is a recorded fact, and what happened in it is found, dated and flagged."""

import signal
from typing import Any

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import shop
from tests.faults.injection import (
    gap,
    is_ready,
    marked,
    no_answer_is_under_way,
    roll_oplog,
    settled,
    stock,
)
from tests.oracle import events


def business_while_nobody_looks(db: Database, licenses: list[Any]) -> dict[str, Any]:
    """One of everything a reconciliation can find; the ids by name."""
    plans = {plan["name"]: plan["_id"] for plan in db.plans.find()}
    customer = shop.customer(db, "unseen")
    new = shop.license(db, customer, plans["pro"])
    db.licenses.update_one({"_id": licenses[0]}, {"$set": {"plan_id": plans["agency"]}})
    db.licenses.update_one({"_id": licenses[1]}, {"$set": {"status": "cancelled"}})
    db.licenses.delete_one({"_id": licenses[2]})
    db.plans.update_one({"_id": plans["starter"]}, {"$set": {"price": 3.49}})
    return {"customer": customer, "new": new, "cancelled": licenses[1], "deleted": licenses[2]}


def assert_found(db: Database, ids: dict[str, Any]) -> None:
    """Everything done in the gap is told once, flagged, within the gap; the gap says what it recovered."""
    told = events(db)
    recovered = {e["_id"]: e for e in db.business_events.find({"metadata.recovered": True})}
    found = gap(db, "history_lost")

    assert told["new_customer", ids["customer"]] == 1
    assert told["license_created", ids["new"]] == 1
    assert told["license_cancelled", ids["cancelled"]] == 1
    assert told["license_cancelled", ids["deleted"]] == 1
    assert {"new_customer", "license_created", "license_cancelled"} <= {e["event_type"] for e in recovered.values()}
    assert found["since"] <= min(e["event_date"] for e in recovered.values())
    assert max(e["event_date"] for e in recovered.values()) <= found["until"]
    assert found["closed_at"] is not None
    expected = {"plans_replace": 1, "customers_insert": 1, "licenses_insert": 1, "licenses_delete": 1}
    assert {kind: found["recovered"].get(kind) for kind in expected} == expected


def test_history_lost_while_down_is_a_recorded_gap_and_nothing_else(
    forgetful: EmbeddedMongo, forgetful_db: Database
) -> None:
    db = forgetful_db
    licenses = stock(db, 8)
    with shop.process(forgetful.uri, db.name) as daemon:
        is_ready(daemon)
        marked(db)
        daemon.stop()
        ids = business_while_nobody_looks(db, licenses)
        roll_oplog(db)
        daemon.start()
        is_ready(daemon)
        settled(db, daemon)
        marked(db)
        daemon.stop()

    assert_found(db, ids)
    assert_books(db, silent=licenses)


def test_history_lost_while_lagging_is_a_recorded_gap_and_nothing_else(
    forgetful: EmbeddedMongo, forgetful_db: Database
) -> None:
    db = forgetful_db
    licenses = stock(db, 8)
    with shop.process(forgetful.uri, db.name) as daemon:
        is_ready(daemon)
        marked(db)
        daemon.send(signal.SIGSTOP)
        no_answer_is_under_way(db)
        ids = business_while_nobody_looks(db, licenses)
        roll_oplog(db)
        daemon.send(signal.SIGCONT)
        shop.until(lambda: db.analytics_gaps.count_documents({"cause": "history_lost"}) == 1, "the gap", 30)
        settled(db, daemon)
        marked(db)
        daemon.stop()

    assert_found(db, ids)
    assert_books(db, silent=licenses)


def assert_books(db: Database, silent: list[Any]) -> None:
    """As everywhere, but what was there at the first start is told by nobody."""
    from tests.oracle import assert_books_balance

    assert_books_balance(db)
    told = events(db)
    assert not [one for one in silent if told["license_created", one]]
    keys = [event["metadata"]["key"] for event in db.business_events.find()]
    assert len(keys) == len(set(keys))
