"""What a business day brought: the sums over its movements that a row tells. Days add up to any longer period.

This is the definition; `daemon.store.ledger.day_sums` computes the same on the server, in constant memory here.
An opening balance is nobody's business of that day: it stands in `by_kind` alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.model.changes import DocId, LicenseValue
from rules.model.ledger import Movement, MovementKind, Reason

MRR_KINDS = (
    MovementKind.NEW,
    MovementKind.EXPANSION,
    MovementKind.CONTRACTION,
    MovementKind.CHURN,
    MovementKind.REACTIVATION,
)
"""ChartMogul's five."""


class KindSum(NamedTuple):
    """How many movements of one kind there were, and the MRR they moved, in cents with its sign."""

    number: int = 0
    mrr_cents: int = 0


@dataclass(slots=True)
class DaySums:
    """Sums of one day or of several.

    `customers` to `mrr_cents` are net changes. A customer is churned on a day that began with MRR and ended without,
    reactivated on one that began without and ended with MRR, unless it is its first ever: over several days each such
    day counts, as in ChartMogul's movements.
    """

    customers: int = 0
    paying_customers: int = 0
    subscribers: int = 0
    mrr_cents: int = 0
    one_time_cents: int = 0
    new_customers: int = 0
    sales: int = 0
    cancellations: int = 0
    churned_customers: int = 0
    reactivated_customers: int = 0
    by_kind: dict[MovementKind, KindSum] = field(default_factory=dict)

    def mrr_of(self, kind: MovementKind) -> int:
        return self.by_kind.get(kind, KindSum()).mrr_cents


SUMS = (
    "customers",
    "paying_customers",
    "subscribers",
    "mrr_cents",
    "one_time_cents",
    "new_customers",
    "sales",
    "cancellations",
    "churned_customers",
    "reactivated_customers",
)


def total(days: Iterable[DaySums]) -> DaySums:
    """Several days as one period."""
    result = DaySums()
    for day in days:
        for name in SUMS:
            setattr(result, name, getattr(result, name) + getattr(day, name))
        for kind, (number, cents) in day.by_kind.items():
            known = result.by_kind.get(kind, KindSum())
            result.by_kind[kind] = KindSum(known.number + number, known.mrr_cents + cents)
    return result


def of_day(movements: Iterable[Movement]) -> DaySums:
    """What the movements of one business day add up to."""
    flows = DaySums()
    crossed: dict[DocId, tuple[int, bool]] = {}
    for movement in movements:
        if movement.kind is not MovementKind.NEUTRAL:
            known = flows.by_kind.get(movement.kind, KindSum())
            flows.by_kind[movement.kind] = KindSum(known.number + movement.count, known.mrr_cents + movement.mrr_cents)
        if movement.kind is not MovementKind.OPENING:
            _add(flows, movement)
        if movement.kind is not MovementKind.OPENING and movement.subscribers:
            net, first = crossed.get(movement.customer_id, (0, False))
            crossed[movement.customer_id] = (
                net + movement.subscribers,
                first or movement.kind is MovementKind.NEW,
            )
    flows.churned_customers = sum(net < 0 for net, _ in crossed.values())
    flows.reactivated_customers = sum(net > 0 and not first for net, first in crossed.values())
    return flows


def _add(flows: DaySums, movement: Movement) -> None:
    flows.customers += movement.customers
    flows.paying_customers += movement.paying_customers
    flows.subscribers += movement.subscribers
    flows.mrr_cents += movement.mrr_cents
    flows.one_time_cents += movement.one_time_cents
    flows.new_customers += is_new_customer(movement)
    flows.sales += sales(movement)
    flows.cancellations += cancellations(movement)


def is_new_customer(movement: Movement) -> bool:
    return movement.customers > 0


def sales(movement: Movement) -> int:
    """A licence with a price, sold rather than brought back; -1 where it turned out to take another one's place."""
    if movement.reason is not Reason.LICENSE_CREATED:
        return 0
    return _is_paid(movement.after) - _is_paid(movement.before)


def cancellations(movement: Movement) -> int:
    """An active licence that was cancelled or deleted, -1 where that was taken back; one that ran out is none."""
    return -movement.active_licenses if movement.reason in (Reason.CANCELLED, Reason.LICENSE_DELETED) else 0


def _is_paid(worth: LicenseValue | None) -> bool:
    return worth is not None and worth.paid
