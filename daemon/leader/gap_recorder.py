"""Records of discontinuities: a gap from its discovery to its closing, in the database and in the checkpoint."""

from collections.abc import Mapping
from typing import Any

from daemon import clock
from daemon.errors import DeletionsNotAccepted
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.types import Database, Document, Timestamp
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime import logs, metrics
from daemon.store import gaps
from daemon.store.checkpoint import Checkpoint
from daemon.store.commit import Committer
from rules.handlers import payments
from rules.handlers.batch import GOALS, MILESTONES, PAYMENTS
from rules.handlers.mass_deletion import DELETIONS
from rules.insights import goals, milestones
from rules.model.decision import Memories
from rules.model.facts import Fact, FactType, GapFact
from rules.settings.settings import Settings

SUFFIXES = {
    FactType.GAP_OPENED: "opened",
    FactType.GAP_CLOSED: "closed",
    FactType.APPROVAL_REQUESTED: "approval",
}

log = logs.get("leader")


class GapRecorder:
    """Opens, extends and closes gaps for the holder of the lease."""

    def __init__(self, database: Database, committer: Committer) -> None:
        self.database = database
        self.committer = committer

    def open(self, checkpoint: Checkpoint, cause: str, detail: str) -> None:
        """Record a gap since the checkpoint, and in the checkpoint that it has to be closed first."""
        since = checkpoint.at
        checkpoint.start_reconciliation(gaps.open_gap(self.database, cause, detail, since, clock.now()))
        self.committer.advance(checkpoint, self._facts(checkpoint, FactType.GAP_OPENED, cause=cause, since=since))
        metrics.GAPS_RECORDED.labels(cause).inc()
        gaps.export_counts(self.database)
        log.warning("gap.opened", cause=cause, detail=detail, since=since)

    def adopt_requested(self, checkpoint: Checkpoint) -> None:
        """Adopt a gap that a person opened (`chatello-analytics reconcile`)."""
        gap = gaps.find_open(self.database) if checkpoint.reconciling is None else None
        if gap is not None:
            self.open(checkpoint, gap["cause"], gap["detail"])

    def current(self, checkpoint: Checkpoint) -> Document:
        """Return the gap that has to be closed."""
        return gaps.find(self.database, checkpoint.reconciling) or {}

    def note_recovered(self, checkpoint: Checkpoint, recovered: Mapping[str, int]) -> None:
        """Add what an interrupted reconciliation committed."""
        gaps.update(self.database, checkpoint.reconciling, {"recovered": dict(recovered)})

    def note_question(self, checkpoint: Checkpoint, question: DeletionsNotAccepted) -> None:
        """Add why the gap waits for a person, and the missing documents for the next comparison.

        The question is delivered before it is recorded: after a crash in between it is delivered again.
        """
        gap = self.current(checkpoint)
        if question.is_asked and not gap.get("is_asked"):
            asked = self._facts(
                checkpoint, FactType.APPROVAL_REQUESTED, cause=gap.get("cause", ""), missing=question.missing
            )
            self.committer.advance(checkpoint, asked)
        state = {"waiting": str(question), "missing": question.missing, "known": question.known}
        gaps.update(self.database, checkpoint.reconciling, {**state, "is_asked": question.is_asked})

    def close(self, pipeline: Pipeline, recovered: Mapping[str, int], cluster_time: Timestamp) -> None:
        """Record that the gap was closed by a reconciliation, and continue from its cluster time."""
        checkpoint = pipeline.checkpoint
        gap = self.current(checkpoint)
        gap_id = checkpoint.reconciling
        facts = self._facts(
            checkpoint,
            FactType.GAP_CLOSED,
            cause=gaps.cause_of_interruption(gap) or gap.get("cause", ""),
            since=gap.get("since"),
            until=cluster_datetime(cluster_time),
            recovered=dict(recovered),
        )
        checkpoint.finish_reconciliation(cluster_time, _memory_after(checkpoint, pipeline.settings))
        closed = {"closed_at": clock.now(), "until": checkpoint.at, "recovered": dict(recovered)}
        gaps.update(self.database, gap_id, {**closed, "waiting": None, "closed_by": "reconciliation"})
        pipeline.advance(facts)
        gaps.export_counts(self.database)
        log.info("gap.closed", recovered=dict(recovered), until=closed["until"])

    def _facts(self, checkpoint: Checkpoint, kind: FactType, **gap: Any) -> list[Fact]:
        """Return the fact about the gap that has to be closed; a first start or an upgrade may only have a question."""
        if gap["cause"] in gaps.PLANNED and kind is not FactType.APPROVAL_REQUESTED:
            return []
        gap_id = checkpoint.reconciling
        return [Fact(f"{gap_id}.{SUFFIXES[kind]}", kind, clock.now(), GapFact(gap_id, **gap))]


def _memory_after(checkpoint: Checkpoint, settings: Settings) -> Memories:
    """Return what the rules remember from now on.

    After a first start, milestones and goals already reached are no news. Deletions are counted from zero: the ones
    before were applied or approved.
    """
    memory: Memories = {PAYMENTS: payments.after_bootstrap(checkpoint.memory), DELETIONS: {}}
    if MILESTONES not in checkpoint.memory:
        memory[MILESTONES] = milestones.seed({}, milestones.milestone_values(checkpoint.totals))
        if settings.goals:
            memory[GOALS] = goals.seed(checkpoint.totals, settings)
    return memory
