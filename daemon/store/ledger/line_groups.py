"""Sums of ledger lines by day, kind and plans, computed by the server in one pass."""

from datetime import date
from typing import Any, NamedTuple

from daemon.mongo.client import translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import ClientSession, Database, Document
from rules.model.ledger import MovementKind, PlanTotals, Reason, Totals
from rules.revenue import movements

SUMS = movements.TOTALS

MOVEMENT_COUNT: Document = {"$sum": {"$ifNull": ["$count", 1]}}
"""Number of movements, for a $group: an opening line may represent several or none."""

_IS_ACTIVITY = {"$ne": ["$kind", MovementKind.OPENING.value]}
_IS_NEW = {"$ne": ["$reason", Reason.CUSTOMER_RETURNED.value]}
_IS_END = {"$in": ["$reason", [Reason.CANCELLED.value, Reason.LICENSE_DELETED.value]]}

COUNTS: Document = {
    "new_customers": {"$cond": [{"$and": [_IS_ACTIVITY, _IS_NEW, {"$gt": ["$customers", 0]}]}, 1, 0]},
    "sales": {
        "$cond": [
            {"$eq": ["$reason", Reason.LICENSE_CREATED.value]},
            {"$subtract": [{"$cond": ["$after.paid", 1, 0]}, {"$cond": ["$before.paid", 1, 0]}]},
            0,
        ]
    },
    "cancellations": {"$cond": [_IS_END, {"$subtract": [0, "$active_licenses"]}, 0]},
}
"""Expressions of what a line adds to counts, equivalent to `rules.revenue.day_sums`.

Opening balances are not counted. A sale or cancellation that turned out to be half of a plan change is subtracted by a
line of its own.
"""


class LineGroup(NamedTuple):
    """The sums of the lines of one day, kind and plans: `number` of movements, totals, and those of `COUNTS`."""

    day: date
    kind: MovementKind
    number: int
    totals: Totals
    counts: dict[str, int]


def groups(database: Database, match: Document, session: ClientSession | None = None) -> list[LineGroup]:
    """Return the sums of the lines that match, by day, kind and plans."""
    found = _aggregated(database, match, {"day": "$day"}, session)
    return [
        LineGroup(
            line["_id"]["day"].date(),
            MovementKind(line["_id"]["kind"]),
            line["count"],
            _totals(line),
            {name: line[name] for name in COUNTS},
        )
        for line in found
    ]


def sums(database: Database, match: Document, session: ClientSession | None = None) -> Totals:
    """Return the sums of the lines that match."""
    total = Totals()
    for line in _aggregated(database, match, {}, session):
        movements.add_totals(total, _totals(line))
    return total


def _aggregated(database: Database, match: Document, key: Document, session: ClientSession | None) -> list[Document]:
    """Return one document of sums per key, kind and plans; the plans' sums need no line per plan."""
    plans = {"own": "$plan_id", "before": "$before.plan_id", "after": "$after.plan_id"}
    group = {
        "_id": {**key, "kind": "$kind", **plans},
        "count": MOVEMENT_COUNT,
        "licenses": {"$sum": "$licenses"},
        **{name: {"$sum": f"${name}"} for name in SUMS},
        **counts(),
        **_of_side("before"),
        **_of_side("after"),
    }
    with translated():
        return list(database[LEDGER].aggregate([{"$match": match}, {"$group": group}], session=session))


def _of_side(side: str) -> Document:
    exists = {"$eq": [{"$type": f"${side}"}, "object"]}
    return {
        f"{side}_licenses": count(exists),
        f"{side}_active": count(f"${side}.active"),
        f"{side}_mrr_cents": {"$sum": f"${side}.mrr_cents"},
    }


def _totals(line: Document) -> Totals:
    key = line["_id"]
    totals = Totals(**{name: line[name] for name in SUMS})
    for side, sign in (("before", -1), ("after", 1)):
        if key.get(side) is not None:
            parts = (line[f"{side}_{name}"] for name in ("licenses", "active", "mrr_cents"))
            _add_to_plan(totals, key[side], *(sign * part for part in parts))
    if key.get("own") is not None:
        if key["kind"] == MovementKind.OPENING:
            _add_to_plan(totals, key["own"], line["licenses"], line["active_licenses"], line["mrr_cents"])
        if line["one_time_cents"]:
            _add_to_plan(totals, key["own"], one_time_cents=line["one_time_cents"])
    return totals


def _add_to_plan(
    totals: Totals, plan_id: Any, licenses: int = 0, active: int = 0, mrr_cents: int = 0, one_time_cents: int = 0
) -> None:
    plan = totals.by_plan.setdefault(plan_id, PlanTotals())
    plan.licenses += licenses
    plan.active += active
    plan.mrr_cents += mrr_cents
    plan.one_time_cents += one_time_cents


def counts() -> Document:
    """Return accumulators of new customers, sales and cancellations."""
    return {name: {"$sum": expression} for name, expression in COUNTS.items()}


def count(*conditions: Any) -> Document:
    """Return an accumulator that counts documents which meet all conditions."""
    return {"$sum": {"$cond": [{"$and": list(conditions)}, 1, 0]}}
