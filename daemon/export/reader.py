"""Queries for exports, one document at a time. Bounds are business days, both included."""

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
"""Collection and sort field of each table."""


def day_filter(table: str, first: date | None, last: date | None, zone: tzinfo) -> Filter:
    """Return the filter of a table for the days from `first` to `last`; None or an end of the calendar: no bound."""
    field = {"rows": "date", "events": "event_date", "movements": "day"}[table]
    bounds: dict[str, datetime] = {}
    if first is not None and first > date.min + business_days.ONE_DAY:
        bounds["$gte"] = business_days.start(first, zone) if table == "events" else business_days.stored(first)
    if last is not None and last < date.max - business_days.ONE_DAY:
        after = last + business_days.ONE_DAY
        bounds["$lt"] = business_days.start(after, zone) if table == "events" else business_days.stored(after)
    return {field: bounds} if bounds else {}


def read(database: Database, table: str, query: Filter) -> Iterator[Document]:
    """Yield the documents in order, read in pages: memory use does not depend on their number, here or on the server.

    Documents of one instant keep the order of the index, in which they were inserted. With additional sort fields the
    server would have to sort everything before it returns the first document.
    """
    collection, order = TABLES[table]
    with translated():
        found = database[collection].find(query, batch_size=PAGE, allow_disk_use=True)
        yield from found.sort(order, 1)


def count(database: Database, table: str, query: Filter) -> int:
    with translated():
        if not query:
            return database[TABLES[table][0]].estimated_document_count()
        return database[TABLES[table][0]].count_documents(query)


def fields(database: Database, table: str, query: Filter) -> dict[str, set[str]]:
    """Return the names of all top-level fields, each with the BSON types of its values."""
    stages: list[Document] = [
        {"$match": query},
        {"$project": {"field": {"$objectToArray": "$$ROOT"}}},
        {"$unwind": "$field"},
        {"$group": {"_id": "$field.k", "types": {"$addToSet": {"$type": "$field.v"}}}},
    ]
    with translated():
        return {one["_id"]: set(one["types"]) for one in database[TABLES[table][0]].aggregate(stages)}
