"""Errors and deaths inside the commit: nothing or everything is written, and the next start waits for nobody."""

import signal
from typing import Any

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import measurements, shop
from tests.faults.injection import (
    assert_nothing_lost_or_doubled,
    failing,
    hits,
    is_ready,
    marked,
    settled,
)
from tests.oracle import events

UNKNOWN = ["UnknownTransactionCommitResult"]
TRANSIENT = ["TransientTransactionError"]

RESUMABLE = (6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436)
"""The driver's list: change streams specification, "Resumable Error"."""
OTHERS = (1, 8, 237, 11601)
"""An error inside the server, one it does not name, a killed cursor, an interrupted operation."""

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
    """One daemon that has to outlive every error of this module."""
    shop.plans(module_db)
    with shop.process(
        f"{brittle.uri}&heartbeatFrequencyMS=500", module_db.name, CHATELLO_MONGODB__TIMEOUT_SECONDS="5"
    ) as daemon:
        is_ready(daemon)
        yield daemon


@pytest.mark.parametrize(("command", "fault"), FAULTS, ids=named)
def test_an_error_of_the_server_is_survived_by_the_same_process(
    module_db: Database, survivor: shop.Process, command: str, fault: dict[str, Any]
) -> None:
    db = module_db
    plans = [plan["_id"] for plan in db.plans.find()]
    gaps = db.analytics_gaps.count_documents({})
    with failing(db, command.split(), times=2, **fault):
        made = [shop.license(db, shop.customer(db, f"C{n}"), plans[n % len(plans)]) for n in range(4)]
        db.licenses.update_one({"_id": made[0]}, {"$set": {"status": "suspended"}})
    marked(db, 40)

    assert survivor.is_running()
    assert events(db)["license_suspended", made[0]] == 1
    assert db.analytics_gaps.count_documents({}) == gaps
    assert_nothing_lost_or_doubled(db)


@pytest.mark.parametrize("code", GAPS)
def test_an_error_that_ends_the_stream_for_good_is_a_gap_that_closes(
    module_db: Database, survivor: shop.Process, code: int
) -> None:
    db = module_db
    gaps = db.analytics_gaps.count_documents({})
    with failing(db, ["getMore"], errorCode=code):
        customer = shop.customer(db, "A")
    settled(db, survivor)
    marked(db)

    assert db.analytics_gaps.count_documents({}) == gaps + 1
    assert events(db)["new_customer", customer] == 1
    assert_nothing_lost_or_doubled(db)


@pytest.mark.parametrize("held", ["update", "insert", "commitTransaction"])
def test_a_kill_inside_the_commit_leaves_nothing_the_next_daemon_waits_for(
    brittle: EmbeddedMongo, shop_db: Database, held: str
) -> None:
    db = shop_db
    plans = shop.plans(db)
    with shop.process(brittle.uri, db.name) as daemon:
        is_ready(daemon)
        marked(db)
        with failing(db, [held], times=1000, blockConnection=True, blockTimeMS=4_000):
            before = hits(db)
            license = shop.license(db, shop.customer(db, "A"), plans["pro"])
            shop.until(lambda: in_transaction(db, held), f"the daemon to stand inside {held}", 20)
            assert hits(db) > before
            daemon.kill()
        killed = clock.monotonic()
        daemon.start()
        shop.until(lambda: events(db)["license_created", license] == 1, "the next daemon's commit", 20)
        took = clock.monotonic() - killed
        measurements.note(commit_after_kill_seconds=took)
        marked(db)
        daemon.send(signal.SIGTERM)
        daemon.wait()

    assert took < 10
    assert db.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0
    assert_nothing_lost_or_doubled(db)


def in_transaction(db: Database, command: str) -> bool:
    """Whether the daemon's call of this command is held by the fail point, inside a transaction."""
    held: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True}},
        {"$match": {"appName": "chatello-analytics", f"command.{command}": {"$exists": True}}},
        {"$match": {"command.txnNumber": {"$exists": True}, "command.autocommit": False}},
    ]
    return bool(list(db.client.admin.aggregate(held)))
