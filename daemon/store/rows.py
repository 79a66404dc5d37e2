"""The analytics table: rows written beside the dashboard, by compare-and-set, and kept as we wrote them.

`rules.rows.amendment` decides what is stored. A row is only replaced while it is unchanged since the decision, so no
concurrent write is lost.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import bson
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from daemon.errors import Unavailable
from daemon.mongo.client import BATCH, translated
from daemon.mongo.collections import EVENTS, KEPT_ROWS, ROWS
from daemon.mongo.types import Database, Document
from rules import business_days
from rules.rows import amendment
from rules.rows.amendment import Amended, Difference
from rules.rows.periods import Kind, Period

MOST_ATTEMPTS = 100
TIMES = ("created_at", "updated_at")


def final_days(database: Database, first: date, last: date, kind: Kind = Kind.DAILY) -> set[date]:
    """The days from `first` to `last` whose row (of that kind) is final."""
    query = {**_between(first, last, kind), "final": True}
    with translated():
        return {row["date"].date() for row in database[ROWS].find(query, {"date": 1})}


def read(database: Database, first: date, last: date, kind: Kind = Kind.DAILY) -> list[Document]:
    """The rows from `first` to `last`, oldest first."""
    with translated():
        return list(database[ROWS].find(_between(first, last, kind)).sort("date", 1))


def _between(first: date, last: date, kind: Kind) -> Document:
    return {
        "date": {"$gte": business_days.stored(first), "$lte": business_days.stored(last)},
        "period_type": kind.value,
    }


def of(database: Database, period: Period) -> Document | None:
    """The row that stands in the table."""
    return _one(database, _key(business_days.stored(period.first), period.kind.value))


def kept(database: Database, period: Period, session: ClientSession | None = None) -> Document | None:
    """The row as we last wrote it."""
    key = _key(business_days.stored(period.first), period.kind.value)
    with translated():
        return database[KEPT_ROWS].find_one({"_id": key}, session=session)


def was_replaced(database: Database, period: Period) -> bool:
    """Whether somebody put a row of their own in the place of one of ours."""
    with translated():
        stored = database[ROWS].find_one(_key(business_days.stored(period.first), period.kind.value), {"revision": 1})
    return stored is not None and not amendment.is_ours(stored)


def write(database: Database, made: Mapping[str, Any], *, final: bool, now: datetime) -> Amended:
    """Insert or amend one row; what was done. A row that would only get a new date of change is not written."""
    key = _key(made["date"], made["period_type"])
    with translated():
        for _ in range(MOST_ATTEMPTS):
            stored = _one(database, key)
            known = database[KEPT_ROWS].find_one({"_id": key})
            result = amendment.amended(made, stored, known, final=final, now=now)
            if stored is not None and _same(stored, result.row) and known is not None:
                return result._replace(written=False)
            if _put(database, key, stored, result.row):
                _keep(database, key, result.row)
                return result
    raise Unavailable(f"the row of {made['date']:%Y-%m-%d} is written by somebody else again and again; tried later")


def _put(database: Database, key: Document, stored: Document | None, row: Document) -> bool:
    """Store the row if the one it was made from still stands."""
    if stored is None:
        try:
            database[ROWS].insert_one(dict(row))
        except DuplicateKeyError:
            return False
        return True
    guard = {
        name: {"$eq": stored[name]} if name in stored else {"$exists": False}
        for name in ("notes", "updated_at", "revision")
    }
    changed = {name: row[name] for name in row if name not in stored or _differ(stored, row, name)}
    return database[ROWS].update_one({"_id": stored["_id"], **key, **guard}, {"$set": changed}).matched_count == 1


def _keep(database: Database, key: Document, row: Document) -> None:
    ours = {name: value for name, value in row.items() if name not in ("_id", "notes")}
    database[KEPT_ROWS].replace_one({"_id": key}, ours, upsert=True)


def _one(database: Database, key: Document) -> Document | None:
    with translated():
        return database[ROWS].find_one(key)


def _key(date: datetime, period_type: str) -> Document:
    return {"date": date, "period_type": period_type}


def _same(stored: Document, row: Document) -> bool:
    """Byte by byte, but for the dates of writing."""
    plain = [{name: value for name, value in one.items() if name not in TIMES} for one in (stored, row)]
    return plain[0].keys() == plain[1].keys() and not any(_differ(plain[0], plain[1], name) for name in plain[0])


def differences(stored: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[Difference]:
    """The fields of ours whose bytes in the table are not those of the row made anew."""
    for name in made:
        if name not in stored:
            yield Difference(name, None, made[name])
        elif _differ(stored, made, name):
            apart = list(amendment.differences(stored, made, (name,)))
            yield from apart or [Difference(name, stored[name], made[name])]


def _differ(left: Mapping[str, Any], right: Mapping[str, Any], name: str) -> bool:
    return bson.encode({"": left[name]}) != bson.encode({"": right[name]})


def events_between(
    database: Database, start: datetime, end: datetime, session: ClientSession | None = None
) -> Iterable[Document]:
    """The business events, ours and others', of an interval (end excluded) in the order they happened."""
    with translated():
        found = database[EVENTS].find({"event_date": {"$gte": start, "$lt": end}}, session=session, batch_size=BATCH)
        yield from found.sort([("event_date", 1), ("_id", 1)])


def any_event_before(database: Database, start: datetime, session: ClientSession | None = None) -> bool:
    with translated():
        return database[EVENTS].find_one({"event_date": {"$lt": start}}, {"_id": 1}, session=session) is not None


def mark_processed(database: Database, start: datetime, end: datetime) -> None:
    """What the dashboard's own rollup does with events a row includes."""
    query = {"event_date": {"$gte": start, "$lt": end}, "processed": {"$ne": True}}
    with translated():
        database[EVENTS].update_many(query, {"$set": {"processed": True}})


def newest(database: Database, kind: Kind, first: date, last: date, limit: int) -> list[Document]:
    """The rows of one kind from `first` to `last`, newest first."""
    with translated():
        return list(database[ROWS].find(_between(first, last, kind)).sort("date", -1).limit(limit))
