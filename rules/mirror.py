"""What is known before a batch, and what follows from it: the values that pass in and out of `decide`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from rules.documents import is_id
from rules.model import (
    Change,
    CustomerState,
    DocId,
    Event,
    Fields,
    LicenseState,
    Movement,
    PlanState,
    Source,
    Sweep,
    Totals,
)
from rules.thresholds import Memory

Memories = dict[str, Memory]
"""What each rule remembers, by the rule's name; kept in the checkpoint."""


@dataclass(slots=True)
class Mirror:
    """What is known before a batch: the states it needs (None: looked for, not there), all plans, the totals.

    `position` is the cause of the last stream change applied, `memory` what rules remember, by rule.
    """

    customers: dict[DocId, CustomerState | None] = field(default_factory=dict)
    licenses: dict[DocId, LicenseState | None] = field(default_factory=dict)
    plans: dict[DocId, PlanState] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    position: str = ""
    memory: Memories = field(default_factory=dict)


class Held(NamedTuple):
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
    totals: Totals = field(default_factory=Totals)
    position: str = ""
    memory: Memories = field(default_factory=dict)
    sweeps: list[Sweep] = field(default_factory=list)
    held: dict[tuple[Source, DocId], Held] = field(default_factory=dict)
    released: set[tuple[Source, DocId]] = field(default_factory=set)
    withdrawn: dict[str, datetime] = field(default_factory=dict)
    """Keys of events of ours that somebody else told as well, and when theirs is dated."""
    told: list[datetime] = field(default_factory=list)
    """When other events of somebody else are dated: they belong into the note of that day."""


def required(changes: Sequence[Change], mirror: Mirror) -> tuple[set[DocId], set[DocId]]:
    """The ids of the customers and licences `decide` will ask for, as far as `mirror` can tell yet.

    Load what is missing and ask again until nothing new is named: a licence names its customer.
    """
    customers = {c.id for c in changes if c.source is Source.CUSTOMERS}
    licenses = {c.id for c in changes if c.source is Source.LICENSES}
    customers.update(_owners(c.fields for c in changes if c.source is Source.LICENSES))
    states = [state for state in mirror.licenses.values() if state is not None]
    customers.update(_owners(state.fields for state in states))
    customers.update(state.license.customer_id for state in states if state.license is not None)
    return customers, licenses


def _owners(documents: Iterable[Fields]) -> Iterator[DocId]:
    """The customers named; None among them, because an update may take the name away."""
    return (owner for owner in (fields.get("customer_id") for fields in documents) if is_id(owner))
