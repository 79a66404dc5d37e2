"""Recording of the daemon's writes for a backlog, as commands by transaction, which the bare writer repeats.

The real `LeaderTerm` runs in this process, on a client with a command listener.
"""

import threading
from pathlib import Path
from typing import Any

import bson
from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from bench.server import DATABASE, Server
from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.demo.embedded_mongo import wait_for
from daemon.leader.lease_renewal import LeaseRenewer
from daemon.leader.term import LeaderTerm
from daemon.mongo.client import database
from daemon.mongo.types import Database, Document
from daemon.runtime.health import Health
from daemon.store import checkpoint as checkpoints
from daemon.store.lease import Leaser

WRITES = {"insert": "documents", "update": "updates", "delete": "deletes"}


class Recorder(CommandListener):
    """Collects the writes of committed transactions."""

    def __init__(self) -> None:
        self.transactions: list[list[Document]] = []
        self._open: list[Document] = []

    def started(self, event: CommandStartedEvent) -> None:
        command = event.command
        if command.get("startTransaction"):
            self._open = []
        if command.get("autocommit") is False and event.command_name in WRITES:
            self._open.append(_bare(event.command_name, command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if event.command_name == "commitTransaction":
            self.transactions.append(self._open)

    def failed(self, event: CommandFailedEvent) -> None:
        """Do nothing: a retried transaction starts with an empty list."""


def _bare(name: str, command: Any) -> Document:
    listed = WRITES[name]
    return {name: command[name], listed: list(command[listed]), "ordered": command.get("ordered", True)}


def record(server: Server, file: Path) -> int:
    """Let a leader commit the backlog, write its transactions to `file`, and return their number."""
    recorder = Recorder()
    config = Config.model_validate({"mongodb": {"uri": server.uri, "database": DATABASE}})
    client: MongoClient[Document]
    with MongoClient(server.uri, tz_aware=True, event_listeners=[recorder]) as client:
        _lead(client, config, server.now())
    with file.open("wb") as out:
        for commands in recorder.transactions:
            out.write(bson.encode({"commands": commands}))
    return len(recorder.transactions)


def _lead(client: MongoClient[Document], config: Config, until: Timestamp) -> None:
    db = database(client, config.mongodb)
    stop, ready, health = threading.Event(), threading.Event(), Health()
    leaser = Leaser(db, "recorder", config.lease.seconds)
    with client.start_session() as session:
        lease = leaser.acquire(session)
        assert lease is not None, "the lease is held by another daemon"
        leader = LeaderTerm(db, lease, ActiveConfig(config), health, stop, ready)
        thread = threading.Thread(target=leader.lead, daemon=True)
        with LeaseRenewer(leaser, lease, health, clock.monotonic()):
            thread.start()
            wait_for(lambda: _is_done(db, until, thread), "the backlog to be committed", 600)
            stop.set()
            thread.join(60)
        leaser.release(lease)


def _is_done(db: Database, until: Timestamp, thread: threading.Thread) -> bool:
    assert thread.is_alive(), "the recorder's leader ended"
    stored = checkpoints.load(db)
    return stored is not None and stored.cluster_time is not None and stored.cluster_time >= until
