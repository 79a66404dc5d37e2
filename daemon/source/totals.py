"""Totals of the source collections, counted by the server at one cluster time.

Deliberately independent of the daemon's own counting: the server groups the stored licenses, without mirror, ledger or
rules. Only plan prices are read by `rules.revenue.pricing`, which has the rounding rule.
"""

import math
from collections.abc import Collection, Mapping
from datetime import datetime

from bson.timestamp import Timestamp

from daemon.mongo.client import translated
from daemon.mongo.types import Database, Document
from daemon.source import reads
from rules.model.changes import DocId, Plan

USABLE_ID: Document = {
    "$not": {"$type": ["object", "bool", "javascript", "javascriptWithScope"]},
    "$ne": math.nan,
}
"""Condition of an `_id` that the daemon can use; documents with any other are dead letters and not counted."""


def totals(
    database: Database,
    plans: Mapping[DocId, Plan],
    held: Collection[DocId],
    instant: datetime,
    time: Timestamp,
) -> dict[str, int]:
    """Return customers, paying customers, subscribers, active licenses and MRR as of `time`, without held documents.

    Licenses are active or expired at `instant`, which is in the stored time zone like `expires_at`. Raises Unavailable
    if the server no longer has the snapshot (kept for five minutes by default).
    """
    counting = [{"$match": {"_id": {"$nin": list(held), **USABLE_ID}, **_active(instant)}}]
    per_plan = _aggregate(database, "licenses", [*counting, _by_plan(plans)], time)
    paying = [*counting, *_owners([plan_id for plan_id, plan in plans.items() if plan.price_cents > 0])]
    subscribed = [*counting, *_owners([plan_id for plan_id, plan in plans.items() if plan.mrr_cents > 0])]
    counts = {found["_id"]: found["count"] for found in per_plan}
    counted = [(plan, counts.get(place, 0)) for place, plan in enumerate(plans.values())]
    return {
        "customers": _count_of(
            _aggregate(database, "customers", [{"$match": {"_id": USABLE_ID}}, {"$count": "count"}], time)
        ),
        "paying_customers": _count_of(_aggregate(database, "licenses", paying, time)),
        "subscribers": _count_of(_aggregate(database, "licenses", subscribed, time)),
        "active_licenses": sum(count for _, count in counted),
        "mrr_cents": sum(plan.mrr_cents * count for plan, count in counted),
    }


def _active(instant: datetime) -> Document:
    endless_or_later = [{"expires_at": None}, {"expires_at": {"$gt": instant}}]
    return {"status": "active", "$or": endless_or_later}


def _owners(plan_ids: list[DocId]) -> list[Document]:
    """Return stages that count the customers with a license on one of these plans."""
    return [{"$match": {"plan_id": {"$in": plan_ids}}}, {"$group": {"_id": "$customer_id"}}, {"$count": "count"}]


def _by_plan(plans: Collection[DocId]) -> Document:
    """Return a stage that counts licenses by the position of their plan in `plans` (-1: none of them)."""
    place = {"$indexOfArray": [{"$literal": list(plans)}, {"$ifNull": ["$plan_id", None]}]}
    return {"$group": {"_id": place, "count": {"$sum": 1}}}


def _count_of(found: list[Document]) -> int:
    return int(found[0]["count"]) if found else 0


def _aggregate(database: Database, collection: str, stages: list[Document], time: Timestamp) -> list[Document]:
    """Run stages at a cluster time; the result is a few documents (one per plan)."""
    with translated():
        return reads.aggregate_at(database, collection, stages, time)
