"""Business events for the doors: one that a person tells, the newest ones, and all as they are written.

An event that comes through the API is a foreign one to the pipeline, like the dashboard's own: it may be the twin of
one of ours.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo.change_stream import ChangeStream
from pymongo.errors import DuplicateKeyError, InvalidOperation, OperationFailure, PyMongoError

from daemon.errors import IdempotencyKeyConflict, Unavailable
from daemon.mongo import pagination
from daemon.mongo.client import stream_failure, translated
from daemon.mongo.collections import EVENTS, SOURCE_NAME, event_id
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import Database, Document
from rules.text import one_line

AWAIT_MS = 2000
ORDER = (("event_date", -1),)
INDEXED = ("event_date", "event_type")
NO_SUCH_INDEX = 2
ORIGIN = "api"
"""Stands in `metadata.source` where the caller names none."""

COMPARED_FIELDS = (
    *("event_type", "customer_id", "license_id", "plan_name", "amount", "currency", "description", "metadata"),
)
"""What an event says; when it was told without a date, it may be told again later."""


class EventFeedItem(NamedTuple):
    """A step of the stream of events: `token` is where it stands; an insert brings the document, a delete its id.

    A quiet one brings neither: nothing happened up to there.
    """

    token: str
    document: Document | None = None
    deleted: Any = None

    @property
    def is_quiet(self) -> bool:
        return self.document is None and self.deleted is None


def create(database: Database, event: Mapping[str, Any], now: datetime, key: str | None) -> ObjectId:
    """Store an event that a person or a script tells; its `_id`. The same `key` again is the same event.

    Raises KeyTaken where the key stands for an event that says something else.
    """
    document = {
        "_id": event_id(f"api:{key}") if key else ObjectId(),
        "event_type": event["event_type"],
        "event_date": event.get("event_date") or now,
        "customer_id": event.get("customer_id"),
        "license_id": event.get("license_id"),
        "plan_name": event.get("plan_name"),
        "amount": event.get("amount"),
        "currency": event.get("currency") or "EUR",
        "description": event["description"],
        "auto_generated": False,
        "metadata": _metadata(event.get("metadata") or {}),
        "processed": False,
        "created_at": now,
    }
    with translated():
        try:
            database[EVENTS].insert_one(document)
        except DuplicateKeyError:
            _require_the_same(
                database,
                document,
                COMPARED_FIELDS if event.get("event_date") is None else (*COMPARED_FIELDS, "event_date"),
            )
    return ObjectId(document["_id"])


def _require_the_same(database: Database, document: Document, names: tuple[str, ...]) -> None:
    """One that was deleted in between is no contradiction: it was told, and taken back."""
    stored = database[EVENTS].find_one({"_id": document["_id"]}, dict.fromkeys(names, 1))
    if stored is not None and any(stored.get(name) != document[name] for name in names):
        raise IdempotencyKeyConflict(
            "this key was used for an event that says something else; a new event needs a new key"
        )


def _metadata(given: Mapping[str, Any]) -> Document:
    """Nobody may pass an event off as ours: those we may withdraw."""
    source = given.get("source")
    return {**given, "source": ORIGIN if source in (None, SOURCE_NAME) else source}


def recent(
    database: Database,
    since: datetime,
    limit: int,
    behind: PageCursor | None = None,
    types: Sequence[str] = (),
) -> list[Document]:
    """The newest events since `since` (of some types only), newest first, going on behind a position."""
    query: Document = {"event_date": {"$gte": since}}
    with translated():
        if types:
            try:
                query["event_type"] = {"$in": list(types)}
                return pagination.newest_among(database[EVENTS], INDEXED, query, limit, behind)
            except OperationFailure as error:
                if error.code != NO_SUCH_INDEX:
                    raise
        return pagination.newest(database[EVENTS], ORDER, query, limit, behind)


def position_after(page: list[Document], before: PageCursor | None) -> PageCursor:
    """Where the list goes on behind a page that is not empty."""
    return pagination.position_after(page, "event_date", before)


def count_between(database: Database, start: datetime, end: datetime) -> int:
    with translated():
        return database[EVENTS].count_documents({"event_date": {"$gte": start, "$lt": end}})


def follow(
    database: Database, after: str | None, stop: threading.Event, await_ms: int = AWAIT_MS
) -> Iterator[EventFeedItem]:
    """Events as they are written or withdrawn, from now or behind a token; a quiet step first, and whenever none came
    for `await_ms`.

    Ends when `stop` is set. Raises StreamBroken for a token that cannot be gone on from, and what errors translate to.
    """
    wanted: list[Document] = [
        {"$match": {"operationType": {"$in": ["insert", "delete"]}}},
        {"$project": {"operationType": 1, "documentKey": 1, "fullDocument": 1}},
    ]
    token = {"_data": after} if after else None
    opened = False
    try:
        with database[EVENTS].watch(wanted, start_after=token, max_await_time_ms=await_ms) as stream:
            opened = True
            yield EventFeedItem(_position(stream, after))
            while not stop.is_set():
                change = stream.try_next()
                if change is None and not stream.alive:
                    raise Unavailable("the stream of events ended")
                yield _feed_item(change) if change is not None else EventFeedItem(_position(stream, after))
    except InvalidOperation:
        return
    except PyMongoError as error:
        raise stream_failure(error, opening=not opened) from error


def as_it_stands(database: Database, heard: EventFeedItem) -> EventFeedItem | None:
    """What was written once, as it stands now: the name in it may have been forgotten since. None if it is gone."""
    if heard.document is None:
        return heard
    with translated():
        stored = database[EVENTS].find_one({"_id": heard.document["_id"]})
    return None if stored is None else heard._replace(document=stored)


def _position(stream: ChangeStream[Document], after: str | None) -> str:
    """Where an open stream stands: the server tells with every batch."""
    token = stream.resume_token
    return str(token["_data"]) if token else after or ""


def _feed_item(change: Mapping[str, Any]) -> EventFeedItem:
    token = str(change["_id"]["_data"])
    if change["operationType"] == "insert":
        return EventFeedItem(token, document=change["fullDocument"])
    return EventFeedItem(token, deleted=change["documentKey"]["_id"])


def emitted_before(database: Database, keys: set[str], before: datetime) -> set[str]:
    """Those of `keys` whose event of ours stands, dated before an instant."""
    ids = {event_id(key): key for key in keys}
    query = {"_id": {"$in": list(ids)}, "event_date": {"$lt": before}}
    with translated():
        return {ids[found["_id"]] for found in database[EVENTS].find(query, {"_id": 1})}


LONGEST_DESCRIPTION = 1000


LONGEST_PLAN = 100


FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)


def valid_description(text: str) -> str:
    """The text on one line, without what no reader can see."""
    line = one_line(text, LONGEST_DESCRIPTION + 1)
    if not line:
        raise ValueError("wanted a text that can be seen")
    if len(line) > LONGEST_DESCRIPTION:
        raise ValueError(f"wanted at most {LONGEST_DESCRIPTION} characters")
    return line


def valid_plan(text: str | None) -> str | None:
    """The name of a valid_plan; None for one that says nothing."""
    return one_line(text, LONGEST_PLAN) or None


def id_of_text(text: str) -> ObjectId | str:
    """24 hex digits are an ObjectId, as everywhere in the dashboard's database."""
    return ObjectId(text) if ObjectId.is_valid(text) else text


def valid_time(at: datetime, now: datetime) -> datetime:
    """When it happened, in UTC."""
    if at > now:
        raise ValueError("this valid_time is still to come")
    if at < FIRST_INSTANT:
        raise ValueError(f"wanted a valid_time since {FIRST_INSTANT.year}")
    return at.astimezone(UTC)
