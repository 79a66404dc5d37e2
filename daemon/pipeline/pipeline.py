"""The street itself: a batch of changes is decided on and committed, one transaction each, in order.

Holds in memory only what the checkpoint holds, the plans, and when the next licence ends. While more is waiting, a
batch commits in the background and the next one is prepared on what it will leave behind; never more than one is
under way. Whatever fails here leaves the database at a checkpoint; the caller starts again from there.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from daemon import clock
from daemon.config.schema import Config
from daemon.errors import StreamBroken
from daemon.mongo.cluster_time import cluster_datetime
from daemon.pipeline import commit_log
from daemon.pipeline.pending_commit import PendingCommit
from daemon.pipeline.prefetch import Prefetcher
from daemon.runtime import logs, metrics
from daemon.source.external_events import reported_externally
from daemon.source.stream import StreamItem, StreamPosition
from daemon.store import dead_letters
from daemon.store.checkpoint import Checkpoint
from daemon.store.commit import Committer
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.handlers import payment_matching, payments
from rules.handlers.decide import Decision, Mirror, decide
from rules.model.changes import Change, Discontinuity, DocId, Operation, Origin, Source, Undecodable
from rules.model.decision import Memories, Revaluation
from rules.model.events import Event
from rules.model.states import LicenseState
from rules.revenue import pricing

Beat = Callable[[], None]

MOST_DUE = 1000
"""Licences that end are applied in steps of this many: a transaction stays small whatever happened."""

log = logs.get("pipeline")


class Pipeline:
    """Applies changes for the holder of the lease, from the checkpoint on."""

    def __init__(
        self, reader: MirrorReader, committer: Committer, checkpoint: Checkpoint, config: Config, beat: Beat
    ) -> None:
        """`beat` is called at every commit: a new price, or a mass of ends, takes many and is progress all along."""
        self.reader = reader
        self.committer = committer
        self.checkpoint = checkpoint
        self.settings = config.settings()
        self.batch_size = config.stream.batch_size
        self.batch_events = config.logs.batch_events
        self.plans = reader.plans()
        self.next_due = reader.next_due()
        """At or before the next end of a licence."""
        self.changed = True
        """Whether anything was committed since somebody last looked (the live row does)."""
        self.is_behind = False
        """Whether more is waiting already: then the next batch is prepared while this one commits."""
        self.beat = beat
        self._pending: PendingCommit | None = None
        self._prefetcher = Prefetcher(reader)

    def handle(self, heard: Sequence[StreamItem], waiting: Sequence[StreamItem] = ()) -> None:
        """Commit everything heard; a plan's change closes its batch, a discontinuity ends the stream.

        What is `waiting` behind it is looked up meanwhile.
        """
        self.is_behind = bool(waiting)
        self._prefetcher.turn([one.item for one in waiting if isinstance(one.item, Change)])
        changes: list[Change] = []
        undecodable: list[Undecodable] = []
        position: StreamPosition | None = None
        for what, position in heard:
            if isinstance(what, Discontinuity):
                self._apply_and_sweep(changes, undecodable, None)
                self.flush()
                raise StreamBroken(what.cause, f"{what.what or 'the database'}: {what.cause}", what.at)
            if isinstance(what, Undecodable):
                undecodable.append(what)
                log.warning(
                    "document.unidentifiable", collection=what.source.value, document=what.raw, problem=what.reason
                )
            elif what is not None:
                changes.append(what)
                if what.source is Source.PLANS:
                    self._apply_and_sweep(changes, undecodable, position)
                    changes, undecodable = [], []
        self._apply_and_sweep(changes, undecodable, position)

    def advance(self) -> None:
        """Store the position reached while nothing relevant happened."""
        self.flush()
        self.committer.advance(self.checkpoint)
        metrics.CHECKPOINT.set(self._checkpoint_seconds())

    def flush(self) -> None:
        """Wait until what is under way is committed; raises what kept it from being, and then this pipeline is done."""
        flight, self._pending = self._pending, None
        if flight is not None:
            self._committed(flight, flight.wait())

    def _apply_and_sweep(
        self, changes: list[Change], undecodable: list[Undecodable], position: StreamPosition | None
    ) -> None:
        if changes or undecodable:
            self.apply(changes, position, undecodable)
        elif position is not None:
            self._reach(position)
        self.run_pending_revaluations()

    def _reach(self, position: StreamPosition) -> None:
        """Nothing relevant up to here: move on in memory, and let end what ends by now."""
        self.checkpoint.token, self.checkpoint.cluster_time = position
        self.expire_due(cluster_datetime(position.cluster_time))

    def expire_due(self, instant: datetime) -> None:
        """Let every licence end whose time has come by `instant`."""
        while self.next_due is not None and self.next_due <= instant:
            self.flush()
            due = self.reader.due(instant, MOST_DUE)
            until = due[-1].license.expires_at if due and due[-1].license else None
            if until is not None:
                self._commit([_tick(until)], due, None, ())
            self._look_for_ends()
            if until is None:
                return

    def _look_for_ends(self) -> None:
        """Know exactly when the next licence ends, once everything is committed."""
        self.flush()
        self.next_due = self.reader.next_due()

    def apply(
        self,
        changes: Sequence[Change],
        position: StreamPosition | None,
        undecodable: Sequence[Undecodable] = (),
    ) -> None:
        """Decide and commit one batch, its licences' ends included; `position` then is the checkpoint's."""
        if not changes:
            self._commit(changes, (), position, undecodable)
            return
        horizon = max(change.at for change in changes)
        if self.next_due is None or self.next_due > horizon:
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
        due = self.reader.due(horizon, MOST_DUE + 1)
        if len(due) > MOST_DUE:
            middle = len(changes) // 2
            self.apply(changes[:middle], None)
            self.apply(changes[middle:], position, undecodable)
            return
        self._commit(changes, due, position, undecodable)
        self._look_for_ends()

    def reprice(self) -> None:
        """Read plans again that the settings now price otherwise (another rate), as if they had just been written.

        So payments that were held, and now can be understood.
        """
        at = self._now(self.checkpoint)
        cause = f"settings:{at.isoformat()}"
        rates = self.settings.rates
        stale = [plan_id for plan_id, state in self.plans.items() if not pricing.is_read_alike(state, rates)]
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
        """Value every licence of a changed plan anew, in steps, going on where a former run stopped."""
        while self.checkpoint.revaluations:
            self.flush()
            sweep, after = self.checkpoint.revaluations[0]
            states = self.reader.licenses_on(sweep.plan_id, after, self.batch_size)
            rest = self.checkpoint.revaluations[1:]
            if len(states) == self.batch_size:
                rest = [(sweep, states[-1].id), *rest]
            self._commit([_revalue(sweep, state.id) for state in states], states, None, (), sweeps=rest)

    def _commit(
        self,
        changes: Sequence[Change],
        loaded: Iterable[LicenseState],
        position: StreamPosition | None,
        undecodable: Sequence[Undecodable],
        sweeps: list[tuple[Revaluation, Any]] | None = None,
    ) -> None:
        """One transaction. `position` None keeps the stream's position: more of the same fact is to come."""
        under_way = self._pending.decision if self._pending is not None else None
        known = self.reader.load(changes, self._known(), loaded, self._prefetcher.sources(under_way))
        self._prefetcher.look(under_way)
        decision = decide(known, changes, self.settings)
        self._drop_externally_reported(decision)
        self._commit_decision(decision, known, changes, position, undecodable, sweeps)

    def _commit_decision(
        self,
        decision: Decision,
        known: Mirror,
        changes: Sequence[Change],
        position: StreamPosition | None,
        undecodable: Sequence[Undecodable],
        sweeps: list[tuple[Revaluation, Any]] | None = None,
    ) -> None:
        self.beat()
        following = self.checkpoint.following(decision, position, sweeps)
        today = business_days.business_day(self._now(following), self.settings.zone)
        writes = self.committer.prepare(decision, known, following, today, undecodable)
        self._prefetcher.note(decision)
        self.flush()
        self.checkpoint = following
        self.plans.update(decision.plans)
        self._await_ends(decision)
        self._pending = PendingCommit(self.committer, writes, decision, changes)
        if self.is_behind:
            self._pending.start()
        else:
            self.flush()

    def _known(self) -> Mirror:
        """What the checkpoint and the plans tell; the states a batch needs are still to be loaded."""
        now = self.checkpoint
        return Mirror(plans=self.plans, totals=now.totals, position=now.position, memory=now.memory)

    def record(self, events: list[Event], memory: Memories) -> None:
        """Commit events that no change brought (growth, a date), and what their rules remember from now on."""
        known = self._known()
        decision = decide(known, (), self.settings)
        told = reported_externally(self.committer.database, events, self.settings) if events else set()
        decision.events = [event for event in events if event.key not in told]
        decision.memory |= memory
        self._commit_decision(decision, known, (), None, ())

    def _drop_externally_reported(self, decision: Decision) -> None:
        """A recovered fact that somebody told while we were away is theirs."""
        recovered = [event for event in decision.events if event.metadata.get("recovered")]
        if recovered:
            told = reported_externally(self.committer.database, recovered, self.settings)
            decision.events = [event for event in decision.events if event.key not in told]
            payment_matching.leave_external(decision, told)

    def _now(self, checkpoint: Checkpoint) -> datetime:
        """The stream's own time; ours only while the first start has none yet."""
        return checkpoint.at or clock.now()

    def _committed(self, flight: PendingCommit, events: int) -> None:
        self.changed = True
        self._measure(flight.decision, flight.changes)
        commit_log.log_commit(flight.decision, flight.changes, events, self.batch_events)

    def _await_ends(self, decision: Decision) -> None:
        """Keep `next_due` at or before the next end."""
        ends = [state.ends_at for state in decision.licenses.values() if state and state.ends_at]
        if ends:
            self.next_due = min([*ends, self.next_due] if self.next_due else ends)

    def _measure(self, decision: Decision, changes: Sequence[Change]) -> None:
        metrics.committed(decision, changes, clock.now())
        metrics.CHECKPOINT.set(self._checkpoint_seconds())
        metrics.BUSINESS.show(decision.totals, self.plans)

    def _checkpoint_seconds(self) -> float:
        time = self.checkpoint.cluster_time
        return float(time.time) if time is not None else 0.0


def _tick(instant: datetime) -> Change:
    return Change(Source.CLOCK, Operation.TICK, None, instant, "")


def _revalue(sweep: Revaluation, license_id: DocId) -> Change:
    return Change(Source.LICENSES, Operation.REVALUE, license_id, sweep.at, sweep.cause, origin=sweep.origin)
