"""Sample events: written and removed by a command, recognized by their source."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS, SAMPLE_SOURCE
from daemon.mongo.types import Database, Document
from rules.model.events import EventType

MARK = {"source": SAMPLE_SOURCE, "sample": True}
STORED = {"metadata.source": SAMPLE_SOURCE}


def insert(database: Database, samples: Iterable[tuple[EventType, str]], now: datetime) -> None:
    """Store sample events dated `now`, in the form of the dashboard's events."""
    documents = [
        {
            "event_type": kind.value,
            "event_date": now,
            "currency": "EUR",
            "description": text,
            "auto_generated": False,
            "metadata": MARK,
            "processed": False,
            "created_at": now,
        }
        for kind, text in samples
    ]
    with translated():
        database[EVENTS].insert_many(documents)


def count(database: Database) -> int:
    with translated():
        return database[EVENTS].count_documents(STORED)


def remove(database: Database) -> int:
    """Delete all sample events; return their number."""
    with translated():
        return database[EVENTS].delete_many(STORED).deleted_count


def between(database: Database, start: datetime, end: datetime, session: ClientSession) -> Iterator[Document]:
    """Yield the sample events of an interval (end excluded) in chronological order."""
    query = {**STORED, "event_date": {"$gte": start, "$lt": end}}
    with translated():
        yield from database[EVENTS].find(query, session=session).sort([("event_date", 1), ("_id", 1)])
