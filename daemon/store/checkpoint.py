"""The one document that says how far we are, and the state that vouches for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bson.min_key import MinKey
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern

from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.types import Database, Document
from daemon.store.documents import totals_document, totals_of
from rules.model.changes import Origin
from rules.model.decision import Decision, Memories, Revaluation
from rules.model.ledger import Totals

CHECKPOINT_ID = "checkpoint"


@dataclass(slots=True, kw_only=True)
class Checkpoint:
    """Everything before `cluster_time` (and `token`, where there is one) is committed.

    `position` is the cause of the last stream change applied, `seq` the last ledger line, `sweeps` the plans
    whose licences are still being valued anew with the last licence done, `reconciling` the gap that a
    reconciliation under way is to close.
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

    @property
    def at(self) -> datetime | None:
        """The stream's own time, by which a day begins and a licence ends; None until the first start is done."""
        return None if self.cluster_time is None else cluster_datetime(self.cluster_time)

    def following(
        self,
        decision: Decision,
        position: tuple[Mapping[str, Any] | None, Timestamp] | None,
        sweeps: list[tuple[Revaluation, Any]] | None,
    ) -> "Checkpoint":
        """What it is once a decision is committed; `position` (token, cluster time) and `sweeps` stay where None."""
        token, cluster_time = position if position is not None else (self.token, self.cluster_time)
        left = self.revaluations if sweeps is None else sweeps
        return replace(
            self,
            token=token,
            cluster_time=cluster_time,
            position=decision.position,
            totals=decision.totals,
            seq=self.seq + len(decision.movements),
            revaluations=[*left, *((sweep, MinKey()) for sweep in decision.revaluations)],
            memory=decision.memory,
        )


def load(database: Database) -> Checkpoint | None:
    """The checkpoint as a majority holds it; None before the first start."""
    collection = database.get_collection(CHECKPOINT, read_concern=ReadConcern("majority"))
    with translated():
        document = collection.find_one({"_id": CHECKPOINT_ID})
    if document is None or "fingerprint" not in document:
        return None
    return Checkpoint(
        epoch=document["epoch"],
        fingerprint=document["fingerprint"],
        token=document["token"],
        cluster_time=document["cluster_time"],
        position=document["position"],
        totals=totals_of(document["totals"]),
        seq=document["seq"],
        revaluations=[(revaluation_of(sweep), sweep["after"]) for sweep in document["sweeps"]],
        reconciling=document["reconciling"],
        memory=document.get("memory", {}),
    )


def document_of(checkpoint: Checkpoint) -> Document:
    """All fields but `_id` and `epoch`, which only the lease sets."""
    return {
        "fingerprint": checkpoint.fingerprint,
        "token": checkpoint.token,
        "cluster_time": checkpoint.cluster_time,
        "position": checkpoint.position,
        "totals": totals_document(checkpoint.totals),
        "seq": checkpoint.seq,
        "sweeps": [revaluation_document(sweep, after) for sweep, after in checkpoint.revaluations],
        "reconciling": checkpoint.reconciling,
        "memory": {rule: dict(memory) for rule, memory in checkpoint.memory.items()},
    }


def revaluation_document(sweep: Revaluation, after: object) -> Document:
    return {
        "plan_id": sweep.plan_id,
        "at": sweep.at,
        "cause": sweep.cause,
        "origin": sweep.origin.value,
        "after": after,
    }


def revaluation_of(document: Mapping[str, Any]) -> Revaluation:
    return Revaluation(document["plan_id"], document["at"], document["cause"], Origin(document["origin"]))


def running_totals(database: Database, session: ClientSession) -> Totals:
    """The running totals at the session's snapshot; all zero before the first start."""
    with translated():
        document = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, {"totals": 1}, session=session)
    return totals_of(document["totals"]) if document and "totals" in document else Totals()


def reopened(database: Database) -> list[Document]:
    """The closed days that commits since have added facts to: `{day, seq, moved, mark}` each."""
    with translated():
        document = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, {"reopened": 1})
    return list(document.get("reopened", ())) if document else []


def settle_reopened(database: Database, entries: list[Document]) -> None:
    """Strike off reopened days whose rows are written; entries added meanwhile stay."""
    if entries:
        with translated():
            database[CHECKPOINT].update_one({"_id": CHECKPOINT_ID}, {"$pullAll": {"reopened": entries}})
