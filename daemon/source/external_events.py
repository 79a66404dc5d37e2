"""Queries of external events: of a gap, and before an event without a document (of a date or a total) is written.

Facts from the stream need no query: the stream delivers the external event before or after the document.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from bson import ObjectId
from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import EVENTS, EXTERNAL
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Database, Document
from daemon.source.decode import Decoder
from daemon.source.references import with_existing_ids
from rules.model import event_keys
from rules.model.changes import Change, Operation, Origin, Source
from rules.model.events import Event

DECODER = Decoder(UTC, "")
FIELDS = (*event_keys.FIELDS, *(f"metadata.{name}" for name in event_keys.METADATA))
DAY = timedelta(days=1)
CLOCK_SKEW = timedelta(minutes=1)
"""Largest difference assumed between the clock of a writer and the cluster time."""


def reported_externally(database: Database, events: Sequence[Event]) -> set[str]:
    """Return those natural keys of `events` (of a date or a total, without a document) that external events have."""
    times = [event.at for event in events]
    query = {
        "metadata.source": EXTERNAL,
        "event_type": {"$in": sorted({event.type.value for event in events})},
        "event_date": {"$gte": min(times) - DAY, "$lte": max(times) + DAY},
    }
    with translated():
        found = [DECODER.external_event(raw) for raw in database[EVENTS].find(query, FIELDS)]
    return {event.key for event in events} & {event_keys.natural_key(event) for event in found}


def external_events_between(
    database: Database, since: datetime, until: datetime, cause: str, session: ClientSession
) -> Iterator[Change]:
    """Yield external events inserted in a gap: by the time in their `_id`, or by their date if it contains none.

    Those inserted shortly before and after are included, because the clock that made the `_id` may differ.
    """
    first, last = since - CLOCK_SKEW, until + CLOCK_SKEW
    inserted = {"$gte": ObjectId.from_datetime(first), "$lt": ObjectId.from_datetime(last), "$type": "objectId"}
    dated = {"_id": {"$not": {"$type": "objectId"}}, "event_date": {"$gte": first, "$lt": last}}
    for query, order in (({"_id": inserted}, "_id"), (dated, "event_date")):
        for raw in _external(database, query, order, session):
            at = min(max(since, _inserted_at(raw, until)), until)
            fields = DECODER.external_event(raw)
            with suppress(UnusableId):
                event_id = canonical(raw["_id"])
                change = Change(Source.EVENTS, Operation.INSERT, event_id, at, cause, fields, origin=Origin.RECOVERED)
                yield with_existing_ids(database, change)


def _external(database: Database, query: Document, order: str, session: ClientSession) -> Iterator[Document]:
    query |= {"metadata.source": EXTERNAL}
    with translated():
        yield from database[EVENTS].find(query, FIELDS, session=session, batch_size=BATCH_SIZE).sort(order, 1)


def _inserted_at(raw: Document, default: datetime) -> datetime:
    return raw["_id"].generation_time if isinstance(raw["_id"], ObjectId) else default
