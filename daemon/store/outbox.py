"""The outbox: facts to deliver, one document per commit that has any, in the order of the commits.

Entries hold ids, types, numbers and dates, never a name or a text: those are read when a message is made, so `forget`
has nothing to do here. Documents are written only in the fenced transaction of the commit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from daemon.mongo.client import translated
from daemon.mongo.collections import OUTBOX
from daemon.mongo.types import Database, Document
from rules import business_days
from rules.model.changes import DocId
from rules.model.events import EventType
from rules.model.facts import Difference, ErasureFact, EventFact, Fact, FactType, GapFact, RowFact


class OutboxPosition(NamedTuple):
    """A position after entry `entry` of document `number`, both counted from 1; entry 0 is before the first one."""

    number: int
    entry: int


BEGINNING = OutboxPosition(0, 0)


class OutboxEntry(NamedTuple):
    """A fact, the position after it, and the cluster time of its commit."""

    position: OutboxPosition
    at: datetime
    fact: Fact


def document(number: int, at: datetime, facts: Iterable[Fact]) -> Document:
    """Return the outbox document of a commit at the cluster time `at`."""
    return {"_id": number, "at": at, "entries": [_entry(fact) for fact in facts]}


def _entry(fact: Fact) -> Document:
    return {"id": fact.id, "type": fact.type.value, "time": fact.time, **_subject(fact.subject)}


def _subject(subject: EventFact | RowFact | GapFact | ErasureFact) -> Document:
    match subject:
        case EventFact():
            fields = {**subject._asdict(), "type": subject.type.value, "metadata": dict(subject.metadata)}
            return {"event": _without_none(fields)}
        case RowFact():
            changes = [change._asdict() for change in subject.changes]
            day = business_days.stored(subject.day)
            return {"row": {**subject._asdict(), "day": day, "changes": changes}}
        case GapFact():
            return {
                "gap": _without_none(
                    {**subject._asdict(), "recovered": dict(subject.recovered), "missing": dict(subject.missing)}
                )
            }
        case ErasureFact():
            return {"erasure": subject._asdict()}


def _without_none(fields: Mapping[str, Any]) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def fact_of(entry: Mapping[str, Any]) -> Fact:
    return Fact(entry["id"], FactType(entry["type"]), entry["time"], _subject_of(entry))


def _subject_of(entry: Mapping[str, Any]) -> EventFact | RowFact | GapFact | ErasureFact:
    if "event" in entry:
        return EventFact(**{**entry["event"], "type": EventType(entry["event"]["type"])})
    if "row" in entry:
        row = entry["row"]
        changes = tuple(Difference(**change) for change in row["changes"])
        return RowFact(row["day"].date(), row["revision"], row["month"], changes)
    return GapFact(**entry["gap"]) if "gap" in entry else ErasureFact(**entry["erasure"])


def read(
    database: Database, after: OutboxPosition, limit: int | None = None, types: Iterable[FactType] = FactType
) -> Iterator[OutboxEntry]:
    """Yield the majority-committed entries of some types from after a position on, in order, at most `limit`."""
    return _read(database, after, {"entries.type": {"$in": [one.value for one in types]}}, limit)


def read_late(database: Database, after: OutboxPosition, before: datetime, limit: int) -> Iterator[OutboxEntry]:
    """Yield entries from after a position on whose event happened before an instant, at most `limit`."""
    return _read(database, after, {"entries.event": {"$exists": True}, "entries.time": {"$lt": before}}, limit)


def read_about(database: Database, customer_ids: Sequence[DocId]) -> Iterator[OutboxEntry]:
    """Yield the majority-committed entries of events of a customer, given by all forms of its id; reads everything."""
    return _read(database, BEGINNING, {"entries.event.customer_id": {"$in": list(customer_ids)}})


def _read(
    database: Database, after: OutboxPosition, wanted: Document, limit: int | None = None
) -> Iterator[OutboxEntry]:
    is_rest = {"$or": [{"_id": {"$gt": after.number}}, {"entry": {"$gte": after.entry}}]}
    stages: list[Document] = [
        {"$match": {"_id": {"$gte": after.number}, **wanted}},
        {"$sort": {"_id": 1}},
        {"$unwind": {"path": "$entries", "includeArrayIndex": "entry"}},
        {"$match": {**is_rest, **wanted}},
        *([{"$limit": limit}] if limit is not None else ()),
    ]
    with translated():
        for found in _majority(database).aggregate(stages):
            position = OutboxPosition(found["_id"], found["entry"] + 1)
            yield OutboxEntry(position, found["at"], fact_of(found["entries"]))


def _majority(database: Database) -> Collection[Document]:
    return database.get_collection(OUTBOX, read_concern=ReadConcern("majority"))


def end(database: Database) -> OutboxPosition:
    """Return the position after everything that is stored now."""
    return OutboxPosition(newest(database) + 1, 0)


def newest(database: Database) -> int:
    """Return the number of the newest document; 0 if there is none."""
    with translated():
        found = _majority(database).find_one({}, {"_id": 1}, sort=[("_id", -1)])
    return int(found["_id"]) if found else 0


def position_before(database: Database, at: datetime) -> OutboxPosition:
    """Return the position before the first commit at or after `at`; the end if there is none."""
    last = end(database)  # read first: a commit that comes in between is not before `at`
    with translated():
        found = database[OUTBOX].find_one({"at": {"$gte": at}}, {"_id": 1}, sort=[("_id", 1)])
    return OutboxPosition(found["_id"], 0) if found else last


def count(database: Database, after: OutboxPosition, before: OutboxPosition | None = None, limit: int = 10_000) -> int:
    """Return the number of documents with entries after a position (and before another one), up to `limit`."""
    numbers: Document = {"$gte": after.number, **({"$lt": before.number} if before else {})}
    is_rest = {"$gt": [{"$size": "$entries"}, after.entry]}
    has_entries = {"$or": [{"_id": {"$gt": after.number}}, {"$expr": is_rest}]}
    with translated():
        return database[OUTBOX].count_documents({"_id": numbers, **has_entries}, limit=limit)


def prune(database: Database, before: OutboxPosition) -> None:
    """Delete the documents before a position, from the front; the newest one always stays."""
    with translated():
        database[OUTBOX].delete_many({"_id": {"$lt": min(before.number, newest(database))}})
