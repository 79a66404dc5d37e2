"""Write commands of a commit for the mirror: inserts, updates of changed fields, deletions. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from daemon.mongo.collections import MIRROR
from daemon.mongo.types import Document
from daemon.store.mirror import states
from rules.model.changes import DocId, Source
from rules.model.decision import Decision, Mirror
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState

State = TypeVar("State", CustomerState, LicenseState, PlanState, PaymentState)

MAX_PER_COMMAND = 1000
MAX_INSERTS_WITH_UPDATES = 10
"""Up to this many inserts are sent as upserts in the update command."""


class Shape(NamedTuple, Generic[State]):
    """Conversion of the states of one source collection: to a document, and to the update between two states."""

    source: Source
    document: Callable[[State], Document]
    difference: Callable[[State, State], Document]


CUSTOMERS = Shape(Source.CUSTOMERS, states.customer_document, states.customer_difference)
LICENSES = Shape(Source.LICENSES, states.license_document, states.license_difference)
PAYMENTS = Shape(Source.PAYMENTS, states.payment_document, states.payment_difference)
PLANS = Shape(Source.PLANS, states.plan_document, states.plan_difference)


@dataclass(slots=True)
class MirrorWrites:
    """Inserts of new mirror documents, updates of changed ones, deletions."""

    inserts: list[Document] = field(default_factory=list)
    updates: list[Document] = field(default_factory=list)
    deletes: list[Document] = field(default_factory=list)

    def add(self, shape: Shape[State], doc_id: DocId, before: State | None, after: State | None) -> None:
        """Add the write that changes a mirror document from one state to another; None means absent."""
        if before is after:
            return
        mirror_id = states.mirror_id(shape.source, doc_id)
        if after is None:
            self.deletes.append({"q": {"_id": mirror_id}, "limit": 1})
        elif before is None:
            self.inserts.append({"_id": mirror_id, **shape.document(after)})
        elif change := shape.difference(before, after):
            self.updates.append({"q": {"_id": mirror_id}, "u": change})

    def commands(self) -> Iterator[Document]:
        """Yield the commands. A few inserts join the updates to save a round trip; many are cheaper as inserts."""
        if self.updates and len(self.inserts) <= MAX_INSERTS_WITH_UPDATES:
            yield from _chunked({"update": MIRROR}, "updates", [*map(_only_if_new, self.inserts), *self.updates])
        else:
            yield from inserts(MIRROR, self.inserts)
            yield from _chunked({"update": MIRROR}, "updates", self.updates)
        yield from _chunked({"delete": MIRROR}, "deletes", self.deletes)


def _only_if_new(document: Document) -> Document:
    """Return an insert as an upsert: an existing document does not match, so it fails as a duplicate key."""
    return {"q": {"_id": document["_id"], "fields": {"$exists": False}}, "u": document, "upsert": True}


def mirror_writes(decision: Decision, known: Mirror) -> MirrorWrites:
    """Return the writes from the known states to the decided ones."""
    writes = MirrorWrites()
    _add(writes, CUSTOMERS, known.customers, decision.customers)
    _add(writes, LICENSES, known.licenses, decision.licenses)
    _add(writes, PAYMENTS, known.payments, decision.payments)
    _add(writes, PLANS, known.plans, decision.plans)
    return writes


def _add(
    writes: MirrorWrites,
    shape: Shape[State],
    known: Mapping[DocId, State | None],
    decided: Mapping[DocId, State | None],
) -> None:
    for doc_id, after in decided.items():
        writes.add(shape, doc_id, known.get(doc_id), after)


def inserts(collection: str, documents: list[Document]) -> Iterator[Document]:
    return _chunked({"insert": collection}, "documents", documents)


def _chunked(command: Document, field: str, items: list[Document]) -> Iterator[Document]:
    """Split into commands of `MAX_PER_COMMAND`: a message holds at most 48 MB, a mirror document 48 kB."""
    for first in range(0, len(items), MAX_PER_COMMAND):
        yield {**command, field: items[first : first + MAX_PER_COMMAND], "ordered": False}
