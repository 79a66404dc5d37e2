"""Queries of dead letters, which only a commit writes."""

from collections.abc import Iterator

from daemon.mongo import pagination
from daemon.mongo.client import translated
from daemon.mongo.collections import DEAD_LETTERS
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import Database, Document
from rules.model.changes import DocId, Source


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
