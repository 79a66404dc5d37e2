"""What a commit writes, as commands the server knows: inserts, updates of what changed, deletions. No connection."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from daemon.mongo.collections import MIRROR
from daemon.mongo.types import Document
from daemon.store.mirror import states
from rules.handlers.decide import Decision, Mirror
from rules.model.changes import DocId, Source
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState

State = TypeVar("State", CustomerState, LicenseState, PlanState, PaymentState)

MOST_PER_COMMAND = 1000
FEW = 10
"""Inserts that go along with updates."""


class Shape(NamedTuple, Generic[State]):
    """How states of one source collection are written: whole, and the update from one to another."""

    source: Source
    document: Callable[[State], Document]
    difference: Callable[[State, State], Document]


CUSTOMERS = Shape(Source.CUSTOMERS, states.customer_document, states.customer_difference)
LICENSES = Shape(Source.LICENSES, states.license_document, states.license_difference)
PAYMENTS = Shape(Source.PAYMENTS, states.payment_document, states.payment_difference)
PLANS = Shape(Source.PLANS, states.plan_document, states.plan_difference)


@dataclass(slots=True)
class MirrorWrites:
    """Inserts for documents new to the mirror, updates of what changed in known ones, deletions of forgotten ones."""

    inserts: list[Document] = field(default_factory=list)
    updates: list[Document] = field(default_factory=list)
    deletes: list[Document] = field(default_factory=list)

    def add(self, shape: Shape[State], doc_id: DocId, before: State | None, after: State | None) -> None:
        """Bring a document of the mirror from one state to another; None stands for "not there"."""
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
        """A few together, as each command is a way there and back; many apart, as inserts cost the server less."""
        if self.updates and len(self.inserts) <= FEW:
            yield from _sliced({"update": MIRROR}, "updates", [*map(_only_if_new, self.inserts), *self.updates])
        else:
            yield from inserts(MIRROR, self.inserts)
            yield from _sliced({"update": MIRROR}, "updates", self.updates)
        yield from _sliced({"delete": MIRROR}, "deletes", self.deletes)


def _only_if_new(document: Document) -> Document:
    """An insert among updates: one that stands already does not match, and is refused as a duplicate."""
    return {"q": {"_id": document["_id"], "fields": {"$exists": False}}, "u": document, "upsert": True}


def mirror_writes(decision: Decision, known: Mirror) -> MirrorWrites:
    """From what was known to what was decided."""
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
    return _sliced({"insert": collection}, "documents", documents)


def _sliced(command: Document, field: str, listed: list[Document]) -> Iterator[Document]:
    """As many commands as it takes: a message holds 48 MB at most, a document of ours 48 kB."""
    for first in range(0, len(listed), MOST_PER_COMMAND):
        yield {**command, field: listed[first : first + MOST_PER_COMMAND], "ordered": False}
