"""A shop, a daemon, and everything that can happen to them, drawn from one seed; then the oracle.

The daemon is the real `Leader` on a real replica set. It dies where a kill would hurt most: before its transaction,
in the middle of it, and after the commit before it knows. Its server answers with errors and forgets the stream's
history; collections vanish and come back. The same seed tells the same story: what the shop does, where the daemon
dies, how large its batches are (how the threads interleave is up to the machine).
"""

import threading
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from bson import ObjectId
from pymongo.client_session import ClientSession

from daemon import clock
from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.demo.simulator.weights import PAID
from daemon.errors import LeaseLost, Unavailable
from daemon.leader.term import LeaderTerm
from daemon.mongo.client import connect, database
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store import gaps, indexes
from daemon.store.commit import Committer, Writes
from daemon.store.lease import Leaser
from tests.oracle import assert_books_balance, assert_each_event_once, assert_each_payment_once, events, recount, totals

POISON: tuple[dict[str, Any], ...] = (
    {"status": "frozen"},
    {"status": ["active"]},
    {"expires_at": "domani"},
    {"plan_id": "nowhere"},
    {"customer_id": {"$ne": 1}},
)


FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("getMore", {"errorCode": 91}),
    ("getMore", {"closeConnection": True}),
    ("getMore", {"errorCode": 286}),
    ("getMore", {"errorCode": 136}),
    ("aggregate", {"errorCode": 286}),
    ("aggregate", {"errorCode": 189}),
    ("find", {"errorCode": 13388}),
    ("insert", {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}),
    ("insert", {"errorCode": 112}),
    ("update", {"closeConnection": True}),
    ("update", {"errorCode": 10107}),
    ("commitTransaction", {"errorCode": 50, "errorLabels": ["UnknownTransactionCommitResult"]}),
    ("commitTransaction", {"closeConnection": True}),
    ("commitTransaction", {"writeConcernError": {"code": 91, "errmsg": "shutting down"}}),
)
"""What the server answers the daemon with: those of `tests/faults/test_commit.py` in any order and company."""


class Killed(BaseException):
    """The daemon's process is gone; nothing below may catch it."""


class DeadlyCommitter(Committer):
    """Commits, and dies in the phase its leader was told to die in."""

    leader: "DeadlyLeader"

    @property
    def doom(self) -> str | None:
        return self.leader.doom

    def write(self, writes: Writes) -> int:
        if self.doom == "before":
            raise Killed
        written = super().write(writes)
        if self.doom == "after":
            raise Killed
        return written

    def _all(self, writes: Writes, session: ClientSession) -> None:
        super()._all(writes, session)
        if self.doom == "inside":
            raise Killed


class DeadlyLeader(LeaderTerm):
    """Leads as the real one does, with a committer that dies when told to, however often it equips itself anew."""

    doom: str | None = None

    def _equip(self, config: Config) -> None:
        super()._build(config)
        self.committer = DeadlyCommitter(self.database, self.lease, config.settings(), 20)
        self.committer.leader = self


class Daemon:
    """One life of the daemon, in a thread."""

    def __init__(self, config: Config, holder: str) -> None:
        self.stop = threading.Event()
        self.ready = threading.Event()
        self.died: BaseException | None = None
        self.config = config
        self.holder = holder
        self.leader: DeadlyLeader | None = None
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()
        wait_for(lambda: self.ready.is_set() or self.died is not None, "the daemon to be ready", 30)

    def _live(self) -> None:
        try:
            with connect(self.config.mongodb) as client, client.start_session() as session:
                db = database(client, self.config.mongodb)
                lease = Leaser(db, self.holder, 60).acquire(session)
                assert lease is not None
                self.leader = DeadlyLeader(db, lease, self.config, Health(), self.stop, self.ready)
                self.leader.lead()
        except BaseException as end:  # noqa: BLE001 - the simulation asks how it ended
            self.died = end

    def doom(self, phase: str) -> None:
        """Let it die in this phase; one that never came to lead is dead already."""
        if self.leader is not None:
            self.leader.doom = phase

    def end(self) -> None:
        """Stop it if it still lives; what killed it must be of our making."""
        self.stop.set()
        self.thread.join(30)
        if self.died is not None and not isinstance(self.died, Killed | LeaseLost | Unavailable):
            raise self.died


