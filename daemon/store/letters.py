"""Reads the dead letters; they are written only by a commit."""

from collections.abc import Iterator
from typing import Any

from pymongo.database import Database

from daemon.connection import translated
from daemon.store import paging
from daemon.store.names import DEAD_LETTERS
from daemon.store.paging import Position
from rules.model import DocId, Source

Document = dict[str, Any]


def held(database: Database[Document]) -> Iterator[Document]:
    """The documents held now, the longest held first."""
    with translated():
        yield from database[DEAD_LETTERS].find({"state": "held"}).sort("first_at", 1)


def held_ids(database: Database[Document], source: Source) -> list[DocId]:
    """The ids of one collection's documents held now."""
    with translated():
        found = database[DEAD_LETTERS].find({"state": "held", "_id.k": source.value}, {"_id": 1})
        return [document["_id"]["id"] for document in found]


def count_held(database: Database[Document]) -> int:
    with translated():
        return database[DEAD_LETTERS].count_documents({"state": "held"})


def newest(database: Database[Document], state: str, limit: int, behind: Position | None) -> list[Document]:
    """The letters of one state, the newest first."""
    with translated():
        order = [("first_at", -1), ("_id", -1)]
        return paging.newest(database[DEAD_LETTERS], order, {"state": state}, limit, behind)
