"""Fault injection, and waiting for its effects; observes the daemon only through the database."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from random import Random
from types import TracebackType
from typing import Any, Self

from bson.timestamp import Timestamp
from pymongo.errors import PyMongoError

from daemon import clock
from daemon.mongo.types import Database, Document
from tests import measurements, shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, missing_and_duplicated, recount, totals
from tests.system.test_process import ready

# -- the shop -----------------------------------------------------------------------------------------------


def insert_shop(db: Database, licenses: int) -> list[Any]:
    """Insert plans and this many customers with one license each; return the license ids."""
    plans = shop.plans(db)
    kinds = list(plans.values())
    return [shop.license(db, shop.customer(db, f"C{n}"), kinds[n % len(kinds)]) for n in range(licenses)]


def trade(db: Database, chance: Random, licenses: list[Any]) -> None:
    """Make one random write of a dashboard."""
    plans = [plan["_id"] for plan in db.plans.find().sort("name", 1)]
    pick = chance.random()
    if pick < 0.4 or not licenses:
        licenses.append(shop.license(db, shop.customer(db, f"T{len(licenses)}"), chance.choice(plans)))
    elif pick < 0.7:
        db.licenses.update_one({"_id": chance.choice(licenses)}, {"$set": {"plan_id": chance.choice(plans)}})
    elif pick < 0.9:
        status = chance.choice(["active", "suspended", "cancelled"])
        db.licenses.update_one({"_id": chance.choice(licenses)}, {"$set": {"status": status}})
    else:
        db.licenses.update_many({}, {"$set": {"last_check": chance.random()}})


class Load:
    """Dashboard that keeps writing in a thread and ignores database errors."""

    def __init__(self, db: Database, licenses: list[Any], pause: float = 0.002) -> None:
        self.db = db
        self.licenses = licenses
        self.pause = pause
        self.trades = 0
        self.chance = Random(len(licenses))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self.pause):
            with suppress(PyMongoError):
                trade(self.db, self.chance, self.licenses)
                self.trades += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def more(self, trades: int) -> None:
        """Wait until this many more writes have succeeded."""
        target = self.trades + trades
        shop.until(lambda: self.trades >= target, f"{trades} writes", 60)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()


# -- waiting ------------------------------------------------------------------------------------------------


def wait_until_ready(daemon: shop.Process, seconds: float = 60) -> None:
    shop.until(lambda: ready(daemon.port), f"the daemon to be ready: {daemon.lines[-3:]}", seconds)


def wait_until_consistent(db: Database, daemon: shop.Process | None = None, seconds: float = 60) -> None:
    """Wait until the running totals match the source and no gap is open."""

    def agrees() -> bool:
        assert daemon is None or daemon.is_running(), daemon.lines[-5:]
        return db.analytics_gaps.count_documents({"closed_at": None}) == 0 and totals(db) == recount(db)

    began = clock.monotonic()
    try:
        shop.until(agrees, "totals and source to agree", seconds)
    except TimeoutError:
        raise AssertionError((totals(db), recount(db), daemon and daemon.lines[-8:])) from None
    measurements.record(recovery_seconds=clock.monotonic() - began)


def assert_nothing_lost_or_duplicated(db: Database) -> None:
    missing, duplicated = missing_and_duplicated(db)
    recorded = db.business_events.count_documents({})
    measurements.record(recorded=recorded, missing=len(missing), duplicate=len(duplicated))
    assert_ledger_consistent(db)
    assert_each_event_once(db)
    keys = [event["metadata"]["key"] for event in db.business_events.find()]
    assert len(keys) == len(set(keys))


def gap(db: Database, cause: str) -> Document:
    """Return the only gap with this cause."""
    found = list(db.analytics_gaps.find({"cause": cause}))
    assert len(found) == 1, list(db.analytics_gaps.find())
    return found[0]


# -- the server ---------------------------------------------------------------------------------------------


def operation_time(db: Database) -> Timestamp:
    """Return the server's operation time."""
    time: Timestamp = db.command("ping")["operationTime"]
    return time


def wait_for_no_open_read(db: Database) -> None:
    """Wait until the stopped daemon has no open getMore, so that it does not receive later writes."""
    reads: list[Document] = [
        {"$currentOp": {}},
        {"$match": {"active": True, "appName": "chatello-analytics", "op": "getmore"}},
    ]
    shop.until(lambda: not list(db.client.admin.aggregate(reads)), "the last getMore to return", 30)


def roll_oplog(db: Database) -> None:
    """Write to another database until the oplog begins after this call."""
    mark = operation_time(db)
    oplog = db.client.local["oplog.rs"]
    noise = [{"noise": os.urandom(50_000)} for _ in range(20)]

    def rolled() -> bool:
        db.client.noise.noise.insert_many([dict(one) for one in noise])
        first = oplog.find_one({}, {"ts": 1}, sort=[("$natural", 1)])
        return first is not None and bool(first["ts"] > mark)

    shop.until(rolled, "the oplog to roll over", 60)
    db.client.drop_database("noise")


@contextmanager
def failing(db: Database, commands: Sequence[str], times: int = 1, **fault: Any) -> Iterator[None]:
    """Make the daemon's next `times` calls of these commands fail (the server needs enableTestCommands)."""
    admin = db.client.admin
    data = {"failCommands": list(commands), "appName": "chatello-analytics", **fault}
    before = admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)["count"]
    try:
        yield
        shop.until(lambda: fail_point_hits(db) > before, f"{commands} to have been hit", 30)
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")


def fail_point_hits(db: Database) -> int:
    """Return how often the fail point was entered since the server started."""
    found = db.client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
    return int(found["failpoint.failCommand"]["timesEntered"])
