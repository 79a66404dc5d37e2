"""The checkpoint: one document with the committed stream position and the running totals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bson.min_key import MinKey
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern

from daemon.errors import ConfigurationError
from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime, preceding
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.types import Database, Document
from daemon.store.documents import totals_document, totals_of
from rules.model.changes import Origin
from rules.model.decision import Decision, Memories, Revaluation
from rules.model.ledger import Totals

CHECKPOINT_ID = "checkpoint"

FORMAT = 2
"""Format of the daemon's collections. Increase it when a stored state gets another form or meaning.

Checkpoints of format 1 have no such field.
"""


@dataclass(slots=True, kw_only=True)
class Checkpoint:
    """Everything up to `cluster_time` (and `token`, if set) is committed.

    `position` is the cause of the last applied stream change, `seq` the `_id` of the last ledger line, `revaluations`
    the plans whose licenses are still being revalued, each with the last license done, `reconciling` the `_id` of the
    gap that a running reconciliation will close, `outbox` the number of the newest commit with facts to deliver.
    """

    epoch: int
    fingerprint: str
    token: Mapping[str, Any] | None = None
    cluster_time: Timestamp | None = None
    position: str = ""
    totals: Totals = field(default_factory=Totals)
    seq: int = 0
    revaluations: list[tuple[Revaluation, Any]] = field(default_factory=list)
    reconciling: Any = None
    memory: Memories = field(default_factory=dict)
    outbox: int = 0
    format: int = FORMAT

    @property
    def at(self) -> datetime | None:
        """Cluster time as an instant: it decides when a day starts and a license ends. None before the first start."""
        return None if self.cluster_time is None else cluster_datetime(self.cluster_time)

    @property
    def seconds(self) -> float:
        """Cluster time in Unix seconds; 0 before the first start is done."""
        return float(self.cluster_time.time) if self.cluster_time is not None else 0.0

    def move_to(self, token: Mapping[str, Any] | None, cluster_time: Timestamp) -> None:
        """Advance to a position at which nothing relevant happened."""
        self.token, self.cluster_time = token, cluster_time

    def reopen_at_cluster_time(self, fingerprint: str) -> None:
        """Drop the resume token, which belongs to another filter; the stream is opened at the same cluster time.

        Changes of that instant arrive again and are skipped by `position`.
        """
        if self.token is not None and self.cluster_time is not None:
            self.token, self.cluster_time = None, preceding(self.cluster_time)
        self.fingerprint = fingerprint

    def take_over(self, fingerprint: str) -> None:
        """Continue with the data of an older program, by the filter of this one."""
        self.format, self.fingerprint = FORMAT, fingerprint

    def distrust_position(self, last: datetime | None) -> None:
        """Replace an impossible position by the time of the last ledger line (None: there is none)."""
        self.token, self.cluster_time = None, None if last is None else Timestamp(last, 0)

    def start_reconciliation(self, gap_id: object) -> None:
        """Remember the gap that a reconciliation has to close before the stream is followed."""
        self.reconciling = gap_id

    def finish_reconciliation(self, cluster_time: Timestamp, memory: Memories) -> None:
        """Continue from the snapshot's cluster time, with what the rules remember from now on."""
        self.token, self.cluster_time = None, cluster_time
        self.position = ""
        self.reconciling = None
        self.memory = {**self.memory, **memory}

    def following(
        self,
        decision: Decision,
        position: tuple[Mapping[str, Any] | None, Timestamp] | None,
        revaluations: list[tuple[Revaluation, Any]] | None,
    ) -> "Checkpoint":
        """Return the checkpoint after a decision is committed.

        `position` (token, cluster time) and `revaluations` are kept if None.
        """
        token, cluster_time = position if position is not None else (self.token, self.cluster_time)
        pending = self.revaluations if revaluations is None else revaluations
        return replace(
            self,
            token=token,
            cluster_time=cluster_time,
            position=decision.position,
            totals=decision.totals,
            seq=self.seq + len(decision.movements),
            revaluations=[*pending, *((one, MinKey()) for one in decision.revaluations)],
            memory=decision.memory,
            outbox=self.outbox + bool(decision.events or decision.withdrawn or decision.external),
        )


