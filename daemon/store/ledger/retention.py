"""Letting go of what is old: our events, and the ledger's first lines, which become an opening balance.

Every step is a transaction of its own that leaves the ledger adding up to the running totals: a stop in between loses
nothing, and the next run goes on.
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
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.revenue import movements

LINES = 5000
"""Lines or events let go of in one step."""
STEP_SECONDS = 60


def note_events_cut(database: Database, before: date) -> None:
    """Say that events of days before `before` may be gone: rows of those days keep the note they have."""
    with translated():
        database[CHECKPOINT].update_one(
            {"_id": CHECKPOINT_ID}, {"$max": {"events_before": business_days.stored(before)}}
        )


def events_cut(database: Database) -> date | None:
    """The day before which events may be gone; None while none ever were let go of."""
    with translated():
        document = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, {"events_before": 1})
    found = document.get("events_before") if document else None
    return found.date() if found else None


def drop_events(database: Database, before: datetime) -> int:
    """Delete some of our own events dated before an instant, the oldest first; how many."""
    ours = {"event_date": {"$lt": before}, "metadata.source": SOURCE_NAME}
    with translated():
        oldest = [one["_id"] for one in database[EVENTS].find(ours, {"_id": 1}).sort("event_date", 1).limit(LINES)]
        if not oldest:
            return 0
        return database[EVENTS].delete_many({"_id": {"$in": oldest}, **ours}).deleted_count


def last_line_before(database: Database, day: date) -> int | None:
    """The last of the ledger's first lines that are all of days before `day`; None for an empty ledger."""
    with translated():
        kept = database[LEDGER].find_one({"day": {"$gte": business_days.stored(day)}}, {"_id": 1}, sort=[("_id", 1)])
        newest = kept or database[LEDGER].find_one({}, {"_id": 1}, sort=[("_id", -1)])
    if newest is None:
        return None
    return int(newest["_id"]) - (kept is not None)


def fold(database: Database, last: int, day: date) -> int:
    """Make an opening balance of some of the ledger's first lines, up to line `last`, dated `day`.

    How many lines there are fewer; 0 once nothing is left to do.
    """

    def write(session: ClientSession) -> int:
        return _fold(database, last, day, session)

    with translated(), pymongo.timeout(STEP_SECONDS), database.client.start_session() as session:
        return session.with_transaction(
            write, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
        )


def _fold(database: Database, last: int, day: date, session: ClientSession) -> int:
    lines = database[LEDGER]
    oldest = list(lines.find({"_id": {"$lte": last}}, session=session).sort("_id", 1).limit(LINES))
    if not oldest:
        return 0
    until = oldest[-1]["_id"]
    folded = {"_id": {"$lte": until}}
    opening = movements.opening(ledger.sums(database, folded, session), oldest[-1]["at"], f"retention:{day}")
    if len(opening) >= len(oldest):
        return 0
    lines.delete_many(folded, session=session)
    numbered = enumerate(opening, until - len(opening) + 1)
    lines.insert_many([movement_document(one, seq, day) for seq, one in numbered], session=session)
    return len(oldest) - len(opening)
