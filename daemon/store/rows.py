"""The analytics table: the dashboard's rows, written without ever taking away what a person wrote.

`auto_notes` is ours; `notes` follows it until somebody edits it, and from then on is theirs. A final row whose
numbers change gets a higher `revision`, and keeps the numbers it first reported in `first_reported`.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database

from daemon.connection import BATCH, translated
from daemon.store.names import EVENTS, ROWS
from rules import days

Document = dict[str, Any]

NUMBERS = (
    "total_customers",
    "paying_customers",
    "mrr",
    "arr",
    "new_customers",
    "churned_customers",
    "active_licenses",
    "one_time_revenue",
    "revenue_by_plan",
)
"""The fields whose change makes a new revision of a final row."""


def final_days(database: Database[Document], first: date, last: date) -> set[date]:
    """The days from `first` to `last` whose row is final."""
    query = {
        "date": {"$gte": days.stored(first), "$lte": days.stored(last)},
        "period_type": "daily",
        "final": True,
    }
    with translated():
        return {row["date"].date() for row in database[ROWS].find(query, {"date": 1})}


def read(database: Database[Document], first: date, last: date) -> list[Document]:
    """The daily rows from `first` to `last`, oldest first."""
    query = {"date": {"$gte": days.stored(first), "$lte": days.stored(last)}, "period_type": "daily"}
    with translated():
        return list(database[ROWS].find(query).sort("date", 1))


def write(database: Database[Document], row: Mapping[str, Any], *, final: bool, now: datetime) -> None:
    """Insert or update one row in one atomic step; the fields others added stay."""
    key = {"date": row["date"], "period_type": row["period_type"]}
    with translated():
        database[ROWS].update_one(key, _steps(row, final, now), upsert=True)


def _steps(row: Mapping[str, Any], final: bool, now: datetime) -> list[Document]:
    """The update as a pipeline: what it compares and what it sets cannot be torn apart by another writer."""
    changed = {
        "$and": [
            {"$eq": ["$final", True]},
            {"$or": [{"$ne": [f"${name}", {"$literal": row[name]}]} for name in NUMBERS if name in row]},
        ]
    }
    reported = {name: f"${name}" for name in (*NUMBERS, "auto_notes", "updated_at")}
    ours = {name: {"$literal": value} for name, value in row.items() if name not in ("date", "period_type")}
    is_final = {"$or": [{"$literal": final}, {"$eq": ["$final", True]}]}
    revision = {"$ifNull": ["$revision", 0]}
    return [
        {
            "$set": {
                "revision": {"$cond": [changed, {"$add": [revision, 1]}, revision]},
                "first_reported": {"$cond": [changed, {"$ifNull": ["$first_reported", reported]}, "$first_reported"]},
                "notes": _notes(row["auto_notes"]),
                "created_at": {"$ifNull": ["$created_at", now]},
            }
        },
        {"$set": {**ours, "final": is_final, "updated_at": now}},
    ]


def _notes(auto_notes: str) -> Document:
    """Ours, unless a person's text stands there: one that is neither empty nor what we wrote last."""
    is_ours = {
        "$or": [
            {"$in": [{"$ifNull": ["$notes", ""]}, ["", None]]},
            {"$eq": ["$notes", {"$ifNull": ["$auto_notes", ""]}]},
        ]
    }
    return {"$cond": [is_ours, {"$literal": auto_notes}, "$notes"]}


def events_between(
    database: Database[Document], start: datetime, end: datetime, session: ClientSession | None = None
) -> Iterable[Document]:
    """The business events, ours and others', of an interval (end excluded) in the order they happened."""
    with translated():
        found = database[EVENTS].find({"event_date": {"$gte": start, "$lt": end}}, session=session, batch_size=BATCH)
        yield from found.sort([("event_date", 1), ("_id", 1)])


def mark_processed(database: Database[Document], start: datetime, end: datetime) -> None:
    """What the dashboard's own rollup does with events a row includes."""
    query = {"event_date": {"$gte": start, "$lt": end}, "processed": {"$ne": True}}
    with translated():
        database[EVENTS].update_many(query, {"$set": {"processed": True}})
