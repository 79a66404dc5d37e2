"""Retention: delete our own old events and fold the oldest ledger lines into an opening balance.

After each step, one transaction, the ledger still sums to the running totals, so an interrupted run can be continued.
"""

from datetime import date, datetime

import pymongo
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from daemon.mongo.client import translated
from daemon.mongo.collections import CHECKPOINT, EVENTS, LEDGER, SOURCE_NAME
from daemon.mongo.types import Database
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.documents import movement_document
from daemon.store.ledger import line_groups
from rules import business_days
from rules.revenue import movements

STEP_SIZE = 5000
"""Lines or events deleted in one step."""
STEP_SECONDS = 60


def record_events_cutoff(database: Database, before: date) -> None:
    """Record that events of days before `before` may be deleted: rows of those days keep their stored note."""
    with translated():
        database[CHECKPOINT].update_one(
            {"_id": CHECKPOINT_ID}, {"$max": {"events_before": business_days.stored(before)}}
        )


def events_cutoff(database: Database) -> date | None:
    """Return the day before which events may be deleted; None if none were ever deleted."""
    with translated():
        document = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, {"events_before": 1})
    found = document.get("events_before") if document else None
    return found.date() if found else None


def delete_events(database: Database, before: datetime) -> int:
    """Delete up to `STEP_SIZE` of our own events dated before an instant, oldest first; return the number deleted."""
    own = {"event_date": {"$lt": before}, "metadata.source": SOURCE_NAME}
    with translated():
        oldest = [one["_id"] for one in database[EVENTS].find(own, {"_id": 1}).sort("event_date", 1).limit(STEP_SIZE)]
        if not oldest:
            return 0
        return database[EVENTS].delete_many({"_id": {"$in": oldest}, **own}).deleted_count


def last_line_before(database: Database, day: date) -> int | None:
    """Return the last line before the first line of `day` or later; None for an empty ledger."""
    with translated():
        kept = database[LEDGER].find_one({"day": {"$gte": business_days.stored(day)}}, {"_id": 1}, sort=[("_id", 1)])
        newest = kept or database[LEDGER].find_one({}, {"_id": 1}, sort=[("_id", -1)])
    if newest is None:
        return None
    return int(newest["_id"]) - (kept is not None)


def fold(database: Database, last: int, day: date) -> int:
    """Replace up to `STEP_SIZE` of the first lines, up to line `last`, by an opening balance caused by `day`.

    Return by how many lines the ledger became shorter; 0 when nothing is left to fold.
    """

    def write(session: ClientSession) -> int:
        return _fold(database, last, day, session)

    with translated(), pymongo.timeout(STEP_SECONDS), database.client.start_session() as session:
        return session.with_transaction(
            write, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
        )


def _fold(database: Database, last: int, day: date, session: ClientSession) -> int:
    lines = database[LEDGER]
    oldest = list(lines.find({"_id": {"$lte": last}}, session=session).sort("_id", 1).limit(STEP_SIZE))
    if not oldest:
        return 0
    until = oldest[-1]["_id"]
    folded = {"_id": {"$lte": until}}
    opening = movements.opening_lines(line_groups.sums(database, folded, session), oldest[-1]["at"], f"retention:{day}")
    if len(opening) >= len(oldest):
        return 0
    lines.delete_many(folded, session=session)
    numbered = enumerate(opening, until - len(opening) + 1)
    lines.insert_many([movement_document(one, seq, day) for seq, one in numbered], session=session)
    return len(oldest) - len(opening)
