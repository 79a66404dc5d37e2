"""The amount that one ledger movement adds to an account, described so that the database can compute it as well."""

from collections.abc import Mapping
from typing import NamedTuple

from rules.model.changes import DocId
from rules.model.ledger import Movement, MovementKind, Totals
from rules.revenue import day_sums, movements

COUNTS = {
    "new_customers": day_sums.is_new_customer,
    "sales": day_sums.sales,
    "cancellations": day_sums.cancellations,
}
"""Amounts that are no field of a movement."""

ACTIVITY: Mapping[MovementKind, int] = {kind: 1 for kind in MovementKind if kind is not MovementKind.OPENING}
"""All movements but opening balances."""


class Share(NamedTuple):
    """A field of a movement, or one of `COUNTS`, times the sign of its kind; None: every kind adds it as it is."""

    of: str
    signs: Mapping[MovementKind, int] | None = None

    def __call__(self, movement: Movement) -> int:
        sign = 1 if self.signs is None else self.signs.get(movement.kind, 0)
        count = COUNTS.get(self.of)
        return sign * int(count(movement) if count else getattr(movement, self.of)) if sign else 0


class PlanShare(NamedTuple):
    """What a movement adds to the revenue of plans, in cents, or to their active licenses."""

    ids: frozenset[DocId]
    counts: bool

    def __call__(self, movement: Movement) -> int:
        alone = Totals()
        movements.add(alone, movement)
        return self.of(alone)

    def of(self, totals: Totals) -> int:
        lines = [line for plan_id, line in totals.by_plan.items() if plan_id in self.ids]
        return sum(line.active if self.counts else line.mrr_cents + line.one_time_cents for line in lines)
