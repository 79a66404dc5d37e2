"""`/api/events/stream`: Server-Sent Events (WHATWG HTML, "Server-sent events")."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from daemon.errors import ChatelloError
from daemon.mongo.client import bounded
from daemon.mongo.types import Document
from daemon.web.api import schemas
from daemon.web.api.event_items import EventItem, event_item, event_items
from daemon.web.api.schemas import DATABASE_SECONDS, PREFIX
from daemon.web.broadcast import EventBroadcaster, FeedMessage, Subscriber, TooManySubscribers, catch_up
from daemon.web.context import WebContext
from daemon.web.errors import RequestRejected
from daemon.web.json_body import StrictRoute

RETRY_MS = 3000
PING_SECONDS = 10.0
"""After so long without an event a `ping` is sent: clients see that the connection is alive, and get a newer id."""
MAX_THREADS = 2
"""Concurrent reads of the database for all clients."""
SEND_SECONDS = 30.0
"""A client that does not read for so long is disconnected."""

STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The event stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
LastEventId = Annotated[
    str | None, Header(description="The id of the last event received; browsers send it on a reconnect.")
]


class EventStream(StreamingResponse):
    """The response to one client. Ends if the client stops reading; always calls `unsubscribe` at the end."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[str], unsubscribe: Callable[[], None]) -> None:
        super().__init__(frames, headers={"X-Accel-Buffering": "no"})
        self.unsubscribe = unsubscribe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.unsubscribe()

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Any) -> None:
            with anyio.fail_after(SEND_SECONDS):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            return


def router(context: WebContext, broadcaster: EventBroadcaster) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["events"], route_class=StrictRoute)
    threads = anyio.CapacityLimiter(MAX_THREADS)

    @routes.get("/events/stream", responses=STREAM, response_class=StreamingResponse)
    async def stream_events(last_event_id: LastEventId = None) -> EventStream:
        """Stream events as they are written: `business_event` (as in get_recent_events) and `withdrawn` (its id).

        A `ping` is sent after 10 seconds without one.
        After `position` nothing is missed. After `reset` events may be missing: load the list again.
        """
        try:
            subscriber = broadcaster.subscribe()
        except TooManySubscribers:
            retry = {"Retry-After": "30"}
            raise RequestRejected(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many clients are connected; try again later", retry
            ) from None
        return EventStream(
            frames(context, broadcaster, subscriber, last_event_id or None, threads),
            lambda: broadcaster.unsubscribe(subscriber),
        )

    return routes


async def frames(
    context: WebContext,
    broadcaster: EventBroadcaster,
    subscriber: Subscriber,
    last_id: str | None,
    threads: anyio.CapacityLimiter,
) -> AsyncIterator[str]:
    """Yield the frames for one client: first the missed events, then live ones, until it is disconnected."""
    yield f"retry: {RETRY_MS}\n\n"
    while not subscriber.is_closed:
        message = await subscriber.next(PING_SECONDS)
        if message is None:
            yield ping(subscriber.token)
            continue
        if message.kind == "position" and last_id is not None:
            missed = catch_up(context.database, last_id, message.token, broadcaster.closed)
            for text in await run_sync(list, map(partial(frame, context), missed), limiter=threads):
                yield text
        last_id = None
        yield await run_sync(frame, context, message, limiter=threads)


def ping(token: str) -> str:
    """Return a ping, with the stream's position while it is known."""
    return f"id: {token}\nevent: ping\ndata: {{}}\n\n" if token else "event: ping\ndata: {}\n\n"


def frame(context: WebContext, message: FeedMessage) -> str:
    """Return one SSE message; its data is always ASCII on one line."""
    data = json.dumps(_data(context, message), separators=(",", ":"))
    return f"id: {message.token}\nevent: {message.kind}\ndata: {data}\n\n"


def _data(context: WebContext, message: FeedMessage) -> Mapping[str, Any]:
    if message.document is None:
        return {}
    if message.kind == "withdrawn":
        return {"id": schemas.identity(message.document["_id"])}
    return _item(context, message.document).model_dump()


def _item(context: WebContext, document: Document) -> EventItem:
    """Return the event; while the database does not answer, without its texts, which only the mirror can make safe."""
    try:
        with bounded(DATABASE_SECONDS):
            return event_items(context, [document])[0]
    except ChatelloError:
        return event_item({**document, "description": None, "metadata": None})
