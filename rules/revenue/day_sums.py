"""Sums over the movements of a business day, as used in rows. The sums of days add up to those of longer periods.

This is the definition; `daemon.store.ledger.day_sums` computes the same on the server, in constant local memory.
An opening balance is not activity of its day: it is only in `by_kind`.
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
"""ChartMogul's five MRR movements."""


class KindSum(NamedTuple):
    """Number of movements of one kind and their signed MRR in cents."""

    number: int = 0
    mrr_cents: int = 0


@dataclass(slots=True)
class DaySums:
    """Sums of one or several days.

    `customers` to `mrr_cents` are net changes. A customer churns on a day that it begins with MRR and ends without. It
    is reactivated on a day that it begins without and ends with MRR, unless that is its first MRR ever. Over several
    days each such day counts, as in ChartMogul's movements. A customer whose MRR moved to or from another customer that
    day counts as neither.
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
    """Return the sums of several days as those of one period."""
    result = DaySums()
    for day in days:
        for name in SUMS:
            setattr(result, name, getattr(result, name) + getattr(day, name))
        for kind, (number, cents) in day.by_kind.items():
            known = result.by_kind.get(kind, KindSum())
            result.by_kind[kind] = KindSum(known.number + number, known.mrr_cents + cents)
    return result


def of_day(movements: Iterable[Movement]) -> DaySums:
    """Return the sums over the movements of one business day."""
    sums = DaySums()
    crossed: dict[DocId, tuple[int, bool, bool]] = {}
    for movement in movements:
        if movement.kind is not MovementKind.NEUTRAL:
            known = sums.by_kind.get(movement.kind, KindSum())
            sums.by_kind[movement.kind] = KindSum(known.number + movement.count, known.mrr_cents + movement.mrr_cents)
        if movement.kind is not MovementKind.OPENING:
            _add(sums, movement)
        if movement.kind is not MovementKind.OPENING and movement.subscribers:
            net, first, moved = crossed.get(movement.customer_id, (0, False, False))
            crossed[movement.customer_id] = (
                net + movement.subscribers,
                first or movement.kind is MovementKind.NEW,
                moved or is_neutral_move(movement),
            )
    sums.churned_customers = sum(net < 0 and not moved for net, _, moved in crossed.values())
    sums.reactivated_customers = sum(net > 0 and not (first or moved) for net, first, moved in crossed.values())
    return sums


def _add(sums: DaySums, movement: Movement) -> None:
    sums.customers += movement.customers
    sums.paying_customers += movement.paying_customers
    sums.subscribers += movement.subscribers
    sums.mrr_cents += movement.mrr_cents
    sums.one_time_cents += movement.one_time_cents
    sums.new_customers += is_new_customer(movement)
    sums.sales += sales(movement)
    sums.cancellations += cancellations(movement)


def is_new_customer(movement: Movement) -> bool:
    """Return whether a movement counts a customer for the first time, not a deleted one that came back."""
    return movement.customers > 0 and movement.reason is not Reason.CUSTOMER_RETURNED


def is_neutral_move(movement: Movement) -> bool:
    """Return whether MRR moved from one customer to another; earlier versions posted a churn and a new MRR."""
    return movement.kind is MovementKind.NEUTRAL and movement.reason is Reason.LICENSE_MOVED


def sales(movement: Movement) -> int:
    """Return 1 for a new license with a price (not a reactivated one), -1 if it turned out to replace another."""
    if movement.reason is not Reason.LICENSE_CREATED:
        return 0
    return _is_paid(movement.after) - _is_paid(movement.before)


def cancellations(movement: Movement) -> int:
    """Return 1 for an active license canceled or deleted, -1 if that was reverted; expired licenses do not count."""
    return -movement.active_licenses if movement.reason in (Reason.CANCELLED, Reason.LICENSE_DELETED) else 0


def _is_paid(value: LicenseValue | None) -> bool:
    return value is not None and value.paid
