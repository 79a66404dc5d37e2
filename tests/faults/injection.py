"""Injects faults for real, and waits for what must follow; knows the daemon only by what it leaves in the database."""

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
from tests.oracle import assert_books_balance, assert_each_event_once, recount, totals, wrongly_told
from tests.system.test_process import ready

# -- the shop -----------------------------------------------------------------------------------------------


def stock(db: Database, licenses: int) -> list[Any]:
    """Plans, and this many customers with a licence each; the licences."""
    plans = shop.plans(db)
    kinds = list(plans.values())
    return [shop.license(db, shop.customer(db, f"C{n}"), kinds[n % len(kinds)]) for n in range(licenses)]


def trade(db: Database, chance: Random, licenses: list[Any]) -> None:
    """One write a dashboard might make."""
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
    """A dashboard that goes on trading in a thread, whatever the database answers."""

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
        """Wait until this many further writes have gone through."""
        aim = self.trades + trades
        shop.until(lambda: self.trades >= aim, f"{trades} writes", 60)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()


# -- waiting ------------------------------------------------------------------------------------------------


def is_ready(daemon: shop.Process) -> None:
    shop.until(lambda: ready(daemon.port), f"the daemon to be ready: {daemon.lines[-3:]}", 40)


def settled(db: Database, daemon: shop.Process | None = None, seconds: float = 60) -> None:
    """Wait until the running totals say what the source says and no gap is open."""

    def agrees() -> bool:
        assert daemon is None or daemon.is_running(), daemon.lines[-5:]
        return db.analytics_gaps.count_documents({"closed_at": None}) == 0 and totals(db) == recount(db)

    began = clock.monotonic()
    try:
        shop.until(agrees, "the books to agree", seconds)
    except TimeoutError:
        raise AssertionError((totals(db), recount(db), daemon and daemon.lines[-8:])) from None
    measurements.note(again_seconds=clock.monotonic() - began)


def marked(db: Database, seconds: float = 60) -> None:
    """Wait until a customer made now is told: everything written before it is then committed."""
    mark = shop.customer(db, "the last one")
    told = {"event_type": "new_customer", "customer_id": mark}
    shop.until(lambda: db.business_events.count_documents(told) == 1, "the last event", seconds)


def assert_nothing_lost_or_doubled(db: Database) -> None:
    missing, doubled = wrongly_told(db)
    measurements.note(told=db.business_events.count_documents({}), missing=len(missing), doubled=len(doubled))
    assert_books_balance(db)
    assert_each_event_once(db)
    keys = [event["metadata"]["key"] for event in db.business_events.find()]
    assert len(keys) == len(set(keys))


def gap(db: Database, cause: str) -> Document:
    """The one gap of this cause."""
    found = list(db.analytics_gaps.find({"cause": cause}))
    assert len(found) == 1, list(db.analytics_gaps.find())
    return found[0]


# -- the server ---------------------------------------------------------------------------------------------


def now(db: Database) -> Timestamp:
    """The server's operation time."""
    time: Timestamp = db.command("ping")["operationTime"]
    return time


def no_answer_is_under_way(db: Database) -> None:
    """Wait until the (stopped) daemon has no read open on the server: it sees nothing that is written from now on."""
    mine: list[Document] = [
        {"$currentOp": {}},
        {"$match": {"active": True, "appName": "chatello-analytics", "op": "getmore"}},
    ]
    shop.until(lambda: not list(db.client.admin.aggregate(mine)), "the last answer", 30)


def roll_oplog(db: Database) -> None:
    """Make noise until the oplog begins after this call."""
    mark = now(db)
    oplog = db.client.local["oplog.rs"]
    noise = [{"noise": os.urandom(50_000)} for _ in range(20)]

    def rolled() -> bool:
        db.client.noise.noise.insert_many([dict(one) for one in noise])
        first = oplog.find_one({}, {"ts": 1}, sort=[("$natural", 1)])
        return first is not None and bool(first["ts"] > mark)

    shop.until(rolled, "the oplog to roll over", 60)
    db.client.drop_database("noise")


@contextmanager
def failing(db: Database, commands: Sequence[str], times: int = 1, **how: Any) -> Iterator[None]:
    """Let the daemon's next `times` calls of these commands fail, on a server with test commands."""
    admin = db.client.admin
    data = {"failCommands": list(commands), "appName": "chatello-analytics", **how}
    before = admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)["count"]
    try:
        yield
        shop.until(lambda: hits(db) > before, f"{commands} to have been hit", 30)
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")


def hits(db: Database) -> int:
    """How often the fail point was entered since the server began."""
    found = db.client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
    return int(found["failpoint.failCommand"]["timesEntered"])
