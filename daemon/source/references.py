"""Ids that external events carry as text, because JSON and forms have no other form of an ObjectId."""

from bson import ObjectId

from daemon.mongo.id_text import id_candidates
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database
from daemon.source import reads
from rules.model.changes import EVENT_REFERENCES, Change, DocId, Source


def with_existing_ids(database: Database, change: Change) -> Change:
    """Replace a text in `customer_id` or `license_id` of an external event by the id of the document that it names."""
    texts = {name: value for name in EVENT_REFERENCES if isinstance(value := change.fields.get(name), str)}
    if change.source is not Source.EVENTS or not texts:
        return change
    found = {name: _existing_id(database, EVENT_REFERENCES[name], text) for name, text in texts.items()}
    return change._replace(fields={**change.fields, **found})


def _existing_id(database: Database, source: Source, text: str) -> DocId:
    """Return the id that exists, preferring the text itself; if none does, 24 hex digits are an ObjectId."""
    named = reads.find(database, source.value, {"_id": {"$in": id_candidates(text)}}, {"_id": 1})
    existing = [canonical(document["_id"]) for document in named]
    if text in existing:
        return text
    return existing[0] if existing else ObjectId(text) if ObjectId.is_valid(text) else text
