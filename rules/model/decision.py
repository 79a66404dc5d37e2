"""Input and output of `decide`: the mirror before a batch, the decision after it, and the ids it needs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from rules.model.changes import Change, DocId, Fields, Origin, Source
from rules.model.documents import is_id
from rules.model.events import Event
from rules.model.ledger import Movement, Totals
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState

Memory = Mapping[str, int | str]
"""The memory of one rule between calls: plain integers and strings (dates as YYYY-MM-DD)."""

Memories = dict[str, Memory]
"""Memory by rule name; stored in the checkpoint."""


class Revaluation(NamedTuple):
    """Follow-up work of a plan change: value every license on `plan_id` again, in `_id` order."""

    plan_id: DocId
    at: datetime
    cause: str
    origin: Origin = Origin.STREAM


@dataclass(slots=True)
class Mirror:
    """State before a batch: the states the batch needs (None: loaded, does not exist), all plans, the totals.

    `position` is the cause of the last stream change applied.
    """

    customers: dict[DocId, CustomerState | None] = field(default_factory=dict)
    licenses: dict[DocId, LicenseState | None] = field(default_factory=dict)
    plans: dict[DocId, PlanState] = field(default_factory=dict)
    payments: dict[DocId, PaymentState | None] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    position: str = ""
    memory: Memories = field(default_factory=dict)


class WithdrawalKind(StrEnum):
    """REPLACED: the fact stands, another event reports it. CORRECTED: the fact turned out not to be one."""

    REPLACED = "replaced"
    CORRECTED = "corrected"


class Withdrawal(NamedTuple):
    """An own event to delete; the note of the business day of `at` no longer includes it."""

    at: datetime
    kind: WithdrawalKind


class ExternalFact(NamedTuple):
    """An external event that was applied, and the fact that it reports.

    `id` is the event's `_id`. `key` is the key of the first own event of the same fact, whether that was emitted or
    not; None if the daemon had no own event of the fact before, so that the fact is known by `id` alone. A `recovered`
    one was found in a gap, perhaps for the second time.
    """

    id: DocId
    type: str
    at: datetime
    key: str | None = None
    recovered: bool = False


class HeldDocument(NamedTuple):
    """An invalid document (dead letter): its id, the reason, the change that delivered it, its fields."""

    source: Source
    id: DocId
    reason: str
    change: Change
    fields: Fields


@dataclass(slots=True)
class Decision:
    """Result of a batch. A state of None means: delete this document from the mirror."""

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
    withdrawn: dict[str, Withdrawal] = field(default_factory=dict)
    """Withdrawals by the key of the own event."""
    fact_keys: dict[str, str] = field(default_factory=dict)
    """Of own events that replaced another own one: the key of the first event of the fact, by their own key."""
    external: list[ExternalFact] = field(default_factory=list)
    """The external events of the batch: the notes of their days include them."""


class Required(NamedTuple):
    """Ids of the states that `decide` reads."""

    customers: set[DocId]
    licenses: set[DocId]
    payments: set[DocId]


def required(changes: Sequence[Change], mirror: Mirror) -> Required:
    """Return the ids of the states that `decide` reads, as far as they follow from `changes` and `mirror`.

    Load the missing states into `mirror` and call again until no new id is returned: a license refers to its customer,
    a payment and an external event refer to both.
    """
    customers: set[DocId] = set()
    licenses: set[DocId] = set()
    payments: set[DocId] = set()
    license_fields: list[Fields] = []
    payment_fields: list[Fields] = []
    for change in changes:
        source = change.source
        if source is Source.LICENSES:
            licenses.add(change.id)
            license_fields.append(change.fields)
        elif source is Source.CUSTOMERS:
            customers.add(change.id)
        elif source is Source.PAYMENTS:
            payments.add(change.id)
            payment_fields.append(change.fields)
        elif source is Source.EVENTS:
            payment_fields.append(change.fields)
    for state in mirror.licenses.values():
        if state is not None:
            license_fields.append(state.fields)
            if state.license is not None:
                customers.add(state.license.customer_id)
    customers.update(_ids_in("customer_id", license_fields))
    if payment_fields:
        known = [state for state in mirror.payments.values() if state is not None]
        valid = [state.payment for state in known if state.payment is not None]
        fields = [*payment_fields, *(state.fields for state in known)]
        customers.update(_ids_in("customer_id", fields), (payment.customer_id for payment in valid))
        license_ids = (*_ids_in("license_id", fields), *(payment.license_id for payment in valid))
        licenses.update(license_id for license_id in license_ids if license_id is not None)
    return Required(customers, licenses, payments)


def _ids_in(name: str, documents: Iterable[Fields]) -> Iterator[DocId]:
    """Return the id in field `name` of each document; None if missing or invalid, because an update may remove it."""
    return (doc_id if is_id(doc_id) else None for doc_id in (fields.get(name) for fields in documents))
