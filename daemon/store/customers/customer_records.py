"""The recorded movements and events of one customer."""

from datetime import datetime

from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS, LEDGER, SAMPLE_SOURCE
from daemon.mongo.id_text import shown_id
from daemon.mongo.types import Database, Document
from daemon.store.documents import movement_of
from rules.insights.customer_history import Line, Records
from rules.model.changes import DocId


def of_customer(
    database: Database, customer_id: DocId, session: ClientSession, limit: int, until: datetime | None = None
) -> Records:
    """Return at most `limit` ledger lines and as many events before `until`, newest first."""
    of_events = _events_of(customer_id)
    with translated():
        lines = _newest(database, LEDGER, {"customer_id": customer_id}, ("at", until, limit), session)
        events = _newest(database, EVENTS, of_events, ("event_date", until, limit), session)
    cut = [found[-1].get(field) for found, field in ((lines, "at"), (events, "event_date")) if len(found) == limit]
    since = max((at for at in cut if isinstance(at, datetime)), default=None)
    return Records([Line(one["_id"], movement_of(one)) for one in lines], events, since)


def has_events(database: Database, customer_id: DocId, session: ClientSession) -> bool:
    with translated():
        return database[EVENTS].find_one(_events_of(customer_id), {"_id": 1}, session=session) is not None


def _events_of(customer_id: DocId) -> Document:
    """Return the condition on the events of a customer, whose id other programs may have written as text."""
    references = list({customer_id, shown_id(customer_id)})
    return {"customer_id": {"$in": references}, "metadata.source": {"$ne": SAMPLE_SOURCE}}


def _newest(
    database: Database,
    collection: str,
    condition: Document,
    part: tuple[str, datetime | None, int],
    session: ClientSession,
) -> list[Document]:
    """Return the documents of a part: the field with their time, the end of the part, the maximum number."""
    field, until, limit = part
    before = {} if until is None else {field: {"$lt": until}}
    found = database[collection].find({**condition, **before}, session=session)
    return list(found.sort([(field, -1), ("_id", -1)]).limit(limit))


def mrr_moved_since(database: Database, customer_id: DocId, since: datetime, session: ClientSession) -> int:
    """Return the sum of the movements of a customer since an instant, in cents."""
    stages: list[Document] = [
        {"$match": {"customer_id": customer_id, "at": {"$gte": since}}},
        {"$group": {"_id": None, "cents": {"$sum": "$mrr_cents"}}},
    ]
    with translated():
        return sum(one["cents"] for one in database[LEDGER].aggregate(stages, session=session))
