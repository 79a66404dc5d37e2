"""Business events: creating one for a user, listing the stored ones, following new ones.

The pipeline treats an event created here as external, like the dashboard's: it may report the same fact as one of ours.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo.change_stream import ChangeStream
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError, InvalidOperation, OperationFailure, PyMongoError

from daemon.errors import IdempotencyKeyConflict, Unavailable
from daemon.mongo import pagination
from daemon.mongo.client import BATCH_SIZE, stream_failure, translated
from daemon.mongo.collections import EVENTS, SAMPLE_SOURCE, SOURCE_NAME, event_id
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import Database, Document
from rules.text import one_line

AWAIT_MS = 2000
ORDER = (("event_date", -1),)
BY_TYPE = (("event_type", 1), ("event_date", -1))
"""The index of queries by type."""
NO_SUCH_INDEX = 2
MAX_DESCRIPTION = 1000
MAX_PLAN_NAME = 100
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
ORIGIN = "api"
"""Default of `metadata.source`."""

COMPARED_FIELDS = (
    *("event_type", "customer_id", "license_id", "plan_name", "amount", "currency", "description", "metadata"),
)
"""Fields that have to be equal if an idempotency key is used again; `event_date` too, if the request has one."""

OPTIONAL_FIELDS = ("customer_id", "license_id", "plan_name", "amount")
"""Fields that an event has only with a value: the dashboard's "save today" fails on a null."""


class EventFilter(NamedTuple):
    """Which events to list; empty fields do not restrict. `customer_ids` are the ids that one customer may have."""

    types: Sequence[str] = ()
    start: datetime | None = None
    end: datetime | None = None
    customer_ids: Sequence[Any] = ()

    def query(self) -> Document:
        dates = {"$gte": self.start, "$lt": self.end}
        known = {bound: at for bound, at in dates.items() if at is not None}
        query: Document = {"event_date": known} if known else {}
        if self.types:
            query["event_type"] = {"$in": list(self.types)}
        return {**query, "customer_id": {"$in": list(self.customer_ids)}} if self.customer_ids else query


class EventFeedItem(NamedTuple):
    """An item of the event feed: `document` of an inserted event, or the `_id` of a `deleted` one.

    A quiet item has neither: nothing happened up to the resume token `token`.
    """

    token: str
    document: Document | None = None
    deleted: Any = None

    @property
    def is_quiet(self) -> bool:
        return self.document is None and self.deleted is None


# -- creating -----------------------------------------------------------------------------------------------


def valid_description(text: str) -> str:
    """Return the text on one line, without invisible characters. Raises ValueError if it is empty or too long."""
    line = one_line(text, MAX_DESCRIPTION + 1)
    if not line:
        raise ValueError("must contain visible characters")
    if len(line) > MAX_DESCRIPTION:
        raise ValueError(f"must have at most {MAX_DESCRIPTION} characters")
    return line


def valid_plan(text: str | None) -> str | None:
    """Return the plan name on one line, cut to `MAX_PLAN_NAME` characters; None if nothing visible is left."""
    return one_line(text, MAX_PLAN_NAME) or None


def valid_time(at: datetime, now: datetime) -> datetime:
    """Return the time of an event in UTC. Raises ValueError if it is in the future or before `EARLIEST`."""
    if at > now:
        raise ValueError(f"must not be in the future, got {at.isoformat()}")
    if at < EARLIEST:
        raise ValueError(f"must not be before {EARLIEST.year}, got {at.isoformat()}")
    return at.astimezone(UTC)


def create(database: Database, event: Mapping[str, Any], now: datetime, key: str | None) -> ObjectId:
    """Store an event of a user or script and return its `_id`; a second call with the same `key` stores nothing.

    Raises IdempotencyKeyConflict if the key was used for a different event.
    """
    document = {
        "_id": event_id(f"api:{key}") if key else ObjectId(),
        "event_type": event["event_type"],
        "event_date": event.get("event_date") or now,
        **{name: event[name] for name in OPTIONAL_FIELDS if event.get(name) is not None},
        "currency": event.get("currency") or "EUR",
        "description": event["description"],
        "auto_generated": event.get("auto_generated", False),
        "metadata": _metadata(event.get("metadata") or {}),
        "processed": False,
        "created_at": now,
    }
    with translated():
        try:
            database[EVENTS].insert_one(document)
        except DuplicateKeyError:
            names = COMPARED_FIELDS if event.get("event_date") is None else (*COMPARED_FIELDS, "event_date")
            _require_equal(database, document, names)
    return ObjectId(document["_id"])


def _require_equal(database: Database, document: Document, names: tuple[str, ...]) -> None:
    """Raise IdempotencyKeyConflict if the stored event differs; one that was deleted since is no conflict."""
    stored = database[EVENTS].find_one({"_id": document["_id"]}, dict.fromkeys(names, 1))
    if stored is not None and any(stored.get(name) != document.get(name) for name in names):
        raise IdempotencyKeyConflict(
            "the idempotency key was used for a different event; use a new key for a new event"
        )


def _metadata(given: Mapping[str, Any]) -> Document:
    """Replace a source name of ours by the default: the daemon may delete events that have it."""
    source = given.get("source")
    return {**given, "source": ORIGIN if source in (None, SOURCE_NAME, SAMPLE_SOURCE) else source}


# -- listing ------------------------------------------------------------------------------------------------


def recent(
    database: Database,
    since: datetime,
    limit: int,
    cursor: PageCursor | None = None,
    types: Sequence[str] = (),
) -> list[Document]:
    """Return at most `limit` events since `since`, of the given types (default: all), newest first, after `cursor`."""
    return listed(database, EventFilter(types, since), limit, cursor)


