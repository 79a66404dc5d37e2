"""Gaps: recorded discontinuities of the change stream, from detection to closing."""

from datetime import datetime
from typing import Any

from daemon.mongo import pagination
from daemon.mongo.client import translated
from daemon.mongo.collections import GAPS
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import ClientSession, Database, Document
from daemon.runtime import metrics
from daemon.store import dead_letters

PLANNED = ("first_start", "upgrade")
"""Causes of gaps that are no interruption."""
INTERRUPTION: Document = {
    "$or": [{"cause": {"$nin": [*PLANNED]}}, {"further_causes": {"$elemMatch": {"$nin": [*PLANNED]}}}]
}
"""Condition on gaps that `cause_of_interruption` has a cause for."""


def open_gap(database: Database, cause: str, detail: str, since: datetime | None, now: datetime) -> Any:
    """Record that the stream could not be followed since `since` (None: it never was); return the gap's `_id`.

    If a gap is already open, the cause is added to it, because one reconciliation closes both.
    """
    with translated():
        known = database[GAPS].find_one({"closed_at": None})
        if known is not None:
            _join(database, known, cause, since)
            return known["_id"]
        document = {
            "cause": cause,
            "detail": detail,
            "since": since,
            "opened_at": now,
            "closed_at": None,
            "accept_deletions": False,
        }
        return database[GAPS].insert_one(document).inserted_id


def _join(database: Database, gap: Document, cause: str, since: datetime | None) -> None:
    change: Document = {}
    if cause != gap["cause"]:
        change["$addToSet"] = {"further_causes": cause}
    if gap["since"] is None and since is not None:
        change["$set"] = {"since": since}
    if change:
        database[GAPS].update_one({"_id": gap["_id"]}, change)


def find(database: Database, gap_id: object) -> Document | None:
    with translated():
        return database[GAPS].find_one({"_id": gap_id})


def update(database: Database, gap_id: object, facts: Document) -> None:
    """Set fields of a gap: `recovered`, `waiting`, `closed_at` and others."""
    with translated():
        database[GAPS].update_one({"_id": gap_id}, {"$set": facts})


def find_open(database: Database) -> Document | None:
    """Return the open gap, detected by the stream or requested by a user; None if there is none."""
    with translated():
        return database[GAPS].find_one({"closed_at": None})


def awaits_approval(gap: Document) -> bool:
    """Return whether the gap waits for a user to approve deletions; the reconciliation is retried in the meantime."""
    return bool(gap.get("waiting")) and not gap.get("accept_deletions")


def accept_deletions(database: Database) -> bool:
    """Record that a user approves the deletion of the missing documents; False if no approval was asked for."""
    asked = {"closed_at": None, "waiting": {"$type": "string"}}
    with translated():
        result = database[GAPS].update_one(asked, {"$set": {"accept_deletions": True}})
    return result.matched_count == 1


def pending_question(database: Database) -> str:
    """Return what the open gap asks a user to approve, "" if nothing."""
    gap = find_open(database)
    return str(gap["waiting"]) if gap is not None and awaits_approval(gap) else ""


def cause_of_interruption(gap: Document) -> str:
    """Return the first cause that is none of a first start or an upgrade; "" if there is none."""
    causes = (gap.get("cause", ""), *gap.get("further_causes", ()))
    return next((cause for cause in causes if cause not in PLANNED), "")


def count_open(database: Database) -> int:
    with translated():
        return database[GAPS].count_documents({"closed_at": None})


def newest(
    database: Database, limit: int, cursor: PageCursor | None, session: ClientSession | None = None
) -> list[Document]:
    """Return open and closed gaps, newest first."""
    with translated():
        return pagination.newest(database[GAPS], [("opened_at", -1), ("_id", -1)], {}, limit, cursor, session)


def between(database: Database, start: datetime, end: datetime, session: ClientSession | None = None) -> list[Document]:
    """Return the gaps that are interruptions and overlap an interval, oldest first."""
    is_open_or_later = [{"closed_at": None}, {"until": {"$gt": start}}, {"until": None, "closed_at": {"$gt": start}}]
    query = {"$and": [INTERRUPTION, {"since": {"$lt": end}, "$or": is_open_or_later}]}
    with translated():
        return list(database[GAPS].find(query, session=session).sort("since", 1))


def export_counts(database: Database) -> None:
    metrics.GAPS.set(count_open(database))
    metrics.DEAD_LETTERS.set(dead_letters.count_held(database))
