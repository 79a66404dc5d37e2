"""One target's thread: reads the stored record, sends what is due, waits to be woken."""

import random
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.delivery import backlog, schedule, target_store
from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from daemon.delivery.schedule import State, Step
from daemon.delivery.target_store import Changed, TargetRecord
from daemon.errors import ChatelloError, LeaseLost
from daemon.mongo.types import Database
from daemon.runtime import logs, metrics
from daemon.store import outbox
from rules.settings.settings import Settings

LOOK_SECONDS = 30.0
"""How often an idle target looks at its record, which a command may have changed."""
MEASURE_SECONDS = 1.0
"""What waits is counted at most so often: with a target that is down, each commit would count the whole backlog."""

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
        self._stored: TargetRecord | None = None
        self._measured_at, self._is_measured = -MEASURE_SECONDS, False
        for outcome in ("delivered", "failed", "parked", "dropped"):
            metrics.DELIVERIES.labels(name, outcome)

    @abstractmethod
    def work(self, record: TargetRecord) -> TargetRecord:
        """Send what is due and store the record; return it."""

    def open(self) -> None:
        """Create the record of a new target before anything is committed that it has to receive."""
        try:
            self._record()
        except ChatelloError as problem:
            log.warning("delivery.interrupted", target=self.name, problem=str(problem))

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
            return self._look()
        except Changed:
            return 0.0
        except LeaseLost:
            raise
        except ChatelloError as problem:
            log.warning("delivery.interrupted", target=self.name, problem=str(problem))
            return 5.0

    def _look(self) -> float:
        record, began = self._record(), clock.now()
        if record.target.is_sending and (record.target.is_due(began) or record.resent):
            try:
                record = self.work(record)
            except (ChatelloError, Changed):
                raise
            except Exception as error:  # noqa: BLE001 - an error of our own must show as a failing target
                record = self._failed(error)
        self._show(record)
        return self._seconds_until_due(record, began)

    def _failed(self, error: Exception) -> TargetRecord:
        """Store an error of our own as a failure, without its text, which may contain a secret or a name."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"internal error: {type(error).__name__} in {place.name}, line {place.lineno}"
        log.error("delivery.crashed", target=self.name, problem=problem, file=place.filename)
        record = self._record()
        return self.save(record._replace(target=self.settle(record, Outcome(OutcomeKind.FAILED, problem)).target))

    def settle(self, record: TargetRecord, outcome: Outcome) -> Step:
        """Count an attempt and return what follows from it; one that the end of the term cut short changes nothing."""
        if self.context.stop.is_set() and outcome.kind is OutcomeKind.FAILED:
            return Step(record.target, is_passed=False)
        step = schedule.after(record.target, outcome, clock.now(), random.uniform(-1, 1))  # noqa: S311 - spreads
        result = "delivered" if outcome.kind is OutcomeKind.DELIVERED else "parked" if step.is_parked else "failed"
        metrics.DELIVERIES.labels(self.name, result).inc()
        return step

    def save(self, record: TargetRecord) -> TargetRecord:
        """Store the record if it is not what is stored. Raises Changed if another process changed it."""
        if record != self._stored:
            self._stored = record = target_store.save(self.context.database, record)
        return record

    def _record(self) -> TargetRecord:
        """Return the stored record; the first time in a term it is bound to this leader."""
        database, known = self.context.database, None
        if self._is_bound:
            known = target_store.load(database, self.name)
        if known is None or known.epoch != self.context.epoch:
            known = target_store.open_record(database, self.name, self.context.epoch, outbox.end(database), clock.now())
            self._is_bound = True
        self._stored = known
        return known

    def _seconds_until_due(self, record: TargetRecord, began: datetime) -> float:
        """Return the seconds until the next attempt; what was due when this look began has been tried."""
        longest = LOOK_SECONDS if self._is_measured else MEASURE_SECONDS
        due = [at for at in (record.target.next_attempt_at, self.ready_at) if at is not None and at > began]
        if not record.target.is_sending or not due:
            return longest
        return min(longest, max(0.1, (max(due) - clock.now()) / timedelta(seconds=1)))

    def _show(self, record: TargetRecord) -> None:
        """Export and log the state."""
        state = record.target.state
        for one in State:
            metrics.DELIVERY_STATE.labels(self.name, one.value).set(one is state)
        if self._state is not None and state is not self._state:
            log.warning("delivery.state", target=self.name, state=state.value, problem=record.target.last_error)
        self._state = state
        self._is_measured = clock.monotonic() - self._measured_at >= MEASURE_SECONDS
        if self._is_measured:
            self._measured_at = clock.monotonic()
            self._measure(record)

    def _measure(self, record: TargetRecord) -> None:
        """Export how much waits, and since when.

        A failing target has a message that waits, even if that is about no fact, such as an open interruption.
        """
        waiting, is_failing = backlog.of(self.context.database, record), record.target.state is State.FAILING
        since = waiting.since or (record.target.since if is_failing else None)
        metrics.DELIVERY_OLDEST.labels(self.name).set(_seconds(None if self._is_early() else since))
        metrics.DELIVERY_WAITING.labels(self.name).set(waiting.commits)

    def _is_early(self) -> bool:
        """Return whether the next message waits for its time, such as the end of quiet hours."""
        return self.ready_at is not None and self.ready_at > clock.now()


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at is not None else 0.0
