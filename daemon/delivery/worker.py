"""One target's thread: reads the stored record, sends what is due, waits to be woken."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.delivery import target_store
from daemon.delivery.outcome import OutcomeKind
from daemon.delivery.schedule import State
from daemon.delivery.target_store import Changed, TargetRecord
from daemon.errors import ChatelloError, LeaseLost
from daemon.mongo.types import Database
from daemon.runtime import logs, metrics
from daemon.store import outbox
from rules.settings.settings import Settings

LOOK_SECONDS = 30.0
"""How often an idle target looks at its record, which a command may have changed."""

log = logs.get("delivery")


@dataclass(frozen=True)
class WorkerContext:
    """What all targets of one term share. `holds_lease` is asked before each message."""

    database: Database
    config: ActiveConfig
    epoch: int
    stop: threading.Event
    holds_lease: Callable[[], bool]

    def settings(self) -> Settings:
        return self.config.current.settings()

    @property
    def zone(self) -> tzinfo:
        return self.config.current.time.zone

    def is_stopping(self) -> bool:
        return self.stop.is_set() or not self.holds_lease()


class Channel(Protocol):
    """What sends to one target."""

    def cancel(self) -> None:
        """End a running attempt, from another thread."""

    def close(self) -> None:
        """Release the connection."""


class Worker(ABC):
    """Serves one target during one term. `wake` is set by each commit that has facts."""

    def __init__(self, context: WorkerContext, name: str, channel: Channel) -> None:
        self.context = context
        self.name = name
        self.channel = channel
        self.wake = threading.Event()
        self.ready_at: datetime | None = None
        """When the facts that are collected for one message will be sent."""
        self._state: State | None = None
        self._is_bound = False
        for outcome in ("delivered", "failed", "parked", "dropped"):
            metrics.DELIVERIES.labels(name, outcome)

    @abstractmethod
    def work(self, record: TargetRecord) -> TargetRecord:
        """Send what is due and store the record; return it."""

    def run(self) -> None:
        """Work until the term ends. Errors of the database are retried; a later leader ends the work."""
        try:
            while not self.context.stop.is_set():
                self.wake.clear()
                self.wake.wait(self._step())
        except LeaseLost as lost:
            log.info("delivery.ended", target=self.name, problem=str(lost))
        finally:
            self.channel.close()

    def _step(self) -> float:
        """Work once; return the seconds until the next look."""
        if not self.context.holds_lease():
            return 1.0
        try:
            record = self._record()
            if record.target.is_sending and (record.target.is_due(clock.now()) or record.resent):
                record = self.work(record)
            self._show(record)
        except Changed:
            return 0.0
        except LeaseLost:
            raise
        except ChatelloError as problem:
            log.warning("delivery.interrupted", target=self.name, problem=str(problem))
            return 5.0
        return self._seconds_until_due(record)

    def _record(self) -> TargetRecord:
        """Return the stored record; the first time in a term it is bound to this leader."""
        database, known = self.context.database, None
        if self._is_bound:
            known = target_store.load(database, self.name)
        if known is None or known.epoch != self.context.epoch:
            known = target_store.open_record(database, self.name, self.context.epoch, outbox.end(database), clock.now())
            self._is_bound = True
        return known

    def _seconds_until_due(self, record: TargetRecord) -> float:
        due = [at for at in (record.target.next_attempt_at, self.ready_at) if at is not None]
        if not record.target.is_sending or not due:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, max(0.1, (max(due) - clock.now()) / timedelta(seconds=1)))

    def _show(self, record: TargetRecord) -> None:
        """Export and log the state."""
        state = record.target.state
        for one in State:
            metrics.DELIVERY_STATE.labels(self.name, one.value).set(one is state)
        oldest = None if self._is_early() else next(outbox.read(self.context.database, record.position, 1), None)
        metrics.DELIVERY_OLDEST.labels(self.name).set(_seconds(oldest.at if oldest else None))
        metrics.DELIVERY_WAITING.labels(self.name).set(outbox.count(self.context.database, record.position))
        if self._state is not None and state is not self._state:
            log.warning("delivery.state", target=self.name, state=state.value, problem=record.target.last_error)
        self._state = state

    def _is_early(self) -> bool:
        """Return whether the next message waits for its time, such as the end of quiet hours."""
        return self.ready_at is not None and self.ready_at > clock.now()

    def count(self, kind: OutcomeKind, *, is_parked: bool = False) -> None:
        """Count an attempt."""
        outcome = "delivered" if kind is OutcomeKind.DELIVERED else "parked" if is_parked else "failed"
        metrics.DELIVERIES.labels(self.name, outcome).inc()


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at is not None else 0.0
