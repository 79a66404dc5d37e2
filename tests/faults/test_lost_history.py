"""The oplog rolls over: the gap is recorded, and its changes are found, dated and flagged by a reconciliation."""

import signal
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import shop, targets
from tests.faults.injection import (
    gap,
    insert_shop,
    roll_oplog,
    wait_for_no_open_read,
    wait_until_consistent,
    wait_until_ready,
)
from tests.faults.test_delivery import RandomReceiver, committed, try_now
from tests.oracle import events


def change_everything(db: Database, licenses: list[Any]) -> dict[str, Any]:
    """Make one change of each kind that a reconciliation can find; return the ids by name."""
    plans = {plan["name"]: plan["_id"] for plan in db.plans.find()}
    customer = shop.customer(db, "unseen")
    new = shop.license(db, customer, plans["pro"])
    db.licenses.update_one({"_id": licenses[0]}, {"$set": {"plan_id": plans["agency"]}})
    db.licenses.update_one({"_id": licenses[1]}, {"$set": {"status": "cancelled"}})
    db.licenses.delete_one({"_id": licenses[2]})
    db.plans.update_one({"_id": plans["starter"]}, {"$set": {"price": 3.49}})
    return {"customer": customer, "new": new, "cancelled": licenses[1], "deleted": licenses[2]}


def assert_recovered(db: Database, ids: dict[str, Any]) -> None:
    """Assert one flagged event within the gap for each change, and that the gap counts the recovered changes."""
    counts = events(db)
    recovered = {e["_id"]: e for e in db.business_events.find({"metadata.recovered": True})}
    found = gap(db, "history_lost")

    assert counts["new_customer", ids["customer"]] == 1
    assert counts["license_created", ids["new"]] == 1
    assert counts["license_cancelled", ids["cancelled"]] == 1
    assert counts["license_cancelled", ids["deleted"]] == 1
    assert {"new_customer", "license_created", "license_cancelled"} <= {e["event_type"] for e in recovered.values()}
    assert found["since"] <= min(e["event_date"] for e in recovered.values())
    assert max(e["event_date"] for e in recovered.values()) <= found["until"]
    assert found["closed_at"] is not None
    expected = {"plans_replace": 1, "customers_insert": 1, "licenses_insert": 1, "licenses_delete": 1}
    assert {kind: found["recovered"].get(kind) for kind in expected} == expected


def test_history_lost_while_down_is_recorded_as_one_gap_and_a_target_that_was_down_longer_gets_everything(
    forgetful: EmbeddedMongo, forgetful_db: Database, httpserver: HTTPServer, tmp_path: Path
) -> None:
    db, receiver = forgetful_db, RandomReceiver(httpserver, "n8n", 0, answers=(503,))
    licenses = insert_shop(db, 8)
    arguments = ("--config", str(targets.configure(tmp_path, receiver.secret, n8n=receiver.url)))
    with shop.process(forgetful.uri, db.name, arguments) as daemon:
        wait_until_ready(daemon)
        shop.until(lambda: db.analytics_targets.count_documents({}) == 1, "the target to begin")
        shop.wait_until_committed(db)
        daemon.stop()
        ids = change_everything(db, licenses)
        roll_oplog(db)
        daemon.start()
        wait_until_ready(daemon)
        wait_until_consistent(db, daemon)
        shop.wait_until_committed(db)
        assert set(receiver.arrived) == {committed(db, "n8n")[0]}
        receiver.accepts_all = True
        try_now(db)
        shop.until(lambda: set(committed(db, "n8n")) == set(receiver.arrived), "all facts to arrive")
        daemon.stop()

    assert list(dict.fromkeys(receiver.arrived)) == committed(db, "n8n")
    assert_recovered(db, ids)
    assert_ledger(db, silent=licenses)


def test_history_lost_while_lagging_is_recorded_as_one_gap(forgetful: EmbeddedMongo, forgetful_db: Database) -> None:
    db = forgetful_db
    licenses = insert_shop(db, 8)
    with shop.process(forgetful.uri, db.name) as daemon:
        wait_until_ready(daemon)
        shop.wait_until_committed(db)
        daemon.send(signal.SIGSTOP)
        wait_for_no_open_read(db)
        ids = change_everything(db, licenses)
        roll_oplog(db)
        daemon.send(signal.SIGCONT)
        shop.until(lambda: db.analytics_gaps.count_documents({"cause": "history_lost"}) == 1, "the gap", 30)
        wait_until_consistent(db, daemon)
        shop.wait_until_committed(db)
        daemon.stop()

    assert_recovered(db, ids)
    assert_ledger(db, silent=licenses)


def assert_ledger(db: Database, silent: list[Any]) -> None:
    """Assert a consistent ledger without events for the licenses of the first start."""
    from tests.oracle import assert_ledger_consistent

    assert_ledger_consistent(db)
    recorded = events(db)
    assert not [one for one in silent if recorded["license_created", one]]
    keys = [event["metadata"]["key"] for event in db.business_events.find()]
    assert len(keys) == len(set(keys))
