"""Reads whole stretches of what is kept, one document at a time, for exports.

Bounds are business days, both included.
"""

from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from typing import Any

from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS, LEDGER, ROWS
from daemon.mongo.types import Database, Document
from rules import business_days

Filter = dict[str, Any]

PAGE = 1000
TABLES = {"rows": (ROWS, "date"), "events": (EVENTS, "event_date"), "movements": (LEDGER, "_id")}
"""What can be read, the collection it is in, and the order it comes in."""


def bounds(table: str, first: date | None, last: date | None, zone: tzinfo) -> Filter:
    """The filter for the days from `first` to `last` (None, or an end of the calendar: no bound) of one table."""
    field = {"rows": "date", "events": "event_date", "movements": "day"}[table]
    wanted: dict[str, datetime] = {}
    if first is not None and first > date.min + business_days.ONE_DAY:
        wanted["$gte"] = business_days.start(first, zone) if table == "events" else business_days.stored(first)
    if last is not None and last < date.max - business_days.ONE_DAY:
        after = last + business_days.ONE_DAY
        wanted["$lt"] = business_days.start(after, zone) if table == "events" else business_days.stored(after)
    return {field: wanted} if wanted else {}


def read(database: Database, table: str, wanted: Filter) -> Iterator[Document]:
    """The documents in order, a page at a time: memory does not grow with their number, here nor on the server.

    Those of one instant come as they were written, which is how the index has them; sorted by more than it holds, the
    server would gather all before it gives the first.
    """
    collection, order = TABLES[table]
    with translated():
        found = database[collection].find(wanted, batch_size=PAGE, allow_disk_use=True)
        yield from found.sort(order, 1)


def count(database: Database, table: str, wanted: Filter) -> int:
    with translated():
        if not wanted:
            return database[TABLES[table][0]].estimated_document_count()
        return database[TABLES[table][0]].count_documents(wanted)


def fields(database: Database, table: str, wanted: Filter) -> dict[str, set[str]]:
    """The names of all top-level fields, each with the BSON types of its values, as the server sees them."""
    stages: list[Document] = [
        {"$match": wanted},
        {"$project": {"field": {"$objectToArray": "$$ROOT"}}},
        {"$unwind": "$field"},
        {"$group": {"_id": "$field.k", "types": {"$addToSet": {"$type": "$field.v"}}}},
    ]
    with translated():
        return {one["_id"]: set(one["types"]) for one in database[TABLES[table][0]].aggregate(stages)}
