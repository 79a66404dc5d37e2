"""The discontinuities of the stream, each a recorded fact from its discovery to its closing."""

from datetime import datetime
from typing import Any

from daemon.mongo import pagination
from daemon.mongo.client import translated
from daemon.mongo.collections import GAPS
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import Database, Document
from daemon.runtime import metrics
from daemon.store import dead_letters


def open_gap(database: Database, cause: str, detail: str, since: datetime | None, now: datetime) -> Any:
    """Record that the stream could not be followed from `since` (None: never was) on; the gap's `_id`.

    A gap that is open already takes the new cause as a further one: one reconciliation closes both.
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


def note(database: Database, gap_id: object, facts: Document) -> None:
    """Add facts to a gap: what was recovered, why it waits, when it was closed."""
    with translated():
        database[GAPS].update_one({"_id": gap_id}, {"$set": facts})


def waiting(database: Database) -> Document | None:
    """The gap that is open, if one is: found by the stream, or asked for by a person."""
    with translated():
        return database[GAPS].find_one({"closed_at": None})


def is_questioned(gap: Document) -> bool:
    """Whether a person was asked about it, and did not answer: so it stays while it is looked at again."""
    return bool(gap.get("waiting")) and not gap.get("accept_deletions")


def accept_deletions(database: Database) -> bool:
    """A person says the disappearance of so many documents is meant; False if no gap waits for it."""
    with translated():
        result = database[GAPS].update_one({"closed_at": None}, {"$set": {"accept_deletions": True}})
    return result.matched_count == 1


def count_open(database: Database) -> int:
    with translated():
        return database[GAPS].count_documents({"closed_at": None})


def newest(database: Database, limit: int, behind: PageCursor | None) -> list[Document]:
    """All gaps, open and closed, the newest first."""
    with translated():
        return pagination.newest(database[GAPS], [("opened_at", -1), ("_id", -1)], {}, limit, behind)


def export_counts(database: Database) -> None:
    metrics.GAPS.set(count_open(database))
    metrics.DEAD_LETTERS.set(dead_letters.count_held(database))
