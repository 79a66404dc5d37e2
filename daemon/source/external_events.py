"""Queries of external events: before a recovered event is written, and for a whole gap.

Facts from the stream need no query: other writers insert their event after the document, so the stream delivers it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bson import ObjectId
from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import EVENTS, SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.source.decode import Decoder
from rules.handlers import fact_matching
from rules.model import event_keys
from rules.model.changes import Change, Operation, Origin, Source
from rules.model.events import Event
from rules.settings.settings import Settings

DECODER = Decoder(UTC, "")
FIELDS = (*event_keys.FIELDS, *(f"metadata.{name}" for name in event_keys.METADATA))
SECOND = timedelta(seconds=1)


def reported_externally(database: Database, events: Sequence[Event], settings: Settings) -> set[str]:
    """Return those natural keys of `events` that external events have."""
    wanted = {event.key for event in events}
    query = {
        "metadata.source": {"$ne": SOURCE_NAME},
        "event_type": {"$in": sorted({event.type.value for event in events})},
        "$or": [_referring_to("customer_id", events), _referring_to("license_id", events), *_dated(events)],
    }
    with translated():
        found = [DECODER.external_event(raw) for raw in database[EVENTS].find(query, FIELDS)]
    reported = wanted & {key for event in found for key in event_keys.natural_keys(event)}
    return reported | fact_matching.keys_reported_externally(
        [event for event in events if event.type in fact_matching.MATCHED_EVENTS], found, settings
    )


def external_events_between(
    database: Database, since: datetime, until: datetime, cause: str, session: ClientSession
) -> Iterator[Change]:
    """Yield external events inserted in a gap, if their `_id` contains the time: one range of its index."""
    made = {"$gte": ObjectId.from_datetime(since), "$lt": ObjectId.from_datetime(until + SECOND), "$type": "objectId"}
    query = {"_id": made, "metadata.source": {"$ne": SOURCE_NAME}}
    with translated():
        for raw in database[EVENTS].find(query, FIELDS, session=session, batch_size=BATCH_SIZE).sort("_id", 1):
            at = min(max(since, raw["_id"].generation_time), until)
            fields = DECODER.external_event(raw)
            yield Change(Source.EVENTS, Operation.INSERT, raw["_id"], at, cause, fields, origin=Origin.RECOVERED)


def _dated(events: Sequence[Event]) -> list[Document]:
    """Return a condition that finds events without customer and license (of a date or week) around their time."""
    times = [event.at for event in events if event.customer_id is None and event.license_id is None]
    around = timedelta(days=1)
    return [{"event_date": {"$gte": min(times) - around, "$lte": max(times) + around}}] if times else []


def _referring_to(name: str, events: Sequence[Event]) -> Document:
    ids = {getattr(event, name) for event in events} - {None}
    return {name: {"$in": [*ids, *map(str, ids)]}}
