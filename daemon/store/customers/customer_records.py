"""The recorded movements and events of one customer."""

from typing import NamedTuple

from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS, LEDGER, SAMPLE_SOURCE
from daemon.mongo.id_text import shown_id
from daemon.mongo.types import Database, Document
from daemon.store.documents import movement_of
from rules.insights.customer_history import Line
from rules.model.changes import DocId


class CustomerRecords(NamedTuple):
    """Ledger lines and stored events of a customer, newest first; `is_cut` if there are older ones."""

    lines: list[Line]
    events: list[Document]
    is_cut: bool


def of_customer(database: Database, customer_id: DocId, session: ClientSession, limit: int) -> CustomerRecords:
    """Return at most `limit` of each. Other programs may have written the id as text into an event."""
    references = list({customer_id, shown_id(customer_id)})
    of_events = {"customer_id": {"$in": references}, "metadata.source": {"$ne": SAMPLE_SOURCE}}
    with translated():
        lines = list(database[LEDGER].find({"customer_id": customer_id}, session=session).sort("_id", -1).limit(limit))
        events = list(database[EVENTS].find(of_events, session=session).sort("event_date", -1).limit(limit))
    is_cut = len(lines) == limit or len(events) == limit
    return CustomerRecords([Line(one["_id"], movement_of(one)) for one in lines], events, is_cut)
