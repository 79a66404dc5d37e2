"""Where texts of ours and of others stand, read whole and changed one document at a time, by compare-and-set.

A document that somebody else wrote in between is read again: nobody's writing is lost.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import bson
from bson.max_key import MaxKey
from bson.min_key import MinKey
from pymongo.collation import Collation

from daemon.mongo.client import BATCH, translated
from daemon.mongo.collections import DEAD_LETTERS, EVENTS, GAPS, KEPT_ROWS, MIRROR, ROWS, SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.store.events import ORIGIN
from daemon.store.mirror.states import mirror_id
from rules.model.changes import Fields, Source
from rules.text import MAX_NAME, customer_name, one_line

OUR_DOORS = (SOURCE_NAME, ORIGIN, "command_line")
"""`metadata.source` of events that we wrote, or a person through us."""

TEXTS = (DEAD_LETTERS, GAPS, ROWS, KEPT_ROWS)
"""Collections whose every text is looked at, in this order; events come last, as they still tell the name."""

MOST_ATTEMPTS = 20


def count(database: Database, name: str) -> int:
    with translated():
        return database[name].estimated_document_count()


def documents(database: Database, name: str) -> Iterator[Document]:
    """Every document of a collection, in constant memory."""
    with translated():
        yield from database[name].find({}, batch_size=BATCH).sort("_id", 1)


def change(database: Database, name: str, stored: Document, cleaned: Callable[[Document], Document]) -> bool:
    """Store what `cleaned` makes of a document, if that differs; whether it did. Its `_id` always stays."""
    with translated():
        for _ in range(MOST_ATTEMPTS):
            made = cleaned(stored)
            changed = {key: made[key] for key in made if key != "_id" and not _same(made, stored, key)}
            if not changed:
                return False
            guard = {key: {"$eq": stored[key]} if key in stored else {"$exists": False} for key in changed}
            if database[name].update_one({"_id": stored["_id"], **guard}, {"$set": changed}).matched_count:
                return True
            again = database[name].find_one({"_id": stored["_id"]})
            if again is None:
                return False
            stored = again
    return False


def _same(left: Document, right: Document, key: str) -> bool:
    return key in right and bson.encode({"": left[key]}) == bson.encode({"": right[key]})


def is_through_us(event: Mapping[str, Any]) -> bool:
    """Whether an event was written by us or through our doors; all others are the dashboard's."""
    metadata = event.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("source") in OUR_DOORS


def customer(database: Database, wanted: Document) -> Document | None:
    """A customer's own document, by id or e-mail in whatever letters, with what says who it is."""
    fields, people = {"name": 1, "company": 1, "email": 1}, database[Source.CUSTOMERS.value]
    with translated():
        found = people.find_one(wanted, fields)
        if found is None and "email" in wanted:
            found = people.find_one(wanted, fields, collation=Collation("en", strength=2))
    return found


def mirrored(database: Database, customer_id: object) -> Fields | None:
    """What the mirror knows of a customer; None where it knows none."""
    with translated():
        found = database[MIRROR].find_one({"_id": mirror_id(Source.CUSTOMERS, customer_id)})
    fields: Fields | None = found["fields"] if found else None
    return fields


def license_ids(database: Database, customer_id: object) -> list[Any]:
    """The licences that are a customer's, now and as last mirrored."""
    with translated():
        owned = database[Source.LICENSES.value].find({"customer_id": {"$in": spellings(customer_id)}}, {"_id": 1})
        known = database[MIRROR].find({"_id.k": Source.LICENSES.value, "fields.customer_id": customer_id}, {"_id": 1})
        return [one["_id"] for one in owned] + [one["_id"]["id"] for one in known]


def spellings(customer_id: object) -> list[Any]:
    """An id as it may stand in a document: itself, or as text."""
    return [customer_id, str(customer_id)]


def event_times(database: Database, customer_id: object, licenses: list[Any]) -> list[Any]:
    """When the events about a customer and its licences are dated."""
    about = [
        {"customer_id": {"$in": spellings(customer_id)}},
        {"license_id": {"$in": [one for license_id in licenses for one in spellings(license_id)]}},
    ]
    with translated():
        return [one.get("event_date") for one in database[EVENTS].find({"$or": about}, {"event_date": 1})]


def names_in_events(database: Database, customer_id: object) -> list[str]:
    """The names that events about a customer tell."""
    with translated():
        found = database[EVENTS].distinct("metadata.customer_name", {"customer_id": {"$in": spellings(customer_id)}})
        return [name for name in found if isinstance(name, str)]


def entries(database: Database, customer_id: object) -> Iterator[Document]:
    """What rows tell of a customer: it stands there too when its events were deleted."""
    for name in (ROWS, KEPT_ROWS):
        with translated():
            for row in database[name].find({"auto_events.customer_id": str(customer_id)}, {"auto_events": 1}):
                yield from (entry for entry in row["auto_events"] if entry.get("customer_id") == str(customer_id))


def is_named_in(database: Database, customer_id: object) -> bool:
    with translated():
        told = database[EVENTS].find_one({"customer_id": {"$in": spellings(customer_id)}}, {"_id": 1})
    return told is not None or next(entries(database, customer_id), None) is not None


def names_of_others(database: Database, customer_id: object, names: Iterable[str]) -> list[str]:
    """What other customers are called in whose name one of these stands, as last mirrored."""
    parts = [r"\s+".join(map(re.escape, one_line(name, MAX_NAME).rstrip("…").split())) for name in names]
    wanted = {"$regex": "|".join(filter(None, parts)), "$options": "i"}
    if not wanted["$regex"]:
        return []
    people = {"$gte": mirror_id(Source.CUSTOMERS, MinKey()), "$lte": mirror_id(Source.CUSTOMERS, MaxKey())}
    named = {"$or": [{"fields.name": wanted}, {"fields.company": wanted}]}
    with translated():
        found = database[MIRROR].find({"_id": people, "_id.id": {"$ne": customer_id}, **named}, {"fields": 1})
        return [name for one in found if (name := customer_name(one["fields"]))]


def naming(database: Database, customer_id: object) -> Iterator[Document]:
    """The events about a customer that carry a name beside their text."""
    wanted = {"customer_id": {"$in": spellings(customer_id)}, "metadata.customer_name": {"$exists": True}}
    with translated():
        yield from database[EVENTS].find(wanted, batch_size=BATCH)
