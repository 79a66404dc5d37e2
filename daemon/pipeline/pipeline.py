"""Applies batches of changes in order: decide, then commit, one transaction each.

Holds in memory only what the checkpoint holds, the plans, when the next license ends, and the states of a small shop.
While more is waiting, a batch commits in the background and the next one is prepared on the state it will leave; never
more than one commit is pending. Any error leaves the database at a checkpoint; the caller starts again from there.
"""

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from daemon import clock
from daemon.config.schema import Config
from daemon.errors import Stopped, StreamBroken
from daemon.mongo.cluster_time import cluster_datetime
from daemon.pipeline import commit_log, expiry
from daemon.pipeline.expiry import LicenseExpiry
from daemon.pipeline.pending_commit import PendingCommit
from daemon.pipeline.prefetch import Prefetcher
from daemon.pipeline.state_memory import StateMemory
from daemon.runtime import logs, metrics
from daemon.runtime.business_metrics import BUSINESS
from daemon.runtime.health import Health, Instant
from daemon.source.external_events import reported_externally
from daemon.source.stream import StreamItem, StreamPosition
from daemon.store import dead_letters
from daemon.store.checkpoint import Checkpoint
from daemon.store.commit import Committer
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.handlers import payments
from rules.handlers.decide import decide
from rules.model.changes import Change, Discontinuity, DocId, Operation, Origin, Source, Undecodable
from rules.model.decision import Decision, Memories, Mirror, Revaluation
from rules.model.events import Event
from rules.model.facts import Fact
from rules.model.states import LicenseState
from rules.revenue import pricing

log = logs.get("pipeline")