def listed(database: Database, filters: EventFilter, limit: int, cursor: PageCursor | None = None) -> list[Document]:
    """Return at most `limit` events, newest first, after `cursor`."""
    with translated():
        if filters.types and not filters.customer_ids:
            try:
                return pagination.newest_among(database[EVENTS], BY_TYPE, filters.query(), limit, cursor)
            except OperationFailure as error:
                if error.code != NO_SUCH_INDEX:
                    raise
        return pagination.newest(database[EVENTS], ORDER, filters.query(), limit, cursor)


def cursor_after(page: list[Document], before: PageCursor | None) -> PageCursor:
    """Return the cursor after a page that is not empty; `before` is the cursor it was read with."""
    return pagination.cursor_after(page, "event_date", before)


def events_between(
    database: Database, start: datetime, end: datetime, session: ClientSession | None = None
) -> Iterable[Document]:
    """Yield the business events of an interval (end excluded) in chronological order, without sample events."""
    query = {"event_date": {"$gte": start, "$lt": end}, "metadata.source": {"$ne": SAMPLE_SOURCE}}
    with translated():
        found = database[EVENTS].find(query, session=session, batch_size=BATCH_SIZE)
        yield from found.sort([("event_date", 1), ("_id", 1)])


def of_types(
    database: Database,
    types: Sequence[str],
    span: tuple[datetime, datetime],
    without: Sequence[str],
    limit: int,
    session: ClientSession,
) -> list[Document]:
    """Return at most `limit` events of some types in an interval (end excluded), oldest first.

    Events whose metadata has one of the fields `without` are left out, and sample events.
    """
    query: Document = {
        "event_date": {"$gte": span[0], "$lt": span[1]},
        "event_type": {"$in": list(types)},
        "metadata.source": {"$ne": SAMPLE_SOURCE},
        **{f"metadata.{name}": {"$exists": False} for name in without},
    }
    with translated():
        found = database[EVENTS].find(query, session=session).sort([("event_date", 1), ("_id", 1)])
        return list(found.limit(limit))


def any_event_before(database: Database, start: datetime, session: ClientSession | None = None) -> bool:
    with translated():
        return database[EVENTS].find_one({"event_date": {"$lt": start}}, {"_id": 1}, session=session) is not None


def mark_processed(database: Database, start: datetime, end: datetime) -> None:
    """Mark the events of a row as processed, as the dashboard's own rollup does."""
    query = {"event_date": {"$gte": start, "$lt": end}, "processed": {"$ne": True}}
    with translated():
        database[EVENTS].update_many(query, {"$set": {"processed": True}})


def count_between(database: Database, start: datetime, end: datetime) -> int:
    with translated():
        return database[EVENTS].count_documents({"event_date": {"$gte": start, "$lt": end}})


def emitted_before(database: Database, keys: set[str], before: datetime) -> set[str]:
    """Return those of `keys` whose event is stored and dated before an instant."""
    ids = {event_id(key): key for key in keys}
    query = {"_id": {"$in": list(ids)}, "event_date": {"$lt": before}}
    with translated():
        return {ids[found["_id"]] for found in database[EVENTS].find(query, {"_id": 1})}


def dates_of(database: Database, keys: Iterable[str], session: ClientSession | None = None) -> dict[str, datetime]:
    """Return the dates of the own events with these natural keys, by key, where they are stored."""
    ids = {event_id(key): key for key in keys}
    with translated():
        found = database[EVENTS].find({"_id": {"$in": list(ids)}}, {"event_date": 1}, session=session)
        return {ids[event["_id"]]: event["event_date"] for event in found}


# -- following ----------------------------------------------------------------------------------------------


def follow(
    database: Database, after: str | None, stop: threading.Event, await_ms: int = AWAIT_MS
) -> Iterator[EventFeedItem]:
    """Yield inserted and deleted events, from now on or after a resume token, until `stop` is set.

    The first item is quiet, and another quiet one follows after each `await_ms` without an event. Raises StreamBroken
    for a token that cannot be resumed from, and other translated driver errors.
    """
    stages: list[Document] = [
        {"$match": {"operationType": {"$in": ["insert", "delete"]}}},
        {"$project": {"operationType": 1, "documentKey": 1, "fullDocument": 1}},
    ]
    token = {"_data": after} if after else None
    opened = False
    try:
        with database[EVENTS].watch(stages, start_after=token, max_await_time_ms=await_ms) as stream:
            opened = True
            yield EventFeedItem(_position(stream, after))
            while not stop.is_set():
                change = stream.try_next()
                if change is None and not stream.alive:
                    raise Unavailable("the server closed the change stream of business_events")
                yield _feed_item(change) if change is not None else EventFeedItem(_position(stream, after))
    except InvalidOperation:
        return
    except PyMongoError as error:
        raise stream_failure(error, opening=not opened) from error


def current_version(database: Database, item: EventFeedItem) -> EventFeedItem | None:
    """Return an item with the event as it is stored now, because a name in it may have been redacted since.

    None if the event was deleted.
    """
    if item.document is None:
        return item
    with translated():
        stored = database[EVENTS].find_one({"_id": item.document["_id"]})
    return None if stored is None else item._replace(document=stored)


def _position(stream: ChangeStream[Document], after: str | None) -> str:
    """Return the resume token of an open stream, which the server sends with every batch."""
    token = stream.resume_token
    return str(token["_data"]) if token else after or ""


def _feed_item(change: Mapping[str, Any]) -> EventFeedItem:
    token = str(change["_id"]["_data"])
    if change["operationType"] == "insert":
        return EventFeedItem(token, document=change["fullDocument"])
    return EventFeedItem(token, deleted=change["documentKey"]["_id"])
