"""The composition root: introduces everybody to each other, and reads signals. Decides nothing else."""

import gc
import os
import signal
import socket
import threading
import uuid
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from pymongo import MongoClient

from daemon import clock
from daemon.config import loader, reload
from daemon.config.schema import Config
from daemon.diagnostics.preflight import require
from daemon.diagnostics.verification import Verification
from daemon.errors import ChatelloError, LeaseLost, Unavailable
from daemon.leader.lease_renewal import LeaseRenewer
from daemon.leader.term import LeaderTerm
from daemon.mongo.client import connect, database
from daemon.mongo.types import Database, Document
from daemon.pipeline import api_milestones
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs, metrics
from daemon.runtime.health import Health
from daemon.runtime.supervisor import ThreadSupervisor
from daemon.runtime.systemd import SystemdNotifier
from daemon.scheduler import Scheduler
from daemon.source import custom_rules
from daemon.store import indexes
from daemon.store.lease import Leaser
from daemon.web import listener
from daemon.web.context import WebContext

STANDBY_SECONDS = 1.0
"""With a lease of 8 seconds a takeover stays below the 10 seconds we promise."""
LOOK_AGAIN_SECONDS = 10.0
"""How often a standby asks who leads, to say so."""
RENEWED_AFTER = 0.4
"""Of the lease: one renewal may fail, and a quiet daemon asks the server less than once a second in all."""
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 5)

log = logs.get("app")


