"""Errors and kills during a commit: all or nothing is written, and the next start is not blocked."""

import signal
from typing import Any

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import measurements, shop
from tests.faults.injection import (
    assert_nothing_lost_or_duplicated,
    fail_point_hits,
    failing,
    wait_until_consistent,
    wait_until_ready,
)
from tests.oracle import events

UNKNOWN = ["UnknownTransactionCommitResult"]
TRANSIENT = ["TransientTransactionError"]

RESUMABLE = (6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436)
"""The driver's list: change streams specification, "Resumable Error"."""
OTHERS = (1, 8, 237, 11601)
"""Internal error, unknown error, killed cursor, interrupted operation."""

FAULTS: list[tuple[str, dict[str, Any]]] = [
    *(("getMore", {"errorCode": code}) for code in (*RESUMABLE, *OTHERS)),
    ("getMore", {"closeConnection": True}),
    *(("commitTransaction", {"errorCode": code}) for code in (*RESUMABLE, *OTHERS)),
    ("commitTransaction", {"errorCode": 50, "errorLabels": UNKNOWN}),
    ("commitTransaction", {"errorCode": 286}),
    ("commitTransaction", {"closeConnection": True}),
    ("commitTransaction", {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}),
    ("commitTransaction", {"writeConcernError": {"code": 91, "errmsg": "shutting down"}}),
    ("insert", {"errorCode": 112}),
    ("insert", {"errorCode": 91}),
    ("insert", {"errorCode": 189}),
    ("insert", {"errorCode": 251, "errorLabels": TRANSIENT}),
    ("insert", {"errorCode": 8}),
    ("insert", {"closeConnection": True}),
    ("update", {"errorCode": 112}),
    ("update", {"errorCode": 10107}),
    ("update", {"errorCode": 280}),
    ("update", {"closeConnection": True}),
    ("find", {"errorCode": 13388}),
    ("getMore findAndModify", {"errorCode": 8}),
]
GAPS = [286, 280, 136, 260, 10334]


def named(value: Any) -> str:
    return value if isinstance(value, str) else "-".join(str(v) for v in value.values())


@pytest.fixture(scope="module")
def module_db(brittle: EmbeddedMongo) -> Any:
    with shop.fresh_database(brittle.uri) as database:
        yield database


@pytest.fixture(scope="module")
def survivor(brittle: EmbeddedMongo, module_db: Database) -> Any:
    """Start one daemon that must survive all errors of this module."""
    shop.plans(module_db)
    with shop.process(
        f"{brittle.uri}&heartbeatFrequencyMS=500", module_db.name, CHATELLO_MONGODB__TIMEOUT_SECONDS="5"
    ) as daemon:
        wait_until_ready(daemon)
        yield daemon


@pytest.mark.parametrize(("command", "fault"), FAULTS, ids=named)
def test_the_process_survives_a_server_error(
    module_db: Database, survivor: shop.Process, command: str, fault: dict[str, Any]
) -> None:
    db = module_db
    plans = [plan["_id"] for plan in db.plans.find()]
    gaps = db.analytics_gaps.count_documents({})
    with failing(db, command.split(), times=2, **fault):
        made = [shop.license(db, shop.customer(db, f"C{n}"), plans[n % len(plans)]) for n in range(4)]
        db.licenses.update_one({"_id": made[0]}, {"$set": {"status": "suspended"}})
    shop.wait_until_committed(db, 40)

    assert survivor.is_running()
    assert events(db)["license_suspended", made[0]] == 1
    assert db.analytics_gaps.count_documents({}) == gaps
    assert_nothing_lost_or_duplicated(db)


@pytest.mark.parametrize("code", GAPS)
def test_an_error_that_ends_the_stream_is_recorded_as_a_gap_and_reconciled(
    module_db: Database, survivor: shop.Process, code: int
) -> None:
    db = module_db
    gaps = db.analytics_gaps.count_documents({})
    with failing(db, ["getMore"], errorCode=code):
        customer = shop.customer(db, "A")
    wait_until_consistent(db, survivor)
    shop.wait_until_committed(db)

    assert db.analytics_gaps.count_documents({}) == gaps + 1
    assert events(db)["new_customer", customer] == 1
    assert_nothing_lost_or_duplicated(db)


@pytest.mark.parametrize("held", ["update", "insert", "commitTransaction"])
def test_after_a_kill_during_a_commit_the_next_daemon_commits_within_ten_seconds(
    brittle: EmbeddedMongo, shop_db: Database, held: str
) -> None:
    db = shop_db
    plans = shop.plans(db)
    with shop.process(brittle.uri, db.name) as daemon:
        wait_until_ready(daemon)
        shop.wait_until_committed(db)
        with failing(db, [held], times=1000, blockConnection=True, blockTimeMS=4_000):
            before = fail_point_hits(db)
            license = shop.license(db, shop.customer(db, "A"), plans["pro"])
            shop.until(lambda: in_transaction(db, held), f"the daemon to be blocked in {held}", 20)
            assert fail_point_hits(db) > before
            daemon.kill()
        killed = clock.monotonic()
        daemon.start()
        shop.until(lambda: events(db)["license_created", license] == 1, "the next daemon's commit", 20)
        took = clock.monotonic() - killed
        measurements.record(commit_after_kill_seconds=took)
        shop.wait_until_committed(db)
        daemon.send(signal.SIGTERM)
        daemon.wait()

    assert took < 10
    assert db.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0
    assert_nothing_lost_or_duplicated(db)


def in_transaction(db: Database, command: str) -> bool:
    """Return whether the fail point blocks the daemon's call of this command inside a transaction."""
    held: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True}},
        {"$match": {"appName": "chatello-analytics", f"command.{command}": {"$exists": True}}},
        {"$match": {"command.txnNumber": {"$exists": True}, "command.autocommit": False}},
    ]
    return bool(list(db.client.admin.aggregate(held)))
