"""Documents with texts to redact: read completely, and changed one at a time by compare-and-set.

A document that was changed concurrently is read again, so no concurrent write is lost.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from unicodedata import normalize

import bson

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import DEAD_LETTERS, EVENTS, GAPS, MIRROR, ROWS, SOURCE_NAME, WRITTEN_ROWS
from daemon.mongo.id_text import shown_id
from daemon.mongo.types import Database, Document
from daemon.source import reads
from daemon.store.events import ORIGIN
from daemon.store.mirror.states import ids_of, mirror_id
from rules.model.changes import Fields, Source
from rules.privacy import erasure
from rules.text import MAX_NAME, customer_name, one_line

OWN_SOURCES = (SOURCE_NAME, ORIGIN, "command_line")
"""`metadata.source` of events written by the daemon, its API or its command line."""

REDACTED_COLLECTIONS = (DEAD_LETTERS, GAPS, ROWS, WRITTEN_ROWS)
"""Collections that are redacted completely, in this order; events follow, because they are a source of the name."""

MAX_DESCRIPTION = 1000
"""Characters of an event's text in which a name is looked for."""
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


def mirrored_fields(database: Database, customer_id: object) -> Fields | None:
    """Return the customer's fields in the mirror, or None if it is not in the mirror."""
    with translated():
        found = database[MIRROR].find_one({"_id": mirror_id(Source.CUSTOMERS, customer_id)})
    fields: Fields | None = found["fields"] if found else None
    return fields


def is_mirrored_by_name(database: Database, customer_id: object) -> bool:
    """Return whether the customer's document in the mirror contains personal data."""
    fields = mirrored_fields(database, customer_id)
    return bool(fields) and fields != erasure.fields_without_personal_data(fields or {})


def license_ids(database: Database, references: list[Any]) -> list[Any]:
    """Return the ids of a customer's licenses, in the source and in the mirror, and their texts."""
    with translated():
        owned = reads.find(database, Source.LICENSES, {"customer_id": {"$in": references}}, {"_id": 1})
        of_customer = {"_id.k": Source.LICENSES.value, "fields.customer_id": {"$in": references}}
        mirrored = database[MIRROR].find(of_customer, {"_id": 1})
        ids = [one["_id"] for one in owned] + [one["_id"]["id"] for one in mirrored]
    return [form for license_id in ids for form in (license_id, shown_id(license_id))]


def events_about(database: Database, references: list[Any], licenses: list[Any]) -> Iterator[Document]:
    """Yield the events about a customer or its licenses."""
    about = {"$or": [{"customer_id": {"$in": references}}, {"license_id": {"$in": licenses}}]}
    with translated():
        yield from database[EVENTS].find(about, batch_size=BATCH_SIZE)


def row_entries(database: Database, texts: list[str]) -> Iterator[Document]:
    """Yield the `auto_events` entries about a customer, which rows keep after the events were deleted."""
    for name in (ROWS, WRITTEN_ROWS):
        with translated():
            for row in database[name].find({"auto_events.customer_id": {"$in": texts}}, {"auto_events": 1}):
                yield from (entry for entry in row["auto_events"] if entry.get("customer_id") in texts)


def customers_with(database: Database, customer_id: object, names: Iterable[str]) -> Iterator[tuple[Any, str]]:
    """Yield id and mirrored name of other customers whose name contains one of these names."""
    forms = {normalize(form, one_line(name, MAX_NAME).rstrip("…")) for name in names for form in ("NFC", "NFD")}
    parts = [r"\s+".join(map(re.escape, form.split())) for form in sorted(forms)]
    pattern = {"$regex": "|".join(filter(None, parts)), "$options": "i"}
    if not pattern["$regex"]:
        return
    named = {"$or": [{"fields.name": pattern}, {"fields.company": pattern}]}
    with translated():
        found = database[MIRROR].find(
            {"_id": ids_of(Source.CUSTOMERS), "_id.id": {"$ne": customer_id}, **named}, {"fields": 1}
        )
        yield from ((one["_id"]["id"], name) for one in found if (name := customer_name(one["fields"])))


def events_with_name(database: Database, references: list[Any]) -> Iterator[Document]:
    """Yield the events about a customer whose metadata contains a name."""
    query = {"customer_id": {"$in": references}, "metadata.customer_name": {"$exists": True}}
    with translated():
        yield from database[EVENTS].find(query, batch_size=BATCH_SIZE)
