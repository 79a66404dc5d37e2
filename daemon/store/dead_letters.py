"""Dead letters: queries, and the writes of a commit."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from pymongo import UpdateOne

from daemon.mongo import pagination
from daemon.mongo.client import translated
from daemon.mongo.collections import DEAD_LETTERS
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import Database, Document
from daemon.store.mirror import states
from rules.model.changes import DocId, Source, Undecodable
from rules.model.decision import Decision, HeldDocument


def held(database: Database) -> Iterator[Document]:
    """Yield the documents that are held now, the longest held first."""
    with translated():
        yield from database[DEAD_LETTERS].find({"state": "held"}).sort("first_at", 1)


def held_ids(database: Database, source: Source) -> list[DocId]:
    """Return the ids of one collection's documents that are held now."""
    with translated():
        found = database[DEAD_LETTERS].find({"state": "held", "_id.k": source.value}, {"_id": 1})
        return [document["_id"]["id"] for document in found]


def count_held(database: Database) -> int:
    with translated():
        return database[DEAD_LETTERS].count_documents({"state": "held"})


def newest(database: Database, state: str, limit: int, cursor: PageCursor | None) -> list[Document]:
    """Return the dead letters of one state, newest first."""
    with translated():
        order = [("first_at", -1), ("_id", -1)]
        return pagination.newest(database[DEAD_LETTERS], order, {"state": state}, limit, cursor)


def writes(decision: Decision, undecodable: Iterable[Undecodable]) -> list[UpdateOne]:
    """Return one dead letter per held document; it is kept as a record after the release."""
    found: list[UpdateOne] = [_dead_letter(held) for held in decision.held.values()]
    found += [_raw_dead_letter(one) for one in undecodable]
    found += [
        UpdateOne({"_id": states.mirror_id(source, doc_id)}, {"$set": {"state": "released"}})
        for source, doc_id in decision.released
    ]
    return found


def _dead_letter(held: HeldDocument) -> UpdateOne:
    raw = {
        "operation": held.change.op.value,
        "cause": held.change.cause,
        "fields": states.storable(held.fields),
    }
    return _upsert(states.mirror_id(held.source, held.id), held.reason, raw, held.change.at)


def _raw_dead_letter(one: Undecodable) -> UpdateOne:
    dead_letter_id = states.mirror_id(one.source, one.raw)
    if one.is_gone:
        return UpdateOne({"_id": dead_letter_id}, {"$set": {"state": "released"}})
    return _upsert(dead_letter_id, one.reason, {"raw": one.raw}, one.at)


def _upsert(dead_letter_id: Document, reason: str, change: Document, at: datetime) -> UpdateOne:
    return UpdateOne(
        {"_id": dead_letter_id},
        {
            "$set": {"state": "held", "reason": reason, "change": change, "last_at": at},
            "$min": {"first_at": at},
            "$inc": {"count": 1},
        },
        upsert=True,
    )
