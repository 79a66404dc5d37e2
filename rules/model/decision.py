"""What is known before a batch, and what follows from it: the values that pass in and out of `decide`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from rules.model.changes import Change, DocId, Fields, Origin, Source
from rules.model.documents import is_id
from rules.model.events import Event
from rules.model.ledger import Movement, Totals
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState

Memory = Mapping[str, int | str]
"""What a rule remembers between calls: plain integers and texts (dates as YYYY-MM-DD), fit for the checkpoint."""

Memories = dict[str, Memory]
"""What each rule remembers, by the rule's name; kept in the checkpoint."""


class Revaluation(NamedTuple):
    """Work a plan's change leaves behind: every licence on `plan_id` is to be valued anew, in `_id` order."""

    plan_id: DocId
    at: datetime
    cause: str
    origin: Origin = Origin.STREAM


@dataclass(slots=True)
class Mirror:
    """What is known before a batch: the states it needs (None: looked for, not there), all plans, the totals.

    `position` is the cause of the last stream change applied, `memory` what rules remember, by rule.
    """

    customers: dict[DocId, CustomerState | None] = field(default_factory=dict)
    licenses: dict[DocId, LicenseState | None] = field(default_factory=dict)
    plans: dict[DocId, PlanState] = field(default_factory=dict)
    payments: dict[DocId, PaymentState | None] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    position: str = ""
    memory: Memories = field(default_factory=dict)


class HeldDocument(NamedTuple):
    """A document that could not be understood: which, why, and the change that brought it."""

    source: Source
    id: DocId
    reason: str
    change: Change
    fields: Fields


@dataclass(slots=True)
class Decision:
    """What follows from a batch. A state of None means: forget this document."""

    events: list[Event] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    customers: dict[DocId, CustomerState | None] = field(default_factory=dict)
    licenses: dict[DocId, LicenseState | None] = field(default_factory=dict)
    plans: dict[DocId, PlanState] = field(default_factory=dict)
    payments: dict[DocId, PaymentState | None] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    position: str = ""
    memory: Memories = field(default_factory=dict)
    revaluations: list[Revaluation] = field(default_factory=list)
    held: dict[tuple[Source, DocId], HeldDocument] = field(default_factory=dict)
    released: set[tuple[Source, DocId]] = field(default_factory=set)
    withdrawn: dict[str, datetime] = field(default_factory=dict)
    """Keys of events of ours that somebody else told as well, and when theirs is dated."""
    external_event_times: list[datetime] = field(default_factory=list)
    """When other events of somebody else are dated: they belong into the note of that day."""


class Required(NamedTuple):
    """The ids of the states `decide` will ask for."""

    customers: set[DocId]
    licenses: set[DocId]
    payments: set[DocId]


def required(changes: Sequence[Change], mirror: Mirror) -> Required:
    """What `decide` will ask for, as far as `mirror` can tell yet.

    Load what is missing and ask again until nothing new is named: a licence names its customer, a payment and an event
    of somebody else both.
    """
    customers: set[DocId] = set()
    licenses: set[DocId] = set()
    payments: set[DocId] = set()
    owned: list[Fields] = []
    naming: list[Fields] = []
    for change in changes:
        source = change.source
        if source is Source.LICENSES:
            licenses.add(change.id)
            owned.append(change.fields)
        elif source is Source.CUSTOMERS:
            customers.add(change.id)
        elif source is Source.PAYMENTS:
            payments.add(change.id)
            naming.append(change.fields)
        elif source is Source.EVENTS:
            naming.append(change.fields)
    for state in mirror.licenses.values():
        if state is not None:
            owned.append(state.fields)
            if state.license is not None:
                customers.add(state.license.customer_id)
    customers.update(_named("customer_id", owned))
    if naming:
        known = [state for state in mirror.payments.values() if state is not None]
        understood = [state.payment for state in known if state.payment is not None]
        fields = [*naming, *(state.fields for state in known)]
        customers.update(_named("customer_id", fields), (payment.customer_id for payment in understood))
        told_of = (*_named("license_id", fields), *(payment.license_id for payment in understood))
        licenses.update(license_id for license_id in told_of if license_id is not None)
    return Required(customers, licenses, payments)


def _named(name: str, documents: Iterable[Fields]) -> Iterator[DocId]:
    """The documents named; None where it is no name, or none, because an update may take it away."""
    return (doc_id if is_id(doc_id) else None for doc_id in (fields.get(name) for fields in documents))
