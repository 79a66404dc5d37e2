"""The daemon's copies of the rows it wrote, and which of their numbers still have to be announced to targets.

A copy survives the dashboard's "save today", which replaces whole rows. Where targets are configured, the write that
makes a row's numbers final, or other ones, also sets `announce`; the leader turns that into a fact in the outbox and
stores the numbers in `announced`. A copy without `announced` was never announced.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import bson
from pymongo import UpdateOne
from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import ROWS, WRITTEN_ROWS
from daemon.mongo.types import Database, Document
from rules.model.facts import Fact, FactType, RowFact, row_fact_id
from rules.rows import announced
from rules.rows.periods import PeriodKind

WRITE_TIMES = ("created_at", "updated_at")
ANNOUNCE, ANNOUNCED = "announce", "announced"
MAX_ANNOUNCED = 500
"""Rows that are announced in one transaction."""


def find(database: Database, key: Document, session: ClientSession | None = None) -> Document | None:
    """Return the copy of the row with `key`."""
    with translated():
        return database[WRITTEN_ROWS].find_one({"_id": key}, session=session)


def remember(database: Database, key: Document, known: Document | None, copy: Document, *, announces: bool) -> None:
    """Store the copy of a row unless `known` is the same; `announces`: whether targets are configured."""
    marks = _marks(known, copy) if announces else {}
    kept = {"_id", ANNOUNCE, ANNOUNCED} if announces else {"_id"}
    removed = [name for name in known or () if name not in copy and name not in kept]
    if known is not None and not marks and not removed and same(_without_marks(known), copy):
        return
    change: Document = {"$set": {**copy, **marks}}
    if removed:
        change["$unset"] = dict.fromkeys(removed, "")
    database[WRITTEN_ROWS].update_one({"_id": key}, change, upsert=True)


def _marks(known: Document | None, copy: Document) -> Document:
    """Return the marks of a copy whose numbers become final, or are final and become other ones."""
    if not copy.get("final"):
        return {}
    was_final = known is not None and known.get("final")
    if not was_final or known is None:
        return {ANNOUNCE: True}
    before = announced.numbers(known)
    if before == announced.numbers(copy):
        return {}
    is_new = ANNOUNCE not in known and ANNOUNCED not in known
    return {ANNOUNCE: True, **({ANNOUNCED: before} if is_new else {})}


def _without_marks(copy: Document) -> Document:
    return {name: value for name, value in copy.items() if name not in ("_id", ANNOUNCE, ANNOUNCED)}


def same(left: Document, right: Document) -> bool:
    """Compare the BSON of two rows, ignoring the times of writing."""
    left, right = ({name: value for name, value in one.items() if name not in WRITE_TIMES} for one in (left, right))
    return left.keys() == right.keys() and not any(differ(left, right, name) for name in left)


def differ(left: Mapping[str, Any], right: Mapping[str, Any], name: str) -> bool:
    """Return whether a field has another BSON value in two rows."""
    return bson.encode({"": left[name]}) != bson.encode({"": right[name]})


def to_announce(database: Database, session: ClientSession | None = None, limit: int = MAX_ANNOUNCED) -> list[Document]:
    """Return copies that have to be announced, oldest first, at most `limit`, without their notes and events.

    The copy is written before its row: after a crash in between it is announced once the row is written.
    """
    names = {"revision": {"$ifNull": ["$revision", 0]}, "kind": "$period_type"}
    is_written = {"$and": [{"$eq": ["$period_type", "$$kind"]}, {"$eq": ["$revision", "$$revision"]}]}
    row = {"from": ROWS, "localField": "date", "foreignField": "date", "let": names, "as": "rows"}
    stages: list[Document] = [
        {"$match": {ANNOUNCE: True}},
        {"$sort": {"_id": 1}},
        {"$project": {"auto_events": 0, "notes": 0, "auto_notes": 0}},
        {"$lookup": {**row, "pipeline": [{"$match": {"final": True, "$expr": is_written}}, {"$project": {"_id": 1}}]}},
        {"$match": {"rows": {"$ne": []}}},
        {"$limit": limit},
    ]
    with translated():
        return list(database[WRITTEN_ROWS].aggregate(stages, session=session))


def fact_of(copy: Mapping[str, Any], at: datetime) -> Fact | None:
    """Return the fact that a copy announces at `at`; None if its numbers are those announced last."""
    numbers = announced.numbers(copy)
    before = copy.get(ANNOUNCED)
    changes = () if before is None else announced.differences(before, numbers)
    if before is not None and not changes:
        return None
    day, month = copy["date"].date(), copy["period_type"] == PeriodKind.MONTHLY
    revision = copy.get("revision", 0)
    fact_id = row_fact_id(day, revision, numbers, month=month)
    return Fact(fact_id, _fact_type(month, before is not None), at, RowFact(day, revision, month, changes))


def _fact_type(month: bool, amended: bool) -> FactType:
    if month:
        return FactType.MONTH_AMENDED if amended else FactType.MONTH_CLOSED
    return FactType.DAY_AMENDED if amended else FactType.DAY_CLOSED


def announcements(copies: Iterable[Mapping[str, Any]]) -> list[UpdateOne]:
    """Return the writes that record the numbers of `copies` as announced."""
    return [
        UpdateOne(
            {"_id": copy["_id"]},
            {"$unset": {ANNOUNCE: ""}, "$set": {ANNOUNCED: announced.numbers(copy)}},
        )
        for copy in copies
    ]
