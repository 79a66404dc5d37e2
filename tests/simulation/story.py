"""Random simulation of a shop, a daemon and faults from one seed, checked against the oracle.

The daemon is the real `LeaderTerm` on a real replica set. It crashes at the critical points: before its transaction,
inside it, and after the commit before the reply. Its server returns errors and loses the stream's history; collections
are dropped and restored. A seed determines the shop's writes, the crash points and the batch size, but not the
interleaving of threads.
"""

import threading
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from bson import ObjectId
from pymongo.client_session import ClientSession

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.demo.simulator.weights import PAYING_WEIGHTS
from daemon.errors import LeaseLost, Unavailable
from daemon.leader.term import LeaderTerm
from daemon.mongo.client import connect, database
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.store import gaps, indexes
from daemon.store.commit import Committer, Writes
from daemon.store.lease import Leaser
from daemon.store.outbox_writer import OutboxWriter
from tests.customers import assert_customers_add_up
from tests.oracle import (
    assert_each_event_once,
    assert_each_fact_once_in_the_outbox,
    assert_each_payment_once,
    assert_ledger_consistent,
    events,
    recount,
    totals,
)
from tests.states import assert_memory_equals_mirror

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
"""Errors that the server returns, from `tests/faults/test_commit.py`, here in random order and combination."""


class Killed(BaseException):
    """Simulated kill of the process; a BaseException so that no code catches it."""


class CrashingCommitter(Committer):
    """Commits, and crashes in the phase set on its leader."""

    leader: "CrashingLeader"

    @property
    def crash_phase(self) -> str | None:
        return self.leader.crash_phase

    def write(self, writes: Writes) -> int:
        if self.crash_phase == "before":
            raise Killed
        written = super().write(writes)
        if self.crash_phase == "after":
            raise Killed
        return written

    def _write_all(self, writes: Writes, session: ClientSession) -> None:
        super()._write_all(writes, session)
        if self.crash_phase == "inside":
            raise Killed


class CrashingLeader(LeaderTerm):
    """Leader whose committers, also those created after a reload, crash in `crash_phase`."""

    crash_phase: str | None = None

    def _new_committer(self, config: Config, _forgotten_count: int | None) -> Committer:
        outbox = OutboxWriter(self.database, self.wake)
        committer = CrashingCommitter(self.database, self.lease, config.settings(), 20, outbox=outbox)
        committer.leader = self
        return committer


class Daemon:
    """Daemon in a thread, until it stops or crashes."""

    def __init__(self, config: Config, holder: str) -> None:
        self.stop = threading.Event()
        self.ready = threading.Event()
        self.died: BaseException | None = None
        self.config = config
        self.holder = holder
        self.leader: CrashingLeader | None = None
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()
        wait_for(lambda: self.ready.is_set() or self.died is not None, "the daemon to be ready", 30)

    def _live(self) -> None:
        try:
            with connect(self.config.mongodb) as client, client.start_session() as session:
                db = database(client, self.config.mongodb)
                lease = Leaser(db, self.holder, 60).acquire(session)
                assert lease is not None
                self.leader = CrashingLeader(db, lease, ActiveConfig(self.config), Health(), self.stop, self.ready)
                self.leader.lead()
        except BaseException as end:  # noqa: BLE001 - `end` checks it
            self.died = end

    def crash_in(self, phase: str) -> None:
        """Crash in this phase of the next commit; a daemon that never became leader has ended already."""
        if self.leader is not None:
            self.leader.crash_phase = phase

    def end(self) -> None:
        """Stop the daemon; raise its error unless the simulation caused it."""
        self.stop.set()
        self.thread.join(30)
        if self.died is not None and not isinstance(self.died, Killed | LeaseLost | Unavailable):
            raise self.died


