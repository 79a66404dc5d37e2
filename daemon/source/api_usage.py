"""Number of API calls in `usage_logs`, the dashboard's busiest collection: documents are counted, never read.

A count scans one range of an index that starts with `created_at`; without such an index nothing is counted. Times are
as stored, with `time.naive_zone` not applied.
"""

from datetime import datetime

from pymongo import ReadPreference

from daemon.mongo.client import translated
from daemon.mongo.types import Database

COLLECTION = "usage_logs"
FIELD = "created_at"
HINT = "db.usage_logs.createIndex({created_at: 1})"
MAX_MS = 15_000
"""Time limit of one count, to protect the server."""


def exists(database: Database) -> bool:
    with translated():
        return bool(database.list_collection_names(filter={"name": COLLECTION}))


def find_index(database: Database) -> str | None:
    """Return the name of an index that can count a range of dates; None if there is none."""
    with translated():
        for found in database[COLLECTION].list_indexes():
            field, kind = next(iter(found["key"].items()))
            whole = not found.get("partialFilterExpression") and not found.get("hidden")
            if field == FIELD and kind in (1, -1) and whole:
                return str(found["name"])
    return None


def first_at(database: Database, index: str) -> datetime | None:
    """Return the time of the oldest call; None if there is none."""
    query = {FIELD: {"$type": "date"}}
    with translated():
        document = database[COLLECTION].find_one(query, {FIELD: 1, "_id": 0}, sort=[(FIELD, 1)], hint=index)
    return document[FIELD] if document and isinstance(document[FIELD], datetime) else None


def count_calls(database: Database, start: datetime, end: datetime, index: str) -> int:
    """Count calls from `start` (included) to `end` (excluded). Raises Unavailable after `MAX_MS`."""
    with translated():
        counted = database.command(
            {
                "count": COLLECTION,
                "query": {FIELD: {"$gte": start, "$lt": end}},
                "hint": index,
                "maxTimeMS": MAX_MS,
            },
            read_preference=ReadPreference.SECONDARY_PREFERRED,
        )
    return int(counted["n"])
