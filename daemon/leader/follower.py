"""Follows the change stream: a reader thread fills the queue, the calling thread handles it batch by batch."""

import itertools
import math
import queue
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.errors import QueueClosed, Reconfigured, StreamBroken
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.types import Database
from daemon.pipeline.change_queue import ChangeQueue
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime import logs, metrics
from daemon.runtime.health import Health, Instant
from daemon.source.decode import Decoder
from daemon.source.stream import Stream, StreamItem, StreamPosition
from daemon.store import gaps
from rules.handlers.mass_deletion import MassDeletion

QUEUE_BATCHES = 2

Job = Callable[[Pipeline], None]
"""Work for the pipeline's thread, run between two batches."""

log = logs.get("leader")


class Follower:
    """Follows the stream with one pipeline. `ready` is set once the stream is open."""

    def __init__(
        self,
        database: Database,
        decoder: Decoder,
        config: ActiveConfig,
        health: Health,
        stop: threading.Event,
        ready: threading.Event,
        jobs: "queue.SimpleQueue[Job]",
    ) -> None:
        self.database = database
        self.decoder = decoder
        self.active = config
        self.config = config.current
        self.health = health
        self.stop = stop
        self.ready = ready
        self.jobs = jobs

    def follow(self, pipeline: Pipeline) -> None:
        """Follow the stream from the checkpoint until `stop` is set.

        Raises StreamBroken if it cannot be followed or a person asked for a reconciliation, Reconfigured if the
        configuration was replaced, and what a commit raises.
        """
        checkpoint, stream = pipeline.checkpoint, self.config.stream
        assert checkpoint.cluster_time is not None, "a checkpoint without a gap has a position"
        start = StreamPosition(checkpoint.token, checkpoint.cluster_time)
        pipeline.reprice()
        rules = self.config.rules.custom
        with Stream(self.database, start, self.decoder, stream.await_seconds, rules) as opened:
            if not self.health.is_recovering:
                self.health.set_role("leader", clock.monotonic())
            self.ready.set()
            log.info("stream.opened", at=cluster_datetime(start.cluster_time))
            self._read_and_handle(pipeline, opened)

    def _read_and_handle(self, pipeline: Pipeline, stream: Stream) -> None:
        changes = ChangeQueue(self.config.stream.batch_size * QUEUE_BATCHES)
        reader = threading.Thread(target=self._read, args=(stream, changes), name="reader", daemon=True)
        reader.start()
        try:
            self._handle(pipeline, changes)
        finally:
            changes.close()
            pipeline.flush()
            reader.join(self.config.stream.await_seconds + 5)

    def _read(self, stream: Stream, changes: ChangeQueue) -> None:
        """Run the reader thread. Pass any error to the pipeline through the queue."""
        heartbeat = self.health.heartbeat_of("stream")
        try:
            for item in stream.read():
                heartbeat()
                changes.put(item)
        except QueueClosed:
            return
        except BaseException as error:  # noqa: BLE001 - whatever ends this thread must end the process
            changes.fail(error)

    def _handle(self, pipeline: Pipeline, changes: ChangeQueue) -> None:
        """Handle batches until `stop` is set. The first position is stored at once: the checkpoint is old."""
        stored, batches = -math.inf, 0
        while not self.stop.is_set():
            items = changes.get_batch(self.config.stream.batch_size, timeout=1.0)
            pipeline.step()
            self._run_jobs(pipeline)
            if items:
                self._handle_batch(pipeline, items, changes.peek(self.config.stream.batch_size))
                batches += 1
                has_committed = batches > 1 or not pipeline.is_behind
                if self.health.is_recovering and has_committed:
                    self.health.set_role("leader", clock.monotonic())
            if batches and clock.monotonic() - stored >= self.config.stream.checkpoint_seconds:
                self._store_position(pipeline)
                stored = clock.monotonic()

    def _handle_batch(self, pipeline: Pipeline, items: list[StreamItem], waiting: list[StreamItem]) -> None:
        metrics.STREAM_CONTACT.set(clock.now().timestamp())
        self.health.record(Instant.STREAM, items[-1].position.cluster_time.time)
        try:
            pipeline.handle(items, waiting)
        except MassDeletion as refused:
            _break_before(pipeline, items, refused)
        if not pipeline.is_behind:
            pipeline.flush()

    def _store_position(self, pipeline: Pipeline) -> None:
        pipeline.advance()
        if gaps.find_open(self.database) is not None:
            raise StreamBroken("requested", "a person asked for a reconciliation")

    def _run_jobs(self, pipeline: Pipeline) -> None:
        if self.active.current is not self.config:
            pipeline.flush()
            raise Reconfigured
        while not self.jobs.empty():
            pipeline.flush()
            self.jobs.get()(pipeline)


def _break_before(pipeline: Pipeline, items: Sequence[StreamItem], refused: MassDeletion) -> NoReturn:
    """Commit the items before the refused deletion; those of them that were committed already are skipped."""
    before = list(itertools.takewhile(lambda one: one.item is not refused.change, items))
    pipeline.flush()
    pipeline.handle(before)
    pipeline.flush()
    raise StreamBroken("mass_deletion", str(refused), refused.change.at) from refused
