"""Which facts other writers have told already: asked before a recovered event is written, and of a gap as a whole.

What the stream brings needs no such question: others tell a fact after its document, and are then heard too.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bson import ObjectId
from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH, translated
from daemon.mongo.collections import EVENTS, SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.source.decode import Decoder
from rules.handlers import payment_matching
from rules.model import event_keys
from rules.model.changes import Change, Operation, Origin, Source
from rules.model.events import PAYMENT_EVENTS, Event
from rules.settings.settings import Settings

DECODER = Decoder(UTC, "")
FIELDS = (*event_keys.FIELDS, *(f"metadata.{name}" for name in event_keys.METADATA))
SECOND = timedelta(seconds=1)


def reported_externally(database: Database, events: Sequence[Event], settings: Settings) -> set[str]:
    """The natural keys, among those of `events`, that events of others stand for."""
    wanted = {event.key for event in events}
    query = {
        "metadata.source": {"$ne": SOURCE_NAME},
        "event_type": {"$in": sorted({event.type.value for event in events})},
        "$or": [_about("customer_id", events), _about("license_id", events), *_dated(events)],
    }
    with translated():
        found = [DECODER.external_event(raw) for raw in database[EVENTS].find(query, FIELDS)]
    told = wanted & {key for event in found for key in event_keys.natural_keys(event)}
    return told | payment_matching.reported_alike(
        [event for event in events if event.type in PAYMENT_EVENTS], found, settings
    )


def external_events_between(
    database: Database, since: datetime, until: datetime, cause: str, session: ClientSession
) -> Iterator[Change]:
    """Events that others wrote in a gap, as far as their `_id` tells when: one range of its index."""
    made = {"$gte": ObjectId.from_datetime(since), "$lt": ObjectId.from_datetime(until + SECOND), "$type": "objectId"}
    query = {"_id": made, "metadata.source": {"$ne": SOURCE_NAME}}
    with translated():
        for raw in database[EVENTS].find(query, FIELDS, session=session, batch_size=BATCH).sort("_id", 1):
            at = min(max(since, raw["_id"].generation_time), until)
            fields = DECODER.external_event(raw)
            yield Change(Source.EVENTS, Operation.INSERT, raw["_id"], at, cause, fields, origin=Origin.RECOVERED)


def _dated(events: Sequence[Event]) -> list[Document]:
    """Events about nobody (a date, a week) are looked for around their time."""
    times = [event.at for event in events if event.customer_id is None and event.license_id is None]
    around = timedelta(days=1)
    return [{"event_date": {"$gte": min(times) - around, "$lte": max(times) + around}}] if times else []


def _about(name: str, events: Sequence[Event]) -> Document:
    ids = {getattr(event, name) for event in events} - {None}
    return {name: {"$in": [*ids, *map(str, ids)]}}