class Simulation:
    """One story. `steps` is how many things happen."""

    def __init__(self, db: Database, config: Callable[..., Config], seed: int) -> None:
        self.chance = Random(seed)
        self.db = db
        batch = self.chance.choice((1, 2, 5, 50, 1000))
        self.config = config(stream={"batch_size": batch, "await_seconds": 0.1, "checkpoint_seconds": 0.2})
        self.dashboard = Dashboard(db, self.chance, pays=self.chance.random() < 0.5)
        self.inserted: Counter[tuple[str, ObjectId]] = Counter()
        self.daemon: Daemon | None = None
        self.happenings: dict[Callable[[], None], int] = {
            self._trade: 12,
            self._kill: 4,
            self._restart: 2,
            self._poison: 2,
            self._reprice: 1,
            self._usurp: 1,
            self._ask_for_repair: 1,
            self._fail: 4,
            self._lose_for_a_while: 1,
        }

    def run(self, steps: int) -> None:
        self.dashboard.set_up(clock.now())
        indexes.create(self.db)
        self.daemon = self._start()
        try:
            for _ in range(steps):
                self._step()
            self._mend()
            self._let_it_catch_up()
        finally:
            self.daemon.end()
        self._judge()

    def _start(self) -> Daemon:
        return Daemon(self.config, "the one")

    def _step(self) -> None:
        happening = self.chance.choices(tuple(self.happenings), tuple(self.happenings.values()))[0]
        happening()

    # -- what the shop does ---------------------------------------------------------------------------------

    def _trade(self) -> None:
        for _ in range(self.chance.randrange(1, 6)):
            pick = self.chance.random()
            if pick < 0.06 and self.dashboard.licenses:
                self.dashboard.delete_license(clock.now())
            elif pick < 0.12 and self.dashboard.licenses:
                self.dashboard.replace_license(clock.now())
            else:
                self.dashboard.step(clock.now(), PAID if self.dashboard.pays else None)

    def _poison(self) -> None:
        if self.dashboard.licenses:
            victim = self.chance.choice(self.dashboard.licenses)
            self.db.licenses.update_one({"_id": victim}, {"$set": self.chance.choice(POISON)})

    def _mend(self) -> None:
        """Good versions of everything that was poisoned: all holds must be released. No error is left to come."""
        self.db.client.admin.command("configureFailPoint", "failCommand", mode="off")
        plan = self.dashboard.plans["pro"]["_id"]
        customer = self.dashboard.customers[0] if self.dashboard.customers else None
        good = {"status": "active", "plan_id": plan, "expires_at": None, "customer_id": customer}
        for poison in POISON:
            (name,) = poison
            self.db.licenses.update_many({name: poison[name]}, {"$set": {name: good[name]}})

    def _reprice(self) -> None:
        self.dashboard.reprice(self.chance.choice(("starter", "pro", "agency")), self.chance.choice((1.5, 7.99, 30.0)))

    # -- what happens to the daemon -------------------------------------------------------------------------

    def _kill(self) -> None:
        assert self.daemon is not None
        self.daemon.doom(self.chance.choice(("before", "inside", "after")))
        self._trade()
        self.daemon.thread.join(self.chance.choice((0.0, 0.05, 0.5)))
        self._restart()

    def _restart(self) -> None:
        assert self.daemon is not None
        self.daemon.end()
        self.daemon = self._start()

    def _usurp(self) -> None:
        """A second daemon takes the lease while the first still works: its next commit must be refused."""
        assert self.daemon is not None
        first, self.daemon = self.daemon, self._start()
        self._trade()
        first.end()

    def _ask_for_repair(self) -> None:
        gaps.open_gap(self.db, "requested", "the simulation asks", None, clock.now())

    def _fail(self) -> None:
        """The server answers the daemon's next calls of a command with an error; trade goes on."""
        command, fault = self.chance.choice(FAULTS)
        data = {"failCommands": [command], "appName": "chatello-analytics", **fault}
        times = {"times": self.chance.randrange(1, 4)}
        self.db.client.admin.command("configureFailPoint", "failCommand", mode=times, data=data)
        self._trade()

    def _lose_for_a_while(self) -> None:
        """A collection is dropped and restored, or renamed away and back, while the shop goes on."""
        name = self.chance.choice(("licenses", "customers"))
        saved = list(self.db[name].find())
        if not saved:
            return
        if self.chance.random() < 0.5:
            self.db[name].drop()
            self._trade()
            self.db[name].insert_many(saved)
        else:
            self.db[name].rename(f"{name}_away")
            self.db[f"{name}_away"].rename(name)
        self._trade()

    # -- the end --------------------------------------------------------------------------------------------

    def _let_it_catch_up(self) -> None:
        last = self.db.customers.insert_one({"name": "the last one", "email": "last@example.com"}).inserted_id
        self._until(lambda: events(self.db)["new_customer", last] == 1, "the last customer's event")
        self._until(lambda: gaps.count_open(self.db) == 0, "every gap to be closed")
        self._until(self._agrees, f"totals {totals(self.db)} to become {recount(self.db)}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait, starting the daemon again where an error of before ends it only now: what `App` and systemd do."""

        def holds() -> bool:
            if self.daemon is None or not self.daemon.thread.is_alive():
                self._restart()
            return condition()

        wait_for(holds, what, 30)

    def _agrees(self) -> bool:
        return totals(self.db) == recount(self.db)

    def _judge(self) -> None:
        assert_books_balance(self.db)
        assert_each_event_once(self.db)
        if self.db.payments.count_documents({}):
            assert_each_payment_once(self.db)
        keys = Counter(event["metadata"]["key"] for event in self.db.business_events.find())
        assert set(keys.values()) <= {1}
        held = self.db.analytics_dead_letters.count_documents({"state": "held"})
        assert held == 0
