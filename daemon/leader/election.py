"""Leader election: stand by until the lease is free, lead one term, retry from the checkpoint after a setback."""

import os
import socket
import threading
import uuid
from collections.abc import Callable

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.delivery.dispatcher import Dispatcher
from daemon.errors import LeaseLost, Unavailable
from daemon.leader import announcements
from daemon.leader.lease_renewal import LeaseRenewer
from daemon.leader.term import LeaderTerm
from daemon.mongo.types import Database
from daemon.pipeline import api_milestones
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime import logs, metrics
from daemon.runtime.business_metrics import BUSINESS
from daemon.runtime.health import Health, Instant
from daemon.store.lease import Lease, Leaser

STANDBY_SECONDS = 1.0
"""With a lease of 8 seconds a takeover takes less than the 10 seconds we promise."""
HOLDER_SECONDS = 10.0
"""How often a standby asks who leads, to log and show it."""
EMIT_SECONDS = 10.0
"""How long the scheduler waits for the day's events before it closes days without them."""
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 5)

log = logs.get("app")


class Election:
    """Acquires the lease and leads, again and again, until `stop` is set. Both standby and leader set `ready`."""

    def __init__(
        self, database: Database, config: ActiveConfig, health: Health, stop: threading.Event, ready: threading.Event
    ) -> None:
        self.database = database
        self.config = config
        self.health = health
        self.stop = stop
        self.ready = ready
        self.leaser = Leaser(database, holder_name(), config.current.lease.seconds)
        self._term: LeaderTerm | None = None
        self._asked_at = 0.0
        self._scheduler_heartbeat = health.heartbeat_of("scheduler")

    def run(self) -> None:
        """Run until `stop` is set. Unavailable is retried with a growing pause; every other error is raised."""
        setbacks = 0
        while not self.stop.is_set():
            before = self.health.at(Instant.CHECKPOINT)
            try:
                if self._run_once():
                    setbacks = 0
            except Unavailable as setback:
                setbacks = 1 if self.health.at(Instant.CHECKPOINT) != before else setbacks + 1
                self._pause(setback, setbacks)

    def _run_once(self) -> bool:
        """Try once to acquire the lease; if acquired, run one term. Return whether it was acquired."""
        with self.database.client.start_session() as session:
            began = clock.monotonic()
            lease = self.leaser.acquire(session)
            if lease is None:
                self._stand_by()
                return False
            self._lead(lease, began)
            return True

    def _lead(self, lease: Lease, acquired_at: float) -> None:
        dispatcher = Dispatcher(self.database, self.config, lease.epoch, self.health)
        self._term = LeaderTerm(self.database, lease, self.config, self.health, self.stop, self.ready, dispatcher.wake)
        with LeaseRenewer(self.leaser, lease, self.health, acquired_at), dispatcher:
            try:
                metrics.LEADER.set(1)
                log.info("lease.taken", holder=lease.holder, epoch=lease.epoch)
                self._term.lead()
            except LeaseLost as lost:
                metrics.RESTARTS.labels("lease").inc()
                log.warning("lease.lost", problem=str(lost))
            finally:
                metrics.LEADER.set(0)
                BUSINESS.hide()
        if self.stop.is_set():
            self.leaser.release(lease)

    def _stand_by(self) -> None:
        now, reason = clock.monotonic(), self.health.reason
        is_new = self.health.role != "standby"
        if is_new or now - self._asked_at >= HOLDER_SECONDS:
            self._asked_at, leader = now, self.leaser.holder_now()
            if is_new:
                log.info("standby.entered", leader=leader)
            reason = f"{leader} leads"
        self.health.set_role("standby", now, reason)
        self.ready.set()
        self.stop.wait(STANDBY_SECONDS)

    def _pause(self, setback: Unavailable, setbacks: int) -> None:
        seconds = BACKOFF_SECONDS[min(setbacks, len(BACKOFF_SECONDS)) - 1]
        metrics.RESTARTS.labels("network").inc()
        log.warning("database.unavailable", problem=str(setback), retry_seconds=seconds)
        self.health.set_back(clock.monotonic(), str(setback), is_recovering=setbacks > 1)
        self.stop.wait(seconds)

    # What the scheduler asks of the leader (LeaderHandle).

    def take_changed(self) -> bool:
        """Return whether anything was committed since the last call."""
        pipeline = self._term.pipeline if self._term else None
        return pipeline is not None and pipeline.take_changed()

    def emit_daily_events(self) -> None:
        """Have the pipeline's thread emit the day's events, and wait for their commit at most `EMIT_SECONDS`.

        Rows that are closed afterwards include them; an event added to a closed day amends its row.
        """
        if self._term is None:
            return
        emit, done = self._term.daily_events.emit, threading.Event()
        self._term.jobs.put(lambda pipeline: _emit_and_report(emit, pipeline, done))
        began = clock.monotonic()
        while not (done.wait(0.1) or self.stop.is_set() or clock.monotonic() - began > EMIT_SECONDS):
            self._scheduler_heartbeat()

    def announce(self) -> None:
        """Have the pipeline's thread add what became final, and who was forgotten, to the outbox."""
        if self._term is not None and self.config.current.delivers:
            self._term.jobs.put(announcements.announce)

    def count_api_calls(self) -> None:
        """Count API calls in the calling thread; the pipeline's thread emits the milestones they reach."""
        if self._term is not None:
            counts = self._term.api_usage.count(self._scheduler_heartbeat)
            self._term.jobs.put(api_milestones.emit(counts))


def _emit_and_report(emit: Callable[[Pipeline], None], pipeline: Pipeline, done: threading.Event) -> None:
    try:
        emit(pipeline)
        pipeline.flush()
    finally:
        done.set()


def holder_name() -> str:
    """Return a name for this process that no other process ever has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