def load(database: Database) -> Checkpoint | None:
    """Return the majority-committed checkpoint; None before the first start.

    Raises ConfigurationError if a newer program wrote it.
    """
    collection = database.get_collection(CHECKPOINT, read_concern=ReadConcern("majority"))
    with translated():
        document = collection.find_one({"_id": CHECKPOINT_ID})
    if document is None or "fingerprint" not in document:
        return None
    _require_known(document)
    return Checkpoint(
        epoch=document["epoch"],
        fingerprint=document["fingerprint"],
        token=document["token"],
        cluster_time=document["cluster_time"],
        position=document["position"],
        totals=totals_of(document["totals"]),
        seq=document["seq"],
        revaluations=[(revaluation_of(one), one["after"]) for one in _pending_revaluations(document)],
        reconciling=document["reconciling"],
        memory=document.get("memory", {}),
        outbox=document.get("outbox", 0),
        format=document.get("format", 1),
    )


def _pending_revaluations(document: Mapping[str, Any]) -> list[Document]:
    found: list[Document] = document["revaluations" if "revaluations" in document else "sweeps"]
    return found


def require_known_format(database: Database) -> None:
    """Raise ConfigurationError if a newer program wrote the data, which this one may misread."""
    with translated():
        _require_known(database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, {"format": 1}) or {})


def _require_known(document: Mapping[str, Any]) -> None:
    known = document.get("format", 1)
    if known > FORMAT:
        raise ConfigurationError(
            f"the analytics data in this database has format {known}, but this version reads at most format {FORMAT}; "
            "install the newer version again: an older one cannot continue with its data"
        )


def document_of(checkpoint: Checkpoint) -> Document:
    """Return all fields except `_id` and `epoch`, which only the lease sets.

    `sweeps` had the revaluations in format 1; the null stops its programs, which do not read `format`.
    """
    return {
        "format": checkpoint.format,
        "fingerprint": checkpoint.fingerprint,
        "token": checkpoint.token,
        "cluster_time": checkpoint.cluster_time,
        "position": checkpoint.position,
        "totals": totals_document(checkpoint.totals),
        "seq": checkpoint.seq,
        "revaluations": [revaluation_document(one, after) for one, after in checkpoint.revaluations],
        "sweeps": None,
        "reconciling": checkpoint.reconciling,
        "memory": {rule: dict(memory) for rule, memory in checkpoint.memory.items()},
        "outbox": checkpoint.outbox,
    }


def revaluation_document(revaluation: Revaluation, after: object) -> Document:
    return {
        "plan_id": revaluation.plan_id,
        "at": revaluation.at,
        "cause": revaluation.cause,
        "origin": revaluation.origin.value,
        "after": after,
    }


def revaluation_of(document: Mapping[str, Any]) -> Revaluation:
    return Revaluation(document["plan_id"], document["at"], document["cause"], Origin(document["origin"]))


def running_totals(database: Database, session: ClientSession) -> Totals:
    """Return the running totals at the session's snapshot; all zero before the first start."""
    with translated():
        document = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, {"totals": 1}, session=session)
    return totals_of(document["totals"]) if document and "totals" in document else Totals()


def reopened_days(database: Database) -> list[Document]:
    """Return the closed days to which later commits added facts, as documents `{day, seq, moved, mark}`."""
    with translated():
        document = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, {"reopened": 1})
    return list(document.get("reopened", ())) if document else []


def remove_reopened(database: Database, entries: list[Document]) -> None:
    """Remove reopened days whose rows are written; entries added since they were read are kept."""
    if entries:
        with translated():
            database[CHECKPOINT].update_one({"_id": CHECKPOINT_ID}, {"$pullAll": {"reopened": entries}})
