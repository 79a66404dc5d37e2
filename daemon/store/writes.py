"""What a commit writes, as commands the server knows: inserts, updates of what changed, deletions. No connection."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from daemon.store import records
from daemon.store.names import MIRROR
from rules.decide import Decision, Mirror
from rules.model import CustomerState, DocId, LicenseState, PaymentState, PlanState, Source

Document = dict[str, Any]
State = TypeVar("State", CustomerState, LicenseState, PlanState, PaymentState)

MOST_PER_COMMAND = 1000


@dataclass(slots=True)
class MirrorWrites:
    """Inserts for documents new to the mirror, updates of what changed in known ones, deletions of forgotten ones."""

    inserts: list[Document] = field(default_factory=list)
    updates: list[Document] = field(default_factory=list)
    deletes: list[Document] = field(default_factory=list)

    def add(self, mirror_id: Document, before: Document | None, after: Document | None) -> None:
        """Bring a document of the mirror from one body to another; None stands for "not there"."""
        if after is None:
            if before is not None:
                self.deletes.append({"q": {"_id": mirror_id}, "limit": 1})
        elif before is None:
            self.inserts.append({"_id": mirror_id, **after})
        elif change := records.difference(before, after):
            self.updates.append({"q": {"_id": mirror_id}, "u": change})

    def commands(self) -> Iterator[Document]:
        yield from inserts(MIRROR, self.inserts)
        yield from _sliced({"update": MIRROR}, "updates", self.updates)
        yield from _sliced({"delete": MIRROR}, "deletes", self.deletes)


def mirror_writes(decision: Decision, known: Mirror) -> MirrorWrites:
    """From what was known to what was decided."""
    writes = MirrorWrites()
    _add(writes, Source.CUSTOMERS, known.customers, decision.customers, records.customer_document)
    _add(writes, Source.LICENSES, known.licenses, decision.licenses, records.license_document)
    _add(writes, Source.PAYMENTS, known.payments, decision.payments, records.payment_document)
    _add(writes, Source.PLANS, known.plans, decision.plans, records.plan_document)
    return writes


def _add(
    writes: MirrorWrites,
    source: Source,
    known: Mapping[DocId, State | None],
    decided: Mapping[DocId, State | None],
    body: Callable[[State], Document],
) -> None:
    for doc_id, after in decided.items():
        before = known.get(doc_id)
        writes.add(
            records.mirror_id(source, doc_id),
            None if before is None else body(before),
            None if after is None else body(after),
        )


def inserts(collection: str, documents: list[Document]) -> Iterator[Document]:
    return _sliced({"insert": collection}, "documents", documents)


def _sliced(command: Document, field: str, listed: list[Document]) -> Iterator[Document]:
    """As many commands as it takes: a message holds 48 MB at most, a document of ours 48 kB."""
    for first in range(0, len(listed), MOST_PER_COMMAND):
        yield {**command, field: listed[first : first + MOST_PER_COMMAND], "ordered": False}
