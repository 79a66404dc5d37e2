"""Merging reconstructed rows into the analytics table: what was measured, and what people wrote, always stands."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pymongo

from daemon.mongo.client import translated
from daemon.mongo.collections import ROWS
from daemon.mongo.types import Database, Document
from daemon.store import indexes
from rules import business_days
from rules.rows.row import NUMBERS

Stage = dict[str, Any]

LONGEST_SECONDS = 3600.0

LEVELS = ("total_customers", "paying_customers", "mrr", "arr", "revenue_by_plan", "active_licenses", "zone")
FLOWS = ("new_customers", "churned_customers", "one_time_revenue", "started_licenses")
OTHERS_ROWS = "days_of_the_dashboard"
"""What a month's row does not know where days of it have a row of the dashboard's."""

MEASURED = {"$or": [{"final": {"$exists": True}}, {"revision": {"$exists": True}}]}
RECONSTRUCTED = {"reconstructed": True}


def census(database: Database, first: date, last: date) -> dict[str, int]:
    """How many daily rows stand from `first` to `last`: measured, reconstructed, and the dashboard's own."""
    within = {"date": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}, "period_type": "daily"}
    with translated():
        rows = database[ROWS]
        whole = rows.count_documents(within)
        made = rows.count_documents({**within, **RECONSTRUCTED})
        measured = rows.count_documents({**within, "reconstructed": {"$ne": True}, **MEASURED})
    return {"measured": measured, "reconstructed": made, "dashboard": whole - made - measured}


def monthly_rows(database: Database, first: date, last: date) -> int:
    """How many months from `first` to `last` have a row."""
    within = {
        "date": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)},
        "period_type": "monthly",
    }
    with translated():
        return database[ROWS].count_documents(within)


def months(first: date, last: date) -> list[Stage]:
    """The stages, on the analytics table, that make a row for each month of the days from `first` to `last`.

    A month stands at its end as its last day does, and brought what its days brought.
    """
    within = {"date": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}, "period_type": "daily"}
    theirs = {"$cond": [{"$eq": ["$reconstructed", True]}, [], [OTHERS_ROWS]]}
    sums: Document = {name: {"$last": f"${name}"} for name in LEVELS} | {name: {"$sum": f"${name}"} for name in FLOWS}
    sums["unknown"] = {"$push": {"$concatArrays": [{"$ifNull": ["$unknown", []]}, theirs]}}
    every = {"$reduce": {"input": "$unknown", "initialValue": [], "in": {"$setUnion": ["$$value", "$$this"]}}}
    return [
        {"$match": within},
        {"$sort": {"date": 1}},
        {"$group": {"_id": {"$dateTrunc": {"date": "$date", "unit": "month"}}, **sums}},
        {"$set": {"date": "$_id", "period_type": "monthly", "reconstructed": True, "unknown": every}},
        {"$unset": "_id"},
    ]


def prepare(database: Database) -> None:
    """Make the unique index a merge goes by, where neither daemon nor dashboard has made it yet."""
    with translated():
        missing = indexes.missing(database, ROWS)
        if missing:
            database[ROWS].create_indexes(missing)


def merge(database: Database, source: str, stages: Sequence[Stage], now: datetime, *, over_dashboard: bool) -> None:
    """Compute rows on the server from a collection and merge them; cut off by Ctrl-C its work ends as well."""
    whole = [*stages, {"$set": _additions(now)}, _merged(over_dashboard)]
    with translated(), pymongo.timeout(LONGEST_SECONDS), database.client.start_session() as session:
        try:
            database[source].aggregate(whole, allowDiskUse=True, session=session)
        except KeyboardInterrupt:
            database.client.admin.command("killSessions", [session.session_id])
            raise


def _additions(now: datetime) -> Document:
    return {"auto_events": {"$literal": []}, "created_at": now, "updated_at": now}


def _merged(over_dashboard: bool) -> Stage:
    return {
        "$merge": {
            "into": ROWS,
            "on": ["date", "period_type"],
            "whenMatched": [{"$replaceWith": _existing(over_dashboard)}],
            "whenNotMatched": "insert",
        }
    }


def _existing(over_dashboard: bool) -> Document:
    """The row that stands afterwards, of the one that stood and the one computed."""
    ours = {"$eq": ["$reconstructed", True]}
    measured = {"$or": [{"$ne": [{"$type": f"${name}"}, "missing"]} for name in ("final", "revision")]}
    may = {"$or": [ours, {"$not": [measured]}]} if over_dashboard else ours
    return {"$cond": [may, {"$mergeObjects": ["$$ROOT", "$$new", _kept(ours)]}, "$$ROOT"]}


def _kept(ours: Document) -> Document:
    """A person's note, when the row was first made, and the numbers somebody else first reported in it."""
    reported = {name: f"${name}" for name in (*NUMBERS, "auto_notes", "updated_at")}
    is_a_persons = {
        "$and": [
            {"$not": [{"$in": [{"$ifNull": ["$notes", ""]}, ["", None]]}]},
            {"$ne": ["$notes", {"$ifNull": ["$auto_notes", None]}]},
        ]
    }
    return {
        "notes": {"$cond": [is_a_persons, "$notes", "$$new.notes"]},
        "created_at": {"$ifNull": ["$created_at", "$$new.created_at"]},
        "first_reported": {"$cond": [ours, "$first_reported", {"$ifNull": ["$first_reported", reported]}]},
    }
