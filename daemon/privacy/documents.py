"""Documents with texts to redact: read completely, and changed one at a time by compare-and-set.

A document that was changed concurrently is read again, so no concurrent write is lost.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import bson
from bson.max_key import MaxKey
from bson.min_key import MinKey
from pymongo.collation import Collation

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import DEAD_LETTERS, EVENTS, GAPS, MIRROR, ROWS, SOURCE_NAME, WRITTEN_ROWS
from daemon.mongo.types import Database, Document
from daemon.store.events import ORIGIN
from daemon.store.mirror.states import mirror_id
from rules.model.changes import Fields, Source
from rules.text import MAX_NAME, customer_name, one_line

OWN_SOURCES = (SOURCE_NAME, ORIGIN, "command_line")
"""`metadata.source` of events written by the daemon, its API or its command line."""

REDACTED_COLLECTIONS = (DEAD_LETTERS, GAPS, ROWS, WRITTEN_ROWS)
"""Collections that are redacted completely, in this order; events follow, because they are a source of the name."""

MAX_ATTEMPTS = 20


def count_documents(database: Database, name: str) -> int:
    with translated():
        return database[name].estimated_document_count()


def documents(database: Database, name: str) -> Iterator[Document]:
    """Yield every document of a collection, in constant memory."""
    with translated():
        yield from database[name].find({}, batch_size=BATCH_SIZE).sort("_id", 1)


def rewrite(database: Database, name: str, stored: Document, redact: Callable[[Document], Document]) -> bool:
    """Store the redacted document if it differs, except for its `_id`; return whether it was changed."""
    with translated():
        for _ in range(MAX_ATTEMPTS):
            redacted = redact(stored)
            changed = {
                key: value for key, value in redacted.items() if key != "_id" and not _same(redacted, stored, key)
            }
            if not changed:
                return False
            guard = {key: {"$eq": stored[key]} if key in stored else {"$exists": False} for key in changed}
            if database[name].update_one({"_id": stored["_id"], **guard}, {"$set": changed}).matched_count:
                return True
            current = database[name].find_one({"_id": stored["_id"]})
            if current is None:
                return False
            stored = current
    return False


def _same(left: Document, right: Document, key: str) -> bool:
    return key in right and bson.encode({"": left[key]}) == bson.encode({"": right[key]})


def is_own_event(event: Mapping[str, Any]) -> bool:
    """Whether an event was written by the daemon, its API or its command line; all others are the dashboard's."""
    metadata = event.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("source") in OWN_SOURCES


def find_customer(database: Database, query: Document) -> Document | None:
    """Return `name`, `company` and `email` of a customer, by id or by e-mail (case-insensitive)."""
    fields, customers = {"name": 1, "company": 1, "email": 1}, database[Source.CUSTOMERS.value]
    with translated():
        found = customers.find_one(query, fields)
        if found is None and "email" in query:
            found = customers.find_one(query, fields, collation=Collation("en", strength=2))
    return found


def mirrored_fields(database: Database, customer_id: object) -> Fields | None:
    """Return the customer's fields in the mirror, or None if it is not in the mirror."""
    with translated():
        found = database[MIRROR].find_one({"_id": mirror_id(Source.CUSTOMERS, customer_id)})
    fields: Fields | None = found["fields"] if found else None
    return fields


def license_ids(database: Database, customer_id: object) -> list[Any]:
    """Return the ids of a customer's licenses, in the source and in the mirror."""
    with translated():
        owned = database[Source.LICENSES.value].find({"customer_id": {"$in": id_variants(customer_id)}}, {"_id": 1})
        mirrored = database[MIRROR].find(
            {"_id.k": Source.LICENSES.value, "fields.customer_id": customer_id}, {"_id": 1}
        )
        return [one["_id"] for one in owned] + [one["_id"]["id"] for one in mirrored]


def id_variants(customer_id: object) -> list[Any]:
    """Return the forms in which documents store an id: the id itself, and its text."""
    return [customer_id, str(customer_id)]


def event_times(database: Database, customer_id: object, licenses: list[Any]) -> list[Any]:
    """Return `event_date` of all events about a customer or its licenses."""
    about = [
        {"customer_id": {"$in": id_variants(customer_id)}},
        {"license_id": {"$in": [one for license_id in licenses for one in id_variants(license_id)]}},
    ]
    with translated():
        return [one.get("event_date") for one in database[EVENTS].find({"$or": about}, {"event_date": 1})]


def names_in_events(database: Database, customer_id: object) -> list[str]:
    """Return the customer's names in the metadata of its events."""
    with translated():
        found = database[EVENTS].distinct("metadata.customer_name", {"customer_id": {"$in": id_variants(customer_id)}})
        return [name for name in found if isinstance(name, str)]


def row_entries(database: Database, customer_id: object) -> Iterator[Document]:
    """Yield the `auto_events` entries about a customer, which rows keep after the events were deleted."""
    for name in (ROWS, WRITTEN_ROWS):
        with translated():
            for row in database[name].find({"auto_events.customer_id": str(customer_id)}, {"auto_events": 1}):
                yield from (entry for entry in row["auto_events"] if entry.get("customer_id") == str(customer_id))


def is_mentioned(database: Database, customer_id: object) -> bool:
    with translated():
        event = database[EVENTS].find_one({"customer_id": {"$in": id_variants(customer_id)}}, {"_id": 1})
    return event is not None or next(row_entries(database, customer_id), None) is not None


def overlapping_names(database: Database, customer_id: object, names: Iterable[str]) -> list[str]:
    """Return the mirrored names of other customers that contain one of these names."""
    parts = [r"\s+".join(map(re.escape, one_line(name, MAX_NAME).rstrip("…").split())) for name in names]
    pattern = {"$regex": "|".join(filter(None, parts)), "$options": "i"}
    if not pattern["$regex"]:
        return []
    customer_ids = {"$gte": mirror_id(Source.CUSTOMERS, MinKey()), "$lte": mirror_id(Source.CUSTOMERS, MaxKey())}
    named = {"$or": [{"fields.name": pattern}, {"fields.company": pattern}]}
    with translated():
        found = database[MIRROR].find({"_id": customer_ids, "_id.id": {"$ne": customer_id}, **named}, {"fields": 1})
        return [name for one in found if (name := customer_name(one["fields"]))]


def events_with_name(database: Database, customer_id: object) -> Iterator[Document]:
    """Yield the events about a customer whose metadata contains a name."""
    query = {"customer_id": {"$in": id_variants(customer_id)}, "metadata.customer_name": {"$exists": True}}
    with translated():
        yield from database[EVENTS].find(query, batch_size=BATCH_SIZE)
