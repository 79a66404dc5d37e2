"""Reads the dead letters; they are written only by a commit."""

from collections.abc import Iterator
from typing import Any

from pymongo.database import Database

from daemon.connection import translated
from daemon.store.names import DEAD_LETTERS

Document = dict[str, Any]


def held(database: Database[Document]) -> Iterator[Document]:
    """The documents held now, the longest held first."""
    with translated():
        yield from database[DEAD_LETTERS].find({"state": "held"}).sort("first_at", 1)


def count_held(database: Database[Document]) -> int:
    with translated():
        return database[DEAD_LETTERS].count_documents({"state": "held"})