class Simulation:
    """One simulation of a number of random steps."""

    def __init__(self, db: Database, config: Callable[..., Config], seed: int) -> None:
        self.chance = Random(seed)
        self.db = db
        batch = self.chance.choice((1, 2, 5, 50, 1000))
        self.config = config(
            stream={"batch_size": batch, "await_seconds": 0.1, "checkpoint_seconds": 0.2},
            reconciliation={"max_deleted": 20},
            webhooks={"nowhere": {"url": "http://127.0.0.1:9/", "secret": f"whsec_{'A' * 32}"}},
        )
        self.max_states = self.chance.choice((0, 20, 5000))
        self.dashboard = Dashboard(db, self.chance, pays=self.chance.random() < 0.5)
        self.inserted: Counter[tuple[str, ObjectId]] = Counter()
        self.daemon: Daemon | None = None
        self.actions: dict[Callable[[], None], int] = {
            self._trade: 12,
            self._kill: 4,
            self._restart: 2,
            self._poison: 2,
            self._reprice: 1,
            self._take_over: 1,
            self._ask_for_repair: 1,
            self._fail: 4,
            self._lose_for_a_while: 1,
        }

    def run(self, steps: int) -> None:
        self.dashboard.set_up(clock.now())
        indexes.create(self.db, delivers=True)
        self.daemon = self._start()
        try:
            for _ in range(steps):
                self._step()
            self._repair()
            self._catch_up()
        finally:
            self.daemon.end()
        self._assert_consistent()

    def _start(self) -> Daemon:
        return Daemon(self.config, "first")

    def _step(self) -> None:
        action = self.chance.choices(tuple(self.actions), tuple(self.actions.values()))[0]
        action()

    # -- the shop ---------------------------------------------------------------------------------

    def _trade(self) -> None:
        for _ in range(self.chance.randrange(1, 6)):
            pick = self.chance.random()
            if pick < 0.06 and self.dashboard.licenses:
                self.dashboard.delete_license(clock.now())
            elif pick < 0.12 and self.dashboard.licenses:
                self.dashboard.replace_license(clock.now())
            else:
                self.dashboard.step(clock.now(), PAYING_WEIGHTS if self.dashboard.pays else None)

    def _poison(self) -> None:
        if self.dashboard.licenses:
            victim = self.chance.choice(self.dashboard.licenses)
            self.db.licenses.update_one({"_id": victim}, {"$set": self.chance.choice(POISON)})

    def _repair(self) -> None:
        """Make all invalid documents valid, so that they must be released, and disable the fail point."""
        self.db.client.admin.command("configureFailPoint", "failCommand", mode="off")
        plan = self.dashboard.plans["pro"]["_id"]
        customer = self.dashboard.customers[0] if self.dashboard.customers else None
        valid = {"status": "active", "plan_id": plan, "expires_at": None, "customer_id": customer}
        for poison in POISON:
            (name,) = poison
            self.db.licenses.update_many({name: poison[name]}, {"$set": {name: valid[name]}})

    def _reprice(self) -> None:
        self.dashboard.reprice(self.chance.choice(("starter", "pro", "agency")), self.chance.choice((1.5, 7.99, 30.0)))

    # -- the daemon -------------------------------------------------------------------------

    def _kill(self) -> None:
        assert self.daemon is not None
        self.daemon.crash_in(self.chance.choice(("before", "inside", "after")))
        self._trade()
        self.daemon.thread.join(self.chance.choice((0.0, 0.05, 0.5)))
        self._restart()

    def _restart(self) -> None:
        assert self.daemon is not None
        self.daemon.end()
        self.daemon = self._start()

    def _take_over(self) -> None:
        """Start a second daemon that takes the lease from the running first one, whose next commit must be rejected."""
        assert self.daemon is not None
        first, self.daemon = self.daemon, self._start()
        self._trade()
        first.end()

    def _ask_for_repair(self) -> None:
        gaps.open_gap(self.db, "requested", "requested by the simulation", None, clock.now())

    def _fail(self) -> None:
        """Make the daemon's next calls of a command fail while the shop goes on."""
        command, fault = self.chance.choice(FAULTS)
        data = {"failCommands": [command], "appName": "chatello-analytics", **fault}
        times = {"times": self.chance.randrange(1, 4)}
        self.db.client.admin.command("configureFailPoint", "failCommand", mode=times, data=data)
        self._trade()

    def _lose_for_a_while(self) -> None:
        """Drop and restore a collection, or rename it away and back, while the shop goes on."""
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

    def _catch_up(self) -> None:
        last = self.db.customers.insert_one({"name": "the last one", "email": "last@example.com"}).inserted_id
        self._until(lambda: events(self.db)["new_customer", last] == 1, "the last customer's event")
        self._until(lambda: gaps.count_open(self.db) == 0, "every gap to be closed")
        self._until(self._agrees, f"totals {totals(self.db)} to become {recount(self.db)}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait, restarting a daemon that ended with an earlier error, as the election and systemd do."""

        def holds() -> bool:
            if self.daemon is None or not self.daemon.thread.is_alive():
                self._restart()
            return condition()

        wait_for(holds, what, 30)

    def _agrees(self) -> bool:
        return totals(self.db) == recount(self.db)

    def _assert_consistent(self) -> None:
        if self.daemon is not None and self.daemon.leader is not None and self.daemon.leader.pipeline is not None:
            assert_memory_equals_mirror(self.daemon.leader.pipeline, self.db)
        assert_ledger_consistent(self.db)
        assert_customers_add_up(self.db)
        assert_each_event_once(self.db)
        assert_each_fact_once_in_the_outbox(self.db)
        if self.db.payments.count_documents({}):
            assert_each_payment_once(self.db)
        keys = Counter(event["metadata"]["key"] for event in self.db.business_events.find())
        assert set(keys.values()) <= {1}
        held = self.db.analytics_dead_letters.count_documents({"state": "held"})
        assert held == 0
