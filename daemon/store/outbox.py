"""The outbox: facts to deliver, one document per commit that has any, in the order of the commits.

Entries hold ids, types, numbers and dates, never a name or a text: those are read when a message is made, so `forget`
has nothing to do here. Documents are written only in the fenced transaction of the commit.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pymongo.read_concern import ReadConcern

from daemon.mongo.client import translated
from daemon.mongo.collections import OUTBOX
from daemon.mongo.types import Database, Document
from rules import business_days
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
            return {"row": {**subject._asdict(), "day": day, "changes": changes, "lines": list(subject.lines)}}
        case GapFact():
            return {"gap": _without_none({**subject._asdict(), "recovered": dict(subject.recovered)})}
        case ErasureFact():
            return {"erasure": subject._asdict()}


def _without_none(fields: Mapping[str, Any]) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def _fact(entry: Mapping[str, Any]) -> Fact:
    return Fact(entry["id"], FactType(entry["type"]), entry["time"], _subject_of(entry))


def _subject_of(entry: Mapping[str, Any]) -> EventFact | RowFact | GapFact | ErasureFact:
    if "event" in entry:
        return EventFact(**{**entry["event"], "type": EventType(entry["event"]["type"])})
    if "row" in entry:
        row = entry["row"]
        changes = tuple(Difference(**change) for change in row["changes"])
        return RowFact(row["day"].date(), row["revision"], row["month"], changes, tuple(row["lines"]))
    return GapFact(**entry["gap"]) if "gap" in entry else ErasureFact(**entry["erasure"])


def read(database: Database, after: OutboxPosition, limit: int) -> Iterator[OutboxEntry]:
    """Yield the majority-committed entries of at most `limit` documents, from after a position on."""
    collection = database.get_collection(OUTBOX, read_concern=ReadConcern("majority"))
    with translated():
        for found in collection.find({"_id": {"$gte": after.number}}).sort("_id", 1).limit(limit):
            for index, entry in enumerate(found["entries"], 1):
                position = OutboxPosition(found["_id"], index)
                if position > after:
                    yield OutboxEntry(position, found["at"], _fact(entry))


def oldest(database: Database) -> int:
    """Return the number of the oldest document that is kept; 0 if there is none."""
    return _end(database, 1)


def newest(database: Database) -> int:
    """Return the number of the newest document; 0 if there is none."""
    return _end(database, -1)


def _end(database: Database, direction: int) -> int:
    with translated():
        found = database[OUTBOX].find_one({}, {"_id": 1}, sort=[("_id", direction)])
    return int(found["_id"]) if found else 0


def position_before(database: Database, at: datetime) -> OutboxPosition:
    """Return the position before the first commit at or after `at`; the end if there is none."""
    with translated():
        found = database[OUTBOX].find_one({"at": {"$gte": at}}, {"_id": 1}, sort=[("_id", 1)])
    return OutboxPosition(found["_id"] if found else newest(database) + 1, 0)


def prune(database: Database, before: datetime) -> None:
    """Delete the documents of commits before `before`, from the front; the newest one always stays."""
    last = position_before(database, before).number - 1
    with translated():
        database[OUTBOX].delete_many({"_id": {"$lte": min(last, newest(database) - 1)}})
