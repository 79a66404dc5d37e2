"""What the holder of the lease does: reconcile when it must, else follow the stream, until something ends it.

`lead` returns when it is told to stop and raises for everything a person or the next attempt must deal with;
`StreamBroken` is dealt with here: a gap is recorded and closed by a reconciliation.
"""

import queue
import threading
from collections.abc import Callable

from daemon import clock
from daemon.config.schema import Config
from daemon.errors import ChatelloError, DeletionsNotAccepted, ErasureListChanged, SnapshotTooOld, StreamBroken
from daemon.mongo.cluster_time import cluster_datetime, newest, preceding
from daemon.mongo.types import Database, Timestamp
from daemon.pipeline.api_milestones import ApiUsageMilestones
from daemon.pipeline.change_queue import ChangeQueue, Closed
from daemon.pipeline.daily_events import DailyEvents
from daemon.pipeline.pipeline import Pipeline
from daemon.pipeline.reconciliation import Reconciliation
from daemon.runtime import logs, metrics
from daemon.runtime.health import Health
from daemon.source.decode import Decoder
from daemon.source.filter import fingerprint, is_ours
from daemon.source.stream import Stream, StreamPosition, doubt
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten, gaps, indexes
from daemon.store.checkpoint import Checkpoint
from daemon.store.commit import Committer
from daemon.store.lease import Lease
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules.handlers import payments
from rules.handlers.batch import MILESTONES, PAYMENTS
from rules.insights import milestones

Job = Callable[[Pipeline], None]

ASK_AGAIN_SECONDS = 60.0
INBOX_BATCHES = 2

log = logs.get("leader")


