"""What the source collections add up to, counted by the server at one cluster time.

Deliberately not the daemon's way of counting: the server groups the licences as they stand, without mirror,
ledger or rules. Only the price of a plan is read by `rules.revenue.pricing`, the one rounding rule.
"""

import math
from collections.abc import Collection, Mapping
from datetime import datetime

from bson.timestamp import Timestamp

from daemon.mongo.client import translated
from daemon.mongo.types import Database, Document
from rules.model.changes import DocId, Plan

NAMED: Document = {
    "$not": {"$type": ["object", "bool", "decimal", "javascript", "javascriptWithScope"]},
    "$ne": math.nan,
}
"""An `_id` that names a document to us; the others are dead letters, and count for nothing."""


def totals(
    database: Database,
    plans: Mapping[DocId, Plan],
    held: Collection[DocId],
    instant: datetime,
    time: Timestamp,
) -> dict[str, int]:
    """Customers, paying customers, subscribers, active licences and MRR of everything that is not held, as of `time`.

    `instant` is the moment licences are judged at, in the frame the dates are stored in. Raises Unavailable
    when the server no longer holds the snapshot (five minutes by default).
    """
    counting = [{"$match": {"_id": {"$nin": list(held), **NAMED}, **_active(instant)}}, {"$set": _references()}]
    per_plan = _aggregate(database, "licenses", [*counting, _group("plan_id")], time)
    paying = [*counting, *_owners([plan_id for plan_id, plan in plans.items() if plan.price_cents > 0])]
    subscribed = [*counting, *_owners([plan_id for plan_id, plan in plans.items() if plan.mrr_cents > 0])]
    counted = {found["_id"]: found["count"] for found in per_plan if found["_id"] in plans}
    return {
        "customers": _one(_aggregate(database, "customers", [{"$match": {"_id": NAMED}}, {"$count": "count"}], time)),
        "paying_customers": _one(_aggregate(database, "licenses", paying, time)),
        "subscribers": _one(_aggregate(database, "licenses", subscribed, time)),
        "active_licenses": sum(counted.values()),
        "mrr_cents": sum(plans[plan_id].mrr_cents * count for plan_id, count in counted.items()),
    }


def _active(instant: datetime) -> Document:
    endless_or_later = [{"expires_at": None}, {"expires_at": {"$gt": instant}}]
    return {"status": "active", "$or": endless_or_later}


def _references() -> Document:
    """Ids written as 24 hex digits mean the same document as the ObjectId."""
    return {
        name: {"$convert": {"input": f"${name}", "to": "objectId", "onError": f"${name}", "onNull": None}}
        for name in ("plan_id", "customer_id")
    }


def _owners(plan_ids: list[DocId]) -> list[Document]:
    """How many customers have a licence on one of these plans."""
    return [{"$match": {"plan_id": {"$in": plan_ids}}}, _group("customer_id"), {"$count": "count"}]


def _group(name: str) -> Document:
    return {"$group": {"_id": f"${name}", "count": {"$sum": 1}}}


def _one(found: list[Document]) -> int:
    return int(found[0]["count"]) if found else 0


def _aggregate(database: Database, collection: str, stages: list[Document], time: Timestamp) -> list[Document]:
    """Run stages at a cluster time; their result is a handful of documents (one per plan)."""
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
