"""Counts API calls from `usage_logs`, the dashboard's busiest collection: never read, never streamed, only counted.

A count is one range of an index that begins with `created_at`; without such an index nothing is counted at all. Times
are in the frame the dates are stored in.
"""

from datetime import datetime

from pymongo import ReadPreference

from daemon.mongo.client import translated
from daemon.mongo.types import Database

COLLECTION = "usage_logs"
FIELD = "created_at"
CURE = "db.usage_logs.createIndex({created_at: 1})"
MOST_MS = 15_000
"""A count that takes longer than this is given up: the server has other things to do."""


def index(database: Database) -> str | None:
    """The name of an index that can answer a range of dates; None where the collection has none."""
    with translated():
        for found in database[COLLECTION].list_indexes():
            field, kind = next(iter(found["key"].items()))
            whole = not found.get("partialFilterExpression") and not found.get("hidden")
            if field == FIELD and kind in (1, -1) and whole:
                return str(found["name"])
    return None


def first_at(database: Database, index: str) -> datetime | None:
    """When the oldest call was made; None where there is none."""
    query = {FIELD: {"$type": "date"}}
    with translated():
        document = database[COLLECTION].find_one(query, {FIELD: 1, "_id": 0}, sort=[(FIELD, 1)], hint=index)
    return document[FIELD] if document and isinstance(document[FIELD], datetime) else None


def calls(database: Database, start: datetime, end: datetime, index: str) -> int:
    """How many calls were made from `start` on and before `end`. Raises Unavailable where it takes too long."""
    with translated():
        counted = database.command(
            {
                "count": COLLECTION,
                "query": {FIELD: {"$gte": start, "$lt": end}},
                "hint": index,
                "maxTimeMS": MOST_MS,
            },
            read_preference=ReadPreference.SECONDARY_PREFERRED,
        )
    return int(counted["n"])
