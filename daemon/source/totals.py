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
from rules.model.changes import DocId, Plan

USABLE_ID: Document = {
    "$not": {"$type": ["object", "bool", "decimal", "javascript", "javascriptWithScope"]},
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
    counting = [{"$match": {"_id": {"$nin": list(held), **USABLE_ID}, **_active(instant)}}, {"$set": _references()}]
    per_plan = _aggregate(database, "licenses", [*counting, _group("plan_id")], time)
    paying = [*counting, *_owners([plan_id for plan_id, plan in plans.items() if plan.price_cents > 0])]
    subscribed = [*counting, *_owners([plan_id for plan_id, plan in plans.items() if plan.mrr_cents > 0])]
    counted = {found["_id"]: found["count"] for found in per_plan if found["_id"] in plans}
    return {
        "customers": _count_of(
            _aggregate(database, "customers", [{"$match": {"_id": USABLE_ID}}, {"$count": "count"}], time)
        ),
        "paying_customers": _count_of(_aggregate(database, "licenses", paying, time)),
        "subscribers": _count_of(_aggregate(database, "licenses", subscribed, time)),
        "active_licenses": sum(counted.values()),
        "mrr_cents": sum(plans[plan_id].mrr_cents * count for plan_id, count in counted.items()),
    }


def _active(instant: datetime) -> Document:
    endless_or_later = [{"expires_at": None}, {"expires_at": {"$gt": instant}}]
    return {"status": "active", "$or": endless_or_later}


def _references() -> Document:
    """Convert ids written as 24 hex digits to the ObjectId that they mean."""
    return {
        name: {"$convert": {"input": f"${name}", "to": "objectId", "onError": f"${name}", "onNull": None}}
        for name in ("plan_id", "customer_id")
    }


def _owners(plan_ids: list[DocId]) -> list[Document]:
    """Return stages that count the customers with a license on one of these plans."""
    return [{"$match": {"plan_id": {"$in": plan_ids}}}, _group("customer_id"), {"$count": "count"}]


def _group(name: str) -> Document:
    return {"$group": {"_id": f"${name}", "count": {"$sum": 1}}}


def _count_of(found: list[Document]) -> int:
    return int(found[0]["count"]) if found else 0


def _aggregate(database: Database, collection: str, stages: list[Document], time: Timestamp) -> list[Document]:
    """Run stages at a cluster time. The result has to fit into one batch: a few documents (one per plan)."""
    with translated():
        reply = database.command(
            "aggregate",
            collection,
            pipeline=stages,
            cursor={"batchSize": 10_000},
            allowDiskUse=True,
            readConcern={"level": "snapshot", "atClusterTime": time},
        )
    found: list[Document] = reply["cursor"]["firstBatch"]
    return found
