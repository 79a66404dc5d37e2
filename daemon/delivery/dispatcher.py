"""Delivery during one term: a thread per target, and one that prunes the outbox and requests the heartbeat URL."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import Self

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.delivery import backlog, target_store
from daemon.delivery.channels.heartbeat import send_heartbeat
from daemon.delivery.people_worker import PeopleWorker
from daemon.delivery.target_store import Changed
from daemon.delivery.webhook_worker import WebhookWorker
from daemon.delivery.worker import Worker, WorkerContext
from daemon.errors import ChatelloError
from daemon.mongo.types import Database
from daemon.runtime import logs, metrics
from daemon.runtime.health import Health
from daemon.store import outbox

HEARTBEAT_SECONDS = 300.0
NOT_READY_SECONDS = 5.0
"""A term begins before the daemon is ready: it is looked at more often until then."""
PRUNE_SECONDS = 3600.0
JOIN_SECONDS = 3.0
"""How long a stopping term waits for a running attempt after it was cancelled."""

log = logs.get("delivery")


class Dispatcher(AbstractContextManager["Dispatcher"]):
    """Delivers what the outbox holds while the context is open, for the leader with `epoch`.

    Without a target or heartbeat URL in the configuration it starts no thread.
    """

    def __init__(self, database: Database, config: ActiveConfig, epoch: int, health: Health) -> None:
        self.database = database
        self.config = config
        self.health = health
        self._stop = threading.Event()
        context = WorkerContext(database, config, epoch, self._stop, self._holds_lease)
        current = config.current
        self.workers: list[Worker] = [
            *(WebhookWorker(context, name, webhook) for name, webhook in current.webhooks.items()),
            *(PeopleWorker(context, name, notify) for name, notify in current.notify.items()),
        ]
        self._threads: list[threading.Thread] = []
        self._heartbeat_problem = ""

    def _holds_lease(self) -> bool:
        return not self.health.expired_lease(clock.monotonic())

    def __enter__(self) -> Self:
        jobs: dict[str, Callable[[], None]] = {f"deliver {worker.name}": worker.run for worker in self.workers}
        if self.workers or self.config.current.delivery.heartbeat_url.get_secret_value():
            jobs["delivery"] = self._maintain
        for worker in self.workers:
            worker.open()
        self._threads = [threading.Thread(target=job, name=name, daemon=True) for name, job in jobs.items()]
        for thread in self._threads:
            thread.start()
        return self

    def wake(self) -> None:
        """Have all targets look at once: something was committed for them."""
        for worker in self.workers:
            worker.wake.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self.wake()
        for worker in self.workers:
            worker.channel.cancel()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _maintain(self) -> None:
        """Request the heartbeat URL every five minutes while ready, and prune the outbox every hour."""
        pruned_at = None
        while not self._stop.is_set():
            is_ready = not self.health.not_ready(clock.monotonic())
            if is_ready:
                self._send_heartbeat(self.config.current.delivery.heartbeat_url.get_secret_value())
            if self.workers and (pruned_at is None or clock.monotonic() - pruned_at >= PRUNE_SECONDS):
                pruned_at = clock.monotonic()
                self._prune(self.config.current)
            self._stop.wait(HEARTBEAT_SECONDS if is_ready else NOT_READY_SECONDS)

    def _send_heartbeat(self, url: str) -> None:
        problem = send_heartbeat(url) if url else ""
        if problem != self._heartbeat_problem:
            log.warning("heartbeat.failed", problem=problem) if problem else log.info("heartbeat.sent")
        self._heartbeat_problem = problem

    def _prune(self, config: Config) -> None:
        """Delete facts older than `keep_days`; a target that did not get them goes on after them."""
        try:
            keep_from = clock.now() - timedelta(days=config.delivery.keep_days)
            before = outbox.position_before(self.database, keep_from)
            for worker in self.workers:
                self._drop(worker.name, before)
            outbox.prune(self.database, before)
        except Changed:
            log.info("delivery.prune_postponed")
        except ChatelloError as problem:
            log.warning("delivery.prune_failed", problem=str(problem))

    def _drop(self, name: str, before: outbox.OutboxPosition) -> None:
        record = target_store.load(self.database, name)
        if record is None or record.begins >= before:
            return
        lost = backlog.count(self.database, record, before)
        target_store.save(self.database, record.beginning_at(before))
        if lost:
            metrics.DELIVERIES.labels(name, "dropped").inc(lost)
            log.error("delivery.dropped", target=name, commits=lost, hint="raise delivery.keep_days or fix the target")