class LeaderTerm:
    """Everything one term of leadership needs. `ready` is set once the stream is open, or a person is asked."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        config: Config,
        progress: Health,
        stop: threading.Event,
        ready: threading.Event,
    ) -> None:
        self.database = database
        self.lease = lease
        self.wanted = config
        self.progress = progress
        self.stop = stop
        self.ready = ready
        self.pipeline: Pipeline | None = None
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._build(config)

    def set_config(self, config: Config) -> None:
        """Go on by another configuration, from the checkpoint; safe to call from any thread."""
        if config is not self.wanted:
            self.wanted = config
            self.jobs.put(_begin_anew)

    def _build(self, config: Config) -> None:
        self.config = config
        known = forgotten.load(self.database)
        self.decoder = Decoder(config.time.naive_zone, config.rules.manual_email, known.holds)
        self.reader = MirrorReader(self.database, config.settings())
        self.committer = Committer(
            self.database, self.lease, config.settings(), config.mongodb.timeout_seconds, known.count
        )
        self.diary = DailyEvents(self.database, config)
        self.calls = ApiUsageMilestones(self.database, config)

    def lead(self) -> None:
        """One term: from the checkpoint on until told to stop."""
        while not self.stop.is_set():
            pipeline = self.pipeline = self._resume()
            try:
                while pipeline.checkpoint.reconciling is not None:
                    self._reconcile(pipeline)
                self._follow(pipeline)
            except Stopped:
                return
            except Reconfigured:
                metrics.RESTARTS.labels("rules").inc()
                log.info("rules.changed")
            except ErasureListChanged:
                log.info("person.forgotten")
            except StreamBroken as broken:
                metrics.RESTARTS.labels("history").inc()
                self._open_gap(pipeline.checkpoint, broken.cause, str(broken))
            except DeletionsNotAccepted as question:
                self._await_approval(pipeline.checkpoint, question)

    # -- where to begin -------------------------------------------------------------------------------------

    def _resume(self) -> Pipeline:
        """The pipeline at the stored checkpoint, with a gap opened where the stream cannot be trusted."""
        self._build(self.wanted)
        checkpoint = checkpoints.load(self.database)
        expected = fingerprint(self.config.mongodb.database, self.config.rules.custom)
        if checkpoint is None:
            checkpoint = Checkpoint(epoch=self.lease.epoch, fingerprint=expected)
            indexes.create(self.database)
            self._open_gap(checkpoint, "first_start", "there was no checkpoint")
        checkpoint.epoch = self.lease.epoch
        if checkpoint.fingerprint != expected:
            self._change_filter(checkpoint, expected)
        if checkpoint.reconciling is None:
            self._check_position(checkpoint)
        self._adopt_requested_gap(checkpoint)
        pipeline = Pipeline(self.reader, self.committer, checkpoint, self.config, self._beat)
        metrics.BUSINESS.show(checkpoint.totals, pipeline.plans)
        gaps.export_counts(self.database)
        return pipeline

    def _change_filter(self, checkpoint: Checkpoint, expected: str) -> None:
        """A filter of ours that changed may have skipped something: a gap. The owner's own rules have no mirror.

        Those only begin: the stream is opened at the same cluster time, and what was applied is passed over.
        """
        if not is_ours(checkpoint.fingerprint, expected):
            self._open_gap(checkpoint, "filter_change", "the watched collections or fields changed")
        elif checkpoint.token is not None and checkpoint.cluster_time is not None:
            checkpoint.token, checkpoint.cluster_time = None, preceding(checkpoint.cluster_time)
            log.info("filter.extended", rules=[rule.name for rule in self.config.rules.custom])
        checkpoint.fingerprint = expected

    def _check_position(self, checkpoint: Checkpoint) -> None:
        """A stored position that cannot be right is not followed; the ledger then tells how far we were."""
        found = doubt(checkpoint.token, checkpoint.cluster_time, newest(self.database))
        if found is not None:
            last = ledger.last_at(self.database)
            checkpoint.token, checkpoint.cluster_time = None, None if last is None else Timestamp(last, 0)
            self._open_gap(checkpoint, *found)

    def _open_gap(self, checkpoint: Checkpoint, cause: str, detail: str) -> None:
        """Record a discontinuity, and in the checkpoint that it is to be closed first of all."""
        since = checkpoint.at
        checkpoint.reconciling = gaps.open_gap(self.database, cause, detail, since, clock.now())
        self.committer.advance(checkpoint)
        metrics.GAPS_RECORDED.labels(cause).inc()
        gaps.export_counts(self.database)
        log.warning("gap.opened", cause=cause, detail=detail, since=since)

    def _adopt_requested_gap(self, checkpoint: Checkpoint) -> None:
        """A gap somebody else opened (`chatello-analytics reconcile`) is closed as our own are."""
        gap = gaps.waiting(self.database) if checkpoint.reconciling is None else None
        if gap is not None:
            self._open_gap(checkpoint, gap["cause"], gap["detail"])

    # -- reconciling ----------------------------------------------------------------------------------------

    def _reconcile(self, pipeline: Pipeline) -> None:
        gap_id = pipeline.checkpoint.reconciling
        gap = gaps.find(self.database, gap_id) or {}
        since = gap.get("since")
        role, reason = ("waiting", gap["waiting"]) if gaps.is_questioned(gap) else ("reconciling", gap.get("cause", ""))
        self.progress.set_role(role, clock.monotonic(), str(reason))
        log.info("reconciliation.started", cause=gap.get("cause"), since=since)
        run = Reconciliation(self.database, pipeline, self.decoder, self.config, gap.get("recovered") or {})
        try:
            cluster_time = run.run(since, gap, self._beat)
        except SnapshotTooOld as old:
            self._get_further(gap_id, run, old)
        except DeletionsNotAccepted:
            gaps.note(self.database, gap_id, {"recovered": dict(run.recovered)})
            raise
        else:
            self._close_gap(pipeline, gap_id, run, StreamPosition(None, cluster_time))

    def _get_further(self, gap_id: object, run: Reconciliation, old: SnapshotTooOld) -> None:
        """It took longer than the server keeps a snapshot: what is taken over is behind us at the next one."""
        if not run.commits:
            raise old
        metrics.RESTARTS.labels("snapshot").inc()
        gaps.note(self.database, gap_id, {"recovered": dict(run.recovered)})
        log.info("reconciliation.extended", problem=str(old), recovered=dict(run.recovered))

    def _close_gap(self, pipeline: Pipeline, gap_id: object, run: Reconciliation, position: StreamPosition) -> None:
        checkpoint = pipeline.checkpoint
        checkpoint.token, checkpoint.cluster_time = position
        checkpoint.position = ""
        checkpoint.reconciling = None
        if MILESTONES not in checkpoint.memory:  # a first start: what was reached before is no news
            checkpoint.memory[MILESTONES] = milestones.seed({}, milestones.measured(checkpoint.totals))
        checkpoint.memory[PAYMENTS] = payments.after_bootstrap(checkpoint.memory)
        closed = {"closed_at": clock.now(), "until": checkpoint.at, "recovered": dict(run.recovered)}
        gaps.note(self.database, gap_id, {**closed, "waiting": None, "closed_by": "reconciliation"})
        pipeline.advance()
        gaps.export_counts(self.database)
        log.info("gap.closed", recovered=dict(run.recovered), until=closed["until"])

    def _await_approval(self, checkpoint: Checkpoint, question: DeletionsNotAccepted) -> None:
        """Wait for a person to accept the deletions, and look again every minute whether they still stand."""
        log.error("deletions.approval_required", question=str(question))
        self.progress.set_role("waiting", clock.monotonic(), str(question))
        facts = {"waiting": str(question), "missing": question.missing}
        gaps.note(self.database, checkpoint.reconciling, facts)
        self.ready.set()
        began = clock.monotonic()
        while not self.stop.wait(2) and clock.monotonic() - began < ASK_AGAIN_SECONDS:
            self.progress.set_role("waiting", clock.monotonic(), str(question))
            gap = gaps.find(self.database, checkpoint.reconciling)
            if gap is None or gap.get("accept_deletions"):
                return

    # -- following ------------------------------------------------------------------------------------------

    def _follow(self, pipeline: Pipeline) -> None:
        checkpoint = pipeline.checkpoint
        assert checkpoint.cluster_time is not None, "a checkpoint without a gap has a position"
        start = StreamPosition(checkpoint.token, checkpoint.cluster_time)
        pipeline.reprice()
        rules = self.config.rules.custom
        with Stream(self.database, start, self.decoder, self.config.stream.await_seconds, rules) as stream:
            if not self.progress.is_recovering:
                self.progress.set_role("leader", clock.monotonic())
            self.ready.set()
            log.info("stream.opened", at=cluster_datetime(start.cluster_time))
            self._pump(pipeline, stream)

    def _pump(self, pipeline: Pipeline, stream: Stream) -> None:
        inbox = ChangeQueue(self.config.stream.batch_size * INBOX_BATCHES)
        reader = threading.Thread(target=self._read, args=(stream, inbox), name="reader", daemon=True)
        reader.start()
        try:
            self._work(pipeline, inbox)
        finally:
            inbox.close()
            pipeline.flush()
            reader.join(self.config.stream.await_seconds + 5)

    def _read(self, stream: Stream, inbox: ChangeQueue) -> None:
        """The reader's thread: its end, however it comes, is the pipeline's to hear."""
        try:
            for heard in stream.read():
                now = clock.monotonic()
                self.progress.heartbeat("stream", now)
                inbox.put(heard)
        except Closed:
            return
        except ChatelloError as error:
            inbox.fail(error)
        except BaseException as error:  # noqa: BLE001 - whatever ends this thread must end the process
            inbox.fail(error)

    def _work(self, pipeline: Pipeline, inbox: ChangeQueue) -> None:
        stored, handled = clock.monotonic(), 0
        while not self.stop.is_set():
            heard = inbox.get_batch(self.config.stream.batch_size, timeout=1.0)
            self._beat()
            self._do_jobs(pipeline)
            if heard:
                metrics.STREAM_CONTACT.set(clock.now().timestamp())
                metrics.STREAM_TOKEN.set(heard[-1].position.cluster_time.time)
                pipeline.handle(heard, inbox.peek(self.config.stream.batch_size))
                handled += 1
                if not pipeline.is_behind:
                    pipeline.flush()
                if self.progress.is_recovering and (
                    handled > 1 or not pipeline.is_behind
                ):  # what it brought is committed
                    self.progress.set_role("leader", clock.monotonic())
            if clock.monotonic() - stored >= self.config.stream.checkpoint_seconds:
                pipeline.advance()
                stored = clock.monotonic()
                if gaps.waiting(self.database) is not None:
                    raise StreamBroken("requested", "a person asked for a reconciliation")

    def _do_jobs(self, pipeline: Pipeline) -> None:
        while not self.jobs.empty():
            pipeline.flush()
            self.jobs.get()(pipeline)

    def _beat(self) -> None:
        self.progress.heartbeat("pipeline", clock.monotonic())
        if self.stop.is_set():
            raise Stopped


class Reconfigured(ChatelloError):
    """The rules changed: begin anew at the checkpoint, by the new ones."""


def _begin_anew(_pipeline: Pipeline) -> None:
    raise Reconfigured


class Stopped(ChatelloError):
    """Told to stop in the middle of something that can be begun anew."""
