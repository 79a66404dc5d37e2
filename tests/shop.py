"""A small shop in a real database, and the daemon on it: in a thread or as a process."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, Self

from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.delivery.dispatcher import Dispatcher
from daemon.demo.embedded_mongo import free_port, wait_for
from daemon.leader.election import holder_name
from daemon.leader.lease_renewal import LeaseRenewer
from daemon.leader.term import LeaderTerm
from daemon.mongo.client import CODEC, connect
from daemon.mongo.client import database as open_database
from daemon.mongo.types import Database, Document
from daemon.runtime import metrics
from daemon.runtime.health import Health
from daemon.store import indexes
from daemon.store.lease import Leaser
from rules import business_days

ROOT = Path(__file__).parent.parent
PRICES = {"starter": 2.99, "pro": 7.99, "agency": 19.99, "founders": 29.0}


@contextmanager
def fresh_database(uri: str) -> Iterator[Database]:
    """Connect and yield an empty database, dropped afterwards."""
    opened: MongoClient[dict[str, Any]]
    with MongoClient(uri, tz_aware=True) as opened:
        database: Database = opened.get_database(f"test_{uuid.uuid4().hex[:12]}", codec_options=CODEC)
        yield database
        with suppress(PyMongoError):
            opened.drop_database(database.name)


def plans(db: Database) -> dict[str, ObjectId]:
    """Insert the dashboard's four plans; return their ids by name."""
    ids: dict[str, ObjectId] = {}
    for name, price in PRICES.items():
        lifetime = name == "founders"
        plan: dict[str, Any] = {
            "name": name,
            "display_name": "Founders Deal" if lifetime else name.capitalize(),
            "price": price,
            "currency": "EUR",
            "is_lifetime": lifetime,
            "lifetime_limit": 500 if lifetime else None,
        }
        ids[name] = db.plans.insert_one(plan).inserted_id
    return ids


def customer(db: Database, name: str, **more: Any) -> ObjectId:
    document: dict[str, Any] = {"name": name, "created_at": clock.now(), **more}
    customer_id: ObjectId = db.customers.insert_one(document).inserted_id
    return customer_id


def license(db: Database, customer_id: Any, plan_id: Any, **more: Any) -> ObjectId:
    document: dict[str, Any] = {
        "license_key": f"CHA-{ObjectId()}",
        "customer_id": customer_id,
        "plan_id": plan_id,
        "status": "active",
        "expires_at": None,
        **more,
    }
    license_id: ObjectId = db.licenses.insert_one(document).inserted_id
    return license_id


def begin_ledger(db: Database, day: date) -> None:
    """Move the first ledger line of a running daemon, one new customer, to a past day."""
    customer(db, "Prima")
    until(lambda: db.analytics_ledger.count_documents({}) > 0, "the ledger's first line")
    db.analytics_ledger.update_many({}, {"$set": {"day": business_days.stored(day)}})


def config_for(uri: str, db: Database, **sections: Any) -> Config:
    values: dict[str, Any] = {
        "mongodb": {"uri": uri, "database": db.name, "timeout_seconds": 10},
        "stream": {"await_seconds": 0.2, "checkpoint_seconds": 0.3},
        "http": {"port": free_port()},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return Config.model_validate(values)


class Running:
    """Leader in a thread of this process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.stop = threading.Event()
        self.ready = threading.Event()
        self.active = ActiveConfig(config)
        self.health = Health()
        metrics.watch(self.health)
        self.error: BaseException | None = None
        self.leader: LeaderTerm | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            with connect(self.config.mongodb, self.health) as client:
                db = open_database(client, self.config.mongodb)
                indexes.create(db, delivers=self.config.delivers)
                self._lead(client, db)
        except BaseException as error:  # noqa: BLE001 - raised in the test by `running`
            self.error = error

    def _lead(self, client: MongoClient[dict[str, Any]], db: Database) -> None:
        leaser = Leaser(db, holder_name(), self.config.lease.seconds)
        with client.start_session() as session:
            lease = leaser.acquire(session)
            assert lease is not None, "the lease is held by another daemon"
            dispatcher = Dispatcher(db, self.active, lease.epoch, self.health)
            with LeaseRenewer(leaser, lease, self.health, clock.monotonic()), dispatcher:
                self.leader = LeaderTerm(db, lease, self.active, self.health, self.stop, self.ready, dispatcher.wake)
                self.leader.lead()
            leaser.release(lease)


@contextmanager
def running(config: Config) -> Iterator[Running]:
    """Run a leader in a thread and wait for its stream; stop it at the end and raise its error."""
    run = Running(config)
    run.thread.start()
    try:
        wait_for(lambda: run.ready.is_set() or run.error is not None, "the stream to open")
        if run.error is None:
            yield run
    except BaseException as failure:
        if run.error is not None:
            failure.add_note(f"the daemon had ended: {run.error!r}")
        raise
    finally:
        run.stop.set()
        run.thread.join(30)
    if run.error is not None:
        raise run.error


def operations(db: Database, *stages: Document) -> list[Document]:
    """Return the server's operations by these stages; $currentOp refuses the read concern of the tests' client."""
    admin = db.client.get_database("admin", read_concern=ReadConcern("local"))
    return list(admin.aggregate([*stages]))


def wait_until_committed(db: Database, seconds: float = 60) -> None:
    """Insert a customer and wait for its event: everything written before it is then committed."""
    mark = customer(db, "the last one")
    event = {"event_type": "new_customer", "customer_id": mark}
    until(lambda: db.business_events.count_documents(event) == 1, "the last event", seconds)


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    wait_for(condition, what, seconds)


class Process:
    """The daemon as a process."""

    def __init__(self, uri: str, db_name: str, arguments: tuple[str, ...] = (), /, **environment: str) -> None:
        self.arguments = arguments
        self.port = free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("CHATELLO_", "MONGODB_"))},
            "MONGODB_URI": uri,
            "MONGODB_DATABASE": db_name,
            "CHATELLO_HTTP__PORT": str(self.port),
            "CHATELLO_STREAM__AWAIT_SECONDS": "0.5",
            "CHATELLO_LEASE__SECONDS": "2",
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None
        self.lines: list[str] = []

    def start(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daemon", "run", *self.arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._drain, args=(self.process,), daemon=True).start()
        return self

    def _drain(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as out:
            self.lines.extend(out)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 20) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.wait()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@contextmanager
def process(uri: str, db_name: str, arguments: tuple[str, ...] = (), /, **environment: str) -> Iterator[Process]:
    """Start a daemon process and kill it at the end."""
    daemon = Process(uri, db_name, arguments, **environment).start()
    try:
        yield daemon
    except BaseException as error:
        error.add_note("the daemon's last lines:\n" + "".join(daemon.lines[-10:]))
        raise
    finally:
        if daemon.is_running():
            daemon.kill()
