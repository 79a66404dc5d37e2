"""Reads the analytics table for the doors, newest first, and takes a person's note into it.

Others write rows too: whatever a field holds, it is handed on as it stands.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from daemon.mongo.client import translated
from daemon.mongo.collections import ROWS
from daemon.mongo.types import Database, Document
from rules import business_days

SHOWN = dict.fromkeys(
    (
        *("date", "total_customers", "paying_customers", "mrr", "notes", "auto_notes", "active_licenses"),
        *("final", "revision", "reconstructed", "updated_at"),
    ),
    1,
)
FIRST_DATE, LAST_DATE = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""Dates beyond what Python knows come as something else: they are left out, at either end."""


class Noted(Enum):
    """What became of a person's note."""

    WRITTEN = "written"
    NO_ROW = "no_row"
    CHANGED_MEANWHILE = "changed_meanwhile"


def page(database: Database, period_type: str, first: date | None, skip: int, limit: int) -> list[Document]:
    """Rows of one period type from `first` on (None: from the beginning), newest first."""
    with translated():
        found = database[ROWS].find(_since(period_type, first), SHOWN).sort("date", -1).skip(skip).limit(limit)
        return list(found)


def count(database: Database, period_type: str, first: date | None) -> int:
    with translated():
        return database[ROWS].count_documents(_since(period_type, first))


def one(database: Database, day: date) -> Document | None:
    """The daily row of one day."""
    with translated():
        return database[ROWS].find_one(_key(day), SHOWN)


def course(database: Database, first: date | None, last: date) -> list[Document]:
    """Date, MRR and whether it is reconstructed, of the daily rows from `first` to `last`, oldest first."""
    wanted = {"_id": 0, "date": 1, "mrr": 1, "reconstructed": 1}
    with translated():
        return list(database[ROWS].find(_since("daily", first, last), wanted).sort("date", 1))


def newest_final(database: Database) -> Document | None:
    with translated():
        query = {**_since("daily", None), "final": True}
        return database[ROWS].find_one(query, {"date": 1, "updated_at": 1}, sort=[("date", -1)])


def note(database: Database, day: date, text: str, seen: object, now: datetime) -> Noted:
    """Put a person's text into a day's row, if its note is still the one they saw, or ours; "" gives it back to us."""
    still = {"$or": [{"notes": seen}, {"notes": {"$in": [None, ""]}}, {"$expr": {"$eq": ["$notes", "$auto_notes"]}}]}
    chosen: Any = {"$literal": text} if text else {"$ifNull": ["$auto_notes", ""]}
    with translated():
        written = database[ROWS].update_one({**_key(day), **still}, [{"$set": {"notes": chosen, "updated_at": now}}])
        if written.matched_count:
            return Noted.WRITTEN
        return Noted.CHANGED_MEANWHILE if database[ROWS].find_one(_key(day), {"_id": 1}) else Noted.NO_ROW


def _key(day: date) -> Document:
    return {"date": business_days.stored(day), "period_type": "daily"}


def _since(period_type: str, first: date | None, last: date | None = None) -> Mapping[str, Any]:
    lowest, highest = (
        business_days.stored(first) if first else FIRST_DATE,
        business_days.stored(last) if last else LAST_DATE,
    )
    return {"period_type": period_type, "date": {"$gte": lowest, "$lte": highest}}
