"""One term of leadership: reconcile while a gap is open, else follow the change stream, until the term ends.

`StreamBroken` is handled here: a gap is recorded and closed by a reconciliation. Every other error ends the term.
"""

import queue
import threading
from collections.abc import Callable

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.errors import (
    DeletionsNotAccepted,
    ErasureListChanged,
    Reconfigured,
    SnapshotTooOld,
    Stopped,
    StreamBroken,
)
from daemon.leader.follower import Follower, Job
from daemon.leader.gap_recorder import GapRecorder
from daemon.mongo.cluster_time import newest
from daemon.mongo.types import Database
from daemon.pipeline.api_milestones import ApiUsageMilestones
from daemon.pipeline.daily_events import DailyEvents
from daemon.pipeline.pipeline import Pipeline
from daemon.pipeline.reconciliation import Reconciliation
from daemon.runtime import logs, metrics
from daemon.runtime.business_metrics import BUSINESS
from daemon.runtime.health import Health
from daemon.source.decode import Decoder
from daemon.source.filter import fingerprint, same_except_custom_rules
from daemon.source.stream import position_problem
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten, gaps, indexes, outbox
from daemon.store.checkpoint import Checkpoint
from daemon.store.commit import Committer
from daemon.store.lease import Lease
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from daemon.store.outbox_writer import OutboxWriter

ASK_AGAIN_SECONDS = 60.0

log = logs.get("leader")


