"""Composition root: create and connect all components, start the threads, handle signals."""

import gc
import os
import signal
import socket
import threading
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from daemon.config import loader, reload
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.diagnostics.requirements import require
from daemon.errors import ChatelloError
from daemon.leader.election import Election
from daemon.mongo.client import connect, database
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs, metrics
from daemon.runtime.health import Health
from daemon.runtime.supervisor import ThreadSupervisor
from daemon.runtime.systemd import SystemdNotifier
from daemon.scheduler import Scheduler
from daemon.source import custom_rules
from daemon.store import checkpoint, indexes
from daemon.web import listener
from daemon.web.context import WebContext

log = logs.get("app")


class Daemon:
    """The process. `path` is the configuration file that SIGHUP reloads."""

    def __init__(self, config: Config, path: Path | None = None) -> None:
        self.config = ActiveConfig(config)
        self.path = path
        self.stop = threading.Event()
        self.hangup = threading.Event()
        self.stream_ready = threading.Event()
        self.http_ready = threading.Event()
        self.health = Health()
        self._has_threads = False

    def run(self) -> None:
        """Run until a signal or an error; raise the error."""
        self._handle_signals()
        with suppress(KeyboardInterrupt):
            self._open()
        log.info("daemon.stopped")

    def _open(self) -> None:
        _tune_garbage_collection()
        config = self.config.current
        listening = listener.listen(config.http)
        with connect(config.mongodb, self.health) as client:
            db = database(client, config.mongodb)
            require(db, config.rules.custom)
            checkpoint.require_known_format(db)
            custom_rules.validate(db, config.rules.custom)
            log.info("daemon.started", version=version("chatello-analytics"), database=config.mongodb.database)
            indexes.create(db, delivers=config.delivers)
            threading.Thread(target=_create_page_indexes, args=(db,), name="indexes", daemon=True).start()
            self._run_threads(db, listening)

    def _run_threads(self, db: Database, listening: socket.socket) -> None:
        self._has_threads = True
        metrics.watch(self.health)
        heartbeat = self.health.heartbeat_of("scheduler")
        election = Election(db, self.config, self.health, self.stop, self.stream_ready)
        rollup = Rollup(db, self.config, heartbeat)
        scheduler = Scheduler(db, rollup, self.config, self.health, election, self._wait_between_looks)
        ready = (self.stream_ready, self.http_ready)
        notifier = SystemdNotifier(self.health, ready, self.hangup, lambda: self._reload(db))
        supervisor = ThreadSupervisor(self.stop)
        supervisor.start("http", lambda: self._serve(db, listening))
        supervisor.start("pipeline", election.run)
        supervisor.start("scheduler", lambda: scheduler.run(self.stop))
        supervisor.start("systemd", lambda: notifier.run(self.stop))
        supervisor.wait()

    def _serve(self, db: Database, listening: socket.socket) -> None:
        """Serve HTTP; connections made before the server is loaded wait in the socket's backlog."""
        from daemon.web import server  # noqa: PLC0415 - half of all that is loaded; the stream does not wait for it
        from daemon.web.app import WebApp  # noqa: PLC0415

        app = WebApp(WebContext(db, self.config, self.health))
        server.serve(app, listening, self.stop, self.http_ready)

    def _wait_between_looks(self, seconds: float) -> None:
        self.health.heartbeat_of("scheduler")()
        self.stop.wait(seconds)

    def _reload(self, db: Database) -> None:
        """Apply the rules of the changed configuration file; an invalid file changes nothing."""
        try:
            changed = reload.prepare(self.config.current, loader.load(self.path, os.environ))
            custom_rules.validate(db, changed.config.rules.custom)
        except ChatelloError as error:
            metrics.RELOADED.set(0)
            log.error("configuration.refused", problem=str(error), kept="the configuration in force stays")
            return
        self.config.replace(changed.config)
        metrics.RELOADED.set(1)
        log.info("configuration.applied", applied=changed.applied, needs_restart=changed.needing_restart)

    def _handle_signals(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.hangup.set())

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Stop in order at the first signal, at once at the second: the database is consistent either way.

        Before the threads run, the signal interrupts the main thread, which may wait long for a silent database.
        """
        if self.stop.is_set():
            os._exit(128 + number)
        self.stop.set()
        if not self._has_threads:
            raise KeyboardInterrupt


def _create_page_indexes(database: Database) -> None:
    """Create the indexes of the pages of customers beside the other work: it takes minutes for an old ledger."""
    try:
        indexes.create_for_pages(database)
    except ChatelloError as error:
        log.warning("indexes.not_created", problem=str(error), effect="the pages of customers do not work")


def _tune_garbage_collection() -> None:
    """Keep the garbage collector away from permanent objects, and from running every few hundred allocations.

    A batch allocates tens of thousands of acyclic objects; collecting them took 20 % of the run time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