class Daemon:
    """One process: its threads, its terms of leadership, its end. `path` is the file SIGHUP has read again."""

    def __init__(self, config: Config, path: Path | None = None) -> None:
        self.config = config
        self.path = path
        self.stop = threading.Event()
        self.hangup = threading.Event()
        self.ready = threading.Event()
        self.http_ready = threading.Event()
        self.progress = Health()
        self.leader: LeaderTerm | None = None
        self._asked = 0.0
        self._manned = False

    def run(self) -> None:
        """Run until a signal or an error; raises what ended it."""
        self._listen_to_signals()
        with suppress(KeyboardInterrupt):
            self._open()
        log.info("daemon.stopped")

    def _open(self) -> None:
        _spare_the_collector()
        listening = listener.listen(self.config.http)
        with connect(self.config.mongodb) as client:
            db = database(client, self.config.mongodb)
            require(db)
            custom_rules.require(db, self.config.rules.custom)
            log.info("daemon.started", version=version("chatello-analytics"), database=self.config.mongodb.database)
            indexes.create(db)
            self._crew(client, db, listening)

    def _crew(self, client: MongoClient[Document], db: Database, listening: socket.socket) -> None:
        self._manned = True
        crew = ThreadSupervisor(self.stop)
        self._show()
        nightly, proof = (
            Rollup(db, self.config, self._scheduler_heartbeat),
            Verification(db, self.config, self._wait_for_a_look),
        )
        bell = Scheduler(nightly, proof, self.config, self.progress, self)
        crew.start("http", lambda: self._serve(db, listening))
        crew.start("pipeline", lambda: self._terms(client, db))
        crew.start("scheduler", lambda: bell.run(self.stop))
        herald = SystemdNotifier(
            self.progress, (self.ready, self.http_ready), self.hangup, lambda: self._reload(db, bell)
        )
        crew.start("systemd", lambda: herald.run(self.stop))
        crew.wait()

    def _serve(self, db: Database, listening: socket.socket) -> None:
        """Open the doors; who knocks before they are there waits at the socket."""
        from daemon.web import server  # noqa: PLC0415 - half of all that is loaded; the stream does not wait for it
        from daemon.web.app import WebApp  # noqa: PLC0415

        server.serve(WebApp(WebContext(db, lambda: self.config, self.progress)), listening, self.stop, self.http_ready)

    def _show(self) -> None:
        progress = self.progress
        metrics.watch(
            role=lambda: progress.role,
            is_healthy=lambda: not progress.stalled(clock.monotonic()),
            is_ready=lambda: not progress.not_ready(clock.monotonic()),
        )

    # -- terms of leadership --------------------------------------------------------------------------------

    def _terms(self, client: MongoClient[Document], db: Database) -> None:
        """Stand by until the lease is free, lead, and begin again from the checkpoint after a setback."""
        office = Leaser(db, holder_name(), self.config.lease.seconds)
        setbacks = 0
        while not self.stop.is_set():
            before = metrics.value(metrics.CHECKPOINT)
            try:
                if self._term(client, db, office):
                    setbacks = 0
            except Unavailable as setback:
                setbacks = 1 if metrics.value(metrics.CHECKPOINT) != before else setbacks + 1
                self._set_back(setback, setbacks)

    def _term(self, client: MongoClient[Document], db: Database, office: Leaser) -> bool:
        """One attempt at the lease and, if it is had, one term; whether it was had."""
        with client.start_session() as session:
            lease = office.acquire(session)
            if lease is None:
                self._stand_by(office)
                return False
            self.leader = LeaderTerm(db, lease, self.config, self.progress, self.stop, self.ready)
            self.leader.set_config(self.config)  # it may have been changed meanwhile
            with LeaseRenewer(office, lease, self.config.lease.seconds * RENEWED_AFTER):
                try:
                    metrics.LEADER.set(1)
                    log.info("lease.taken", holder=lease.holder, epoch=lease.epoch)
                    self.leader.lead()
                except LeaseLost as lost:
                    metrics.RESTARTS.labels("lease").inc()
                    log.warning("lease.lost", problem=str(lost))
                finally:
                    metrics.LEADER.set(0)
                    metrics.BUSINESS.hide()
            if self.stop.is_set():
                office.release(lease)
            return True

    def _stand_by(self, office: Leaser) -> None:
        now = clock.monotonic()
        if self.progress.role != "standby" or now - self._asked >= LOOK_AGAIN_SECONDS:
            self._asked, leader = now, office.holder_now()
            if self.progress.role != "standby":
                log.info("standby.entered", leader=leader)
            self.progress.reason = f"{leader} leads"
        self.progress.set_role("standby", now, self.progress.reason)
        self.ready.set()
        self.stop.wait(STANDBY_SECONDS)

    def _set_back(self, setback: Unavailable, count: int) -> None:
        wait = BACKOFF_SECONDS[min(count, len(BACKOFF_SECONDS)) - 1]
        metrics.RESTARTS.labels("network").inc()
        log.warning("database.unavailable", problem=str(setback), retry_seconds=wait)
        self.progress.is_recovering = count > 1
        self.progress.set_role("retrying", clock.monotonic(), str(setback))
        self.stop.wait(wait)

    def take_changed(self) -> bool:
        """Whether anything was committed since the last call; asked by the bell for the live row."""
        pipeline = self.leader.pipeline if self.leader else None
        if pipeline is None or not pipeline.changed:
            return False
        pipeline.changed = False
        return True

    def emit_daily_events(self) -> None:
        """Have the pipeline's thread tell what the day brings; what it adds to a closed day amends its row."""
        if self.leader is not None:
            self.leader.jobs.put(self.leader.diary.emit)

    def count_api_calls(self) -> None:
        """Count API calls in the bell's thread; what they reach is told in the pipeline's."""
        if self.leader is not None:
            counted = self.leader.calls.count(self._scheduler_heartbeat)
            self.leader.jobs.put(api_milestones.emit(counted))

    def _scheduler_heartbeat(self) -> None:
        """A job of the bell got on."""
        self.progress.heartbeat("scheduler", clock.monotonic())

    def _wait_for_a_look(self, seconds: float) -> None:
        self._scheduler_heartbeat()
        self.stop.wait(seconds)

    # -- signals ------------------------------------------------------------------------------------------

    def _reload(self, db: Database, bell: Scheduler) -> None:
        """Take up the rules of the changed configuration; one that is wrong changes nothing at all."""
        try:
            changed = reload.prepare(self.config, loader.load(self.path, os.environ))
            custom_rules.require(db, changed.config.rules.custom)
        except ChatelloError as mistake:
            metrics.RELOADED.set(0)
            log.error("configuration.refused", problem=str(mistake), kept="the configuration in force stays")
            return
        self.config = changed.config
        bell.set_config(self.config)
        if self.leader is not None:
            self.leader.set_config(self.config)
        metrics.RELOADED.set(1)
        log.info("configuration.applied", applied=changed.applied, needs_restart=changed.waiting)

    def _listen_to_signals(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.hangup.set())

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """The first signal stops in order, the second at once: the database is consistent either way.

        Before there are threads to hear of it, it interrupts: a database that does not answer is waited for long.
        """
        if self.stop.is_set():
            os._exit(128 + number)
        self.stop.set()
        if not self._manned:
            raise KeyboardInterrupt


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking what never dies, and from running at every few hundred objects.

    A batch makes and drops tens of thousands of objects without cycles; walking them cost a fifth of the time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def holder_name() -> str:
    """A name for this process that no other one ever has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