class LeaderTerm:
    """Work of the holder of the lease. `ready` is set once the stream is open or a person has to decide."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        config: ActiveConfig,
        health: Health,
        stop: threading.Event,
        ready: threading.Event,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.database = database
        self.lease = lease
        self.config = config
        self.health = health
        self.stop = stop
        self.ready = ready
        self.wake = wake
        self.pipeline: Pipeline | None = None
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._build(config.current)

    def _build(self, config: Config) -> None:
        """Create what depends on the configuration and on the erasure list."""
        known = forgotten.load(self.database)
        self.decoder = Decoder(config.time.naive_zone, config.rules.manual_email, known.contains)
        self.reader = MirrorReader(self.database, config.settings())
        self.committer = self._new_committer(config, known.count)
        self.gaps = GapRecorder(self.database, self.committer)
        self.daily_events = DailyEvents(self.database, config)
        self.api_usage = ApiUsageMilestones(self.database, config)

    def _new_committer(self, config: Config, forgotten_count: int | None) -> Committer:
        seconds = config.mongodb.timeout_seconds
        writer = OutboxWriter(self.database, self.wake) if config.delivers else None
        return Committer(self.database, self.lease, config.settings(), seconds, forgotten_count, writer)

    def lead(self) -> None:
        """Work from the checkpoint on; return once `stop` is set, raise what ends the term."""
        while not self.stop.is_set():
            config = self.config.current
            self._build(config)
            pipeline = self.pipeline = self._resume(config)
            try:
                while pipeline.checkpoint.reconciling is not None:
                    self._reconcile(pipeline, config)
                follower = Follower(
                    self.database, self.decoder, self.config, self.health, self.stop, self.ready, self.jobs
                )
                follower.follow(pipeline)
            except Stopped:
                return
            except Reconfigured:
                metrics.RESTARTS.labels("rules").inc()
                log.info("rules.changed")
            except ErasureListChanged:
                log.info("person.forgotten")
            except StreamBroken as broken:
                metrics.RESTARTS.labels("history").inc()
                self.gaps.open(pipeline.checkpoint, broken.cause, str(broken))
            except DeletionsNotAccepted as question:
                self._await_approval(pipeline.checkpoint, question)

    def _resume(self, config: Config) -> Pipeline:
        """Return the pipeline at the checkpoint; a gap is open where the stream cannot be followed from there."""
        checkpoint = checkpoints.load(self.database)
        expected = fingerprint(config.mongodb.database, config.rules.custom)
        if checkpoint is None:
            checkpoint = Checkpoint(epoch=self.lease.epoch, fingerprint=expected)
            indexes.create(self.database)
            indexes.create_for_pages(self.database)
            self.gaps.open(checkpoint, "first_start", "there was no checkpoint")
        checkpoint.epoch = self.lease.epoch
        if config.delivers:
            checkpoint.outbox = max(checkpoint.outbox, outbox.newest(self.database))  # restored from different times
        if checkpoint.reconciling is None:
            self._check_position(checkpoint)
        if checkpoint.format < checkpoints.FORMAT:
            self._take_over(checkpoint, expected)
        elif checkpoint.fingerprint != expected:
            self._change_filter(checkpoint, expected, config)
        self.gaps.adopt_requested(checkpoint)
        pipeline = Pipeline(self.reader, self.committer, checkpoint, config, self.health, self.stop)
        BUSINESS.show(checkpoint.totals, pipeline.plans)
        gaps.export_counts(self.database)
        return pipeline

    def _take_over(self, checkpoint: Checkpoint, fingerprint: str) -> None:
        """Open a gap, because states that an older program stored may have another form or meaning now."""
        detail = f"a program with format {checkpoint.format} wrote the data; this one has format {checkpoints.FORMAT}"
        checkpoint.take_over(fingerprint)
        self.gaps.open(checkpoint, "upgrade", detail)

    def _change_filter(self, checkpoint: Checkpoint, expected: str, config: Config) -> None:
        """Open a gap if our own filter changed: it may have skipped changes. Custom rules, without a mirror, begin."""
        if not same_except_custom_rules(checkpoint.fingerprint, expected):
            self.gaps.open(checkpoint, "filter_change", "the watched collections or fields changed")
        elif checkpoint.token is not None and checkpoint.cluster_time is not None:
            log.info("filter.extended", rules=[rule.name for rule in config.rules.custom])
        checkpoint.reopen_at_cluster_time(expected)

    def _check_position(self, checkpoint: Checkpoint) -> None:
        """Open a gap if the stored position cannot be right; the ledger then dates the last known progress."""
        found = position_problem(checkpoint.token, checkpoint.cluster_time, newest(self.database))
        if found is not None:
            checkpoint.distrust_position(ledger.last_at(self.database))
            self.gaps.open(checkpoint, *found)

    def _reconcile(self, pipeline: Pipeline, config: Config) -> None:
        gap = self.gaps.current(pipeline.checkpoint)
        since = gap.get("since")
        waits = gaps.awaits_approval(gap)
        role, reason = ("waiting", gap["waiting"]) if waits else ("reconciling", gap.get("cause", ""))
        self.health.set_role(role, clock.monotonic(), str(reason))
        log.info("reconciliation.started", cause=gap.get("cause"), since=since)
        run = Reconciliation(self.database, pipeline, self.decoder, config, gap.get("recovered") or {})
        try:
            cluster_time = run.run(since, gap)
        except SnapshotTooOld as old:
            self._continue_at_new_snapshot(pipeline.checkpoint, run, old)
        except DeletionsNotAccepted:
            self.gaps.note_recovered(pipeline.checkpoint, run.recovered)
            raise
        else:
            self.gaps.close(pipeline, run.recovered, cluster_time)

    def _continue_at_new_snapshot(self, checkpoint: Checkpoint, run: Reconciliation, old: SnapshotTooOld) -> None:
        """Keep what was committed if the run took longer than the server keeps a snapshot; the next run continues."""
        if not run.commits:
            raise old
        metrics.RESTARTS.labels("snapshot").inc()
        self.gaps.note_recovered(checkpoint, run.recovered)
        log.info("reconciliation.extended", problem=str(old), recovered=dict(run.recovered))

    def _await_approval(self, checkpoint: Checkpoint, question: DeletionsNotAccepted) -> None:
        """Wait until a person accepts the deletions, at most a minute: then the source is compared again."""
        log.error("deletions.approval_required", question=str(question))
        self.health.set_role("waiting", clock.monotonic(), str(question))
        self.gaps.note_question(checkpoint, question)
        self.ready.set()
        began = clock.monotonic()
        while not self.stop.wait(2) and clock.monotonic() - began < ASK_AGAIN_SECONDS:
            self.health.set_role("waiting", clock.monotonic(), str(question))
            gap = self.gaps.current(checkpoint)
            if not gap or gap.get("accept_deletions"):
                return
