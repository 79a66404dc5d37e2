"""Merging of reconstructed rows into `historical_analytics`; measured rows and edited notes are always kept."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pymongo

from daemon.mongo.client import translated
from daemon.mongo.collections import ROWS
from daemon.mongo.types import Database, Document
from daemon.source import reads
from daemon.store import indexes
from rules import business_days
from rules.rows.row import NUMBERS

Stage = dict[str, Any]

TIMEOUT_SECONDS = 3600.0
"""A scan of all documents of a large shop takes longer than other operations are allowed to."""

LEVELS = ("total_customers", "paying_customers", "mrr", "arr", "revenue_by_plan", "active_licenses", "zone")
FLOWS = ("new_customers", "churned_customers", "one_time_revenue", "started_licenses")
DASHBOARD_ROWS = "days_of_the_dashboard"
"""Added to the `unknown` of a month in which a day's row is the dashboard's."""

ROW_KEYS = ("date", "period_type")
"""Fields that identify a row."""

MEASURED = {"$or": [{"final": {"$exists": True}}, {"revision": {"$exists": True}}]}
RECONSTRUCTED = {"reconstructed": True}


def count_rows(database: Database, first: date, last: date) -> dict[str, int]:
    """Count the daily rows from `first` to `last` by kind: `measured`, `reconstructed` and `dashboard`."""
    within = {"date": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}, "period_type": "daily"}
    with translated():
        rows = database[ROWS]
        whole = rows.count_documents(within)
        made = rows.count_documents({**within, **RECONSTRUCTED})
        measured = rows.count_documents({**within, "reconstructed": {"$ne": True}, **MEASURED})
    return {"measured": measured, "reconstructed": made, "dashboard": whole - made - measured}


def count_monthly_rows(database: Database, first: date, last: date) -> int:
    within = {
        "date": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)},
        "period_type": "monthly",
    }
    with translated():
        return database[ROWS].count_documents(within)


def months(first: date, last: date) -> list[Stage]:
    """Return the stages, run on `historical_analytics`, that compute a row for each month from `first` to `last`.

    A month has the levels of its last day and the sums of the flows of its days.
    """
    within = {"date": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}, "period_type": "daily"}
    dashboard = {"$cond": [{"$eq": ["$reconstructed", True]}, [], [DASHBOARD_ROWS]]}
    sums: Document = {name: {"$last": f"${name}"} for name in LEVELS} | {name: {"$sum": f"${name}"} for name in FLOWS}
    sums["unknown"] = {"$push": {"$concatArrays": [{"$ifNull": ["$unknown", []]}, dashboard]}}
    every = {"$reduce": {"input": "$unknown", "initialValue": [], "in": {"$setUnion": ["$$value", "$$this"]}}}
    return [
        {"$match": within},
        {"$sort": {"date": 1}},
        {"$group": {"_id": {"$dateTrunc": {"date": "$date", "unit": "month"}}, **sums}},
        {"$set": {"date": "$_id", "period_type": "monthly", "reconstructed": True, "unknown": every}},
        {"$unset": "_id"},
    ]


def ensure_index(database: Database) -> None:
    """Create the unique index that $merge requires, unless daemon or dashboard created it.

    The stages run with the simple collation, so in a collated table the dashboard's index does not suffice.
    """
    with translated():
        missing = indexes.missing(database, ROWS)
        if missing:
            database[ROWS].create_indexes(missing)
        elif all("collation" in index for index in database[ROWS].list_indexes() if tuple(index["key"]) == ROW_KEYS):
            keys = [(name, 1) for name in ROW_KEYS]
            database[ROWS].create_index(keys, name="simple_date_1_period_type_1", unique=True, collation=reads.SIMPLE)


def merge(database: Database, source: str, stages: Sequence[Stage], now: datetime, *, over_dashboard: bool) -> None:
    """Compute rows of a collection on the server and merge them; Ctrl-C also stops the server's operation."""
    whole = [*stages, {"$set": _additions(now)}, _merge_stage(over_dashboard)]
    with translated(), pymongo.timeout(TIMEOUT_SECONDS), database.client.start_session() as session:
        try:
            reads.aggregate(database, source, whole, session)
        except KeyboardInterrupt:
            database.client.admin.command("killSessions", [session.session_id])
            raise


def _additions(now: datetime) -> Document:
    return {"auto_events": {"$literal": []}, "created_at": now, "updated_at": now}


def _merge_stage(over_dashboard: bool) -> Stage:
    return {
        "$merge": {
            "into": ROWS,
            "on": list(ROW_KEYS),
            "whenMatched": [{"$replaceWith": _existing(over_dashboard)}],
            "whenNotMatched": "insert",
        }
    }


def _existing(over_dashboard: bool) -> Document:
    """Return an expression for the merged row: the existing one, or the computed one if it may replace it."""
    is_own = {"$eq": ["$reconstructed", True]}
    measured = {"$or": [{"$ne": [{"$type": f"${name}"}, "missing"]} for name in ("final", "revision")]}
    may_replace = {"$or": [is_own, {"$not": [measured]}]} if over_dashboard else is_own
    return {"$cond": [may_replace, {"$mergeObjects": ["$$ROOT", "$$new", _preserved(is_own)]}, "$$ROOT"]}


def _preserved(is_own: Document) -> Document:
    """Return the kept fields: an edited note, the creation time, and the numbers that another writer first reported."""
    reported = {name: f"${name}" for name in (*NUMBERS, "auto_notes", "updated_at")}
    is_edited = {
        "$and": [
            {"$not": [{"$in": [{"$ifNull": ["$notes", ""]}, ["", None]]}]},
            {"$ne": ["$notes", {"$ifNull": ["$auto_notes", None]}]},
        ]
    }
    return {
        "notes": {"$cond": [is_edited, "$notes", "$$new.notes"]},
        "created_at": {"$ifNull": ["$created_at", "$$new.created_at"]},
        "first_reported": {"$cond": [is_own, "$first_reported", {"$ifNull": ["$first_reported", reported]}]},
    }