class Pipeline:
    """Applies changes for the holder of the lease, from the checkpoint on."""

    def __init__(
        self,
        reader: MirrorReader,
        committer: Committer,
        checkpoint: Checkpoint,
        config: Config,
        health: Health,
        stop: threading.Event,
    ) -> None:
        self.reader = reader
        self.committer = committer
        self.checkpoint = checkpoint
        self.settings = config.settings()
        self.batch_size = config.stream.batch_size
        self.batch_events = config.logs.batch_events
        self.health = health
        self.stop = stop
        self.plans = reader.plans()
        self.is_behind = False
        """Whether more is waiting already: then the next batch is prepared while this one commits."""
        self._heartbeat = health.heartbeat_of("pipeline")
        self._expiry = LicenseExpiry(reader)
        self._has_changed = True
        self._pending: PendingCommit | None = None
        self._prefetcher = Prefetcher(reader)
        self._memory = StateMemory(reader)

    def step(self) -> None:
        """Record progress; raise Stopped if the daemon is stopping. Called at every commit and during long reads."""
        self._heartbeat()
        if self.stop.is_set():
            raise Stopped

    def take_changed(self) -> bool:
        """Return whether anything was committed since the last call."""
        changed, self._has_changed = self._has_changed, False
        return changed

    def handle(self, items: Sequence[StreamItem], waiting: Sequence[StreamItem] = ()) -> None:
        """Commit all items; a change of a plan closes its batch, a discontinuity raises StreamBroken.

        The mirror states that the `waiting` items need are prefetched.
        """
        self.is_behind = bool(waiting)
        self._prefetcher.advance([one.item for one in waiting if isinstance(one.item, Change)])
        changes: list[Change] = []
        undecodable: list[Undecodable] = []
        position: StreamPosition | None = None
        for item, position in items:
            if isinstance(item, Discontinuity):
                self._apply_and_revalue(changes, undecodable, None)
                self.flush()
                raise StreamBroken(item.cause, f"{item.namespace or 'the database'}: {item.cause}", item.at)
            if isinstance(item, Undecodable):
                undecodable.append(item)
                log.warning(
                    "document.unidentifiable", collection=item.source.value, document=item.raw, problem=item.reason
                )
            elif item is not None:
                changes.append(item)
                if item.source is Source.PLANS:
                    self._apply_and_revalue(changes, undecodable, position)
                    changes, undecodable = [], []
        self._apply_and_revalue(changes, undecodable, position)

    def advance(self, facts: Sequence[Fact] = ()) -> None:
        """Store the position reached while nothing relevant happened, with `facts` to deliver."""
        self.flush()
        self.committer.advance(self.checkpoint, facts)
        self.health.record(Instant.CHECKPOINT, self.checkpoint.seconds)

    def flush(self) -> None:
        """Wait until the pending commit is done. After an error it raises, the pipeline must not be used any more."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._committed(pending, pending.wait())

    def _apply_and_revalue(
        self, changes: list[Change], undecodable: list[Undecodable], position: StreamPosition | None
    ) -> None:
        if changes or undecodable:
            self.apply(changes, position, undecodable)
        elif position is not None:
            self._reach(position)
        self.run_pending_revaluations()

    def _reach(self, position: StreamPosition) -> None:
        """Advance in memory to a position at which nothing relevant happened, and end the licenses due by then."""
        self.checkpoint.move_to(*position)
        self.expire_due(cluster_datetime(position.cluster_time))

    def expire_due(self, instant: datetime) -> None:
        """End every license whose time has come by `instant`."""
        while self._expiry.is_due(instant):
            self.flush()
            due = self._expiry.due(instant)
            change = expiry.tick(due)
            if change is not None:
                self._commit([change], due, None, ())
            self.flush()
            self._expiry.refresh()
            if change is None:
                return

    def apply(
        self,
        changes: Sequence[Change],
        position: StreamPosition | None,
        undecodable: Sequence[Undecodable] = (),
    ) -> None:
        """Decide and commit one batch, including the licenses that end by its last change; then store `position`."""
        if not changes:
            self._commit(changes, (), position, undecodable)
            return
        horizon = max(change.at for change in changes)
        if not self._expiry.is_due(horizon):
            self._commit(changes, (), position, undecodable)
        elif len(changes) == 1:
            self.expire_due(horizon)
            self._commit(changes, (), position, undecodable)
        else:
            self._apply_with_ends(changes, horizon, position, undecodable)

    def _apply_with_ends(
        self,
        changes: Sequence[Change],
        horizon: datetime,
        position: StreamPosition | None,
        undecodable: Sequence[Undecodable],
    ) -> None:
        self.flush()
        due = self._expiry.all_due(horizon)
        if due is None:
            middle = len(changes) // 2
            self.apply(changes[:middle], None)
            self.apply(changes[middle:], position, undecodable)
            return
        self._commit(changes, due, position, undecodable)
        self.flush()
        self._expiry.refresh()

    def reprice(self) -> None:
        """Read plans again that the settings price differently now (another rate), and held payments that became valid

        Each is applied as if it had just been written.
        """
        at = self._now(self.checkpoint)
        cause = f"settings:{at.isoformat()}"
        rates = self.settings.rates
        stale = [plan_id for plan_id, state in self.plans.items() if not pricing.is_unchanged_by_rates(state, rates)]
        for plan_id in stale:
            change = Change(Source.PLANS, Operation.UPDATE, plan_id, at, cause, origin=Origin.RECOVERED)
            self.apply([change], None)
        self.run_pending_revaluations()
        self.flush()
        for state in self.reader.payments(dead_letters.held_ids(self.committer.database, Source.PAYMENTS)):
            if payments.is_readable(state, self.settings):
                change = Change(Source.PAYMENTS, Operation.UPDATE, state.id, at, cause, origin=Origin.RECOVERED)
                self.apply([change], None)

    def run_pending_revaluations(self) -> None:
        """Revalue every license of a changed plan, in steps; continue where an earlier run stopped."""
        limit = max(self.batch_size, 2)  # a step that ended with the id MinKey would start again from the first
        while self.checkpoint.revaluations:
            self.flush()
            revaluation, after = self.checkpoint.revaluations[0]
            states = self.reader.licenses_on(revaluation.plan_id, after, limit)
            rest = self.checkpoint.revaluations[1:]
            if len(states) == limit:
                rest = [(revaluation, states[-1].id), *rest]
            self._commit([_revalue(revaluation, state.id) for state in states], states, None, (), revaluations=rest)

    def _commit(
        self,
        changes: Sequence[Change],
        loaded: Iterable[LicenseState],
        position: StreamPosition | None,
        undecodable: Sequence[Undecodable],
        revaluations: list[tuple[Revaluation, Any]] | None = None,
    ) -> None:
        """Commit one transaction. `position` None keeps the stream position, more of the same change follows."""
        pending = self._pending.decision if self._pending is not None else None
        whole = self._memory.states
        sources = self._prefetcher.sources(pending) if whole is None else ()
        known = self.reader.load(changes, self._known(), loaded, sources, whole)
        if whole is None:
            self._prefetcher.start(pending)
        decision = decide(known, changes, self.settings)
        self._commit_decision(decision, known, changes, position, undecodable, revaluations)

    def _commit_decision(
        self,
        decision: Decision,
        known: Mirror,
        changes: Sequence[Change],
        position: StreamPosition | None,
        undecodable: Sequence[Undecodable],
        revaluations: list[tuple[Revaluation, Any]] | None = None,
    ) -> None:
        self.step()
        following = self.checkpoint.following(decision, position, revaluations)
        today = business_days.business_day(self._now(following), self.settings.zone)
        writes = self.committer.prepare(decision, known, following, today, undecodable)
        self._prefetcher.note(decision)
        self._memory.note(decision)
        self.flush()
        self.checkpoint = following
        self.plans.update(decision.plans)
        self._expiry.note(decision)
        self._pending = PendingCommit(self.committer, writes, decision, changes)
        if self.is_behind:
            self._pending.start()
        else:
            self.flush()

    def _known(self) -> Mirror:
        """Return a mirror with checkpoint and plans; the states that a batch needs are still to be loaded."""
        now = self.checkpoint
        return Mirror(plans=self.plans, totals=now.totals, position=now.position, memory=now.memory)

    def record(self, events: list[Event], memory: Memories) -> None:
        """Commit events that no change caused (growth, a date), and what their rules remember from now on."""
        known = self._known()
        decision = decide(known, (), self.settings)
        external = reported_externally(self.committer.database, events) if events else set()
        decision.events = [event for event in events if event.key not in external]
        decision.memory |= memory
        self._commit_decision(decision, known, (), None, ())

    def _now(self, checkpoint: Checkpoint) -> datetime:
        """Return the stream's own time; this machine's only during the first start, which has none yet."""
        return checkpoint.at or clock.now()

    def _committed(self, pending: PendingCommit, events: int) -> None:
        self._has_changed = True
        self._measure(pending.decision, pending.changes)
        commit_log.log_commit(pending.decision, pending.changes, events, self.batch_events)

    def _measure(self, decision: Decision, changes: Sequence[Change]) -> None:
        metrics.committed(decision, changes, clock.now())
        if decision.events:
            newest = max(event.at for event in decision.events).timestamp()  # an event of a day is dated at its start
            self.health.record(Instant.EVENT, max(newest, self.health.at(Instant.EVENT)))
        self.health.record(Instant.CHECKPOINT, self.checkpoint.seconds)
        BUSINESS.show(decision.totals, self.plans)


def _revalue(revaluation: Revaluation, license_id: DocId) -> Change:
    at, cause, origin = revaluation.at, revaluation.cause, revaluation.origin
    return Change(Source.LICENSES, Operation.REVALUE, license_id, at, cause, origin=origin)
