"""`/api/events/stream`: Server-Sent Events (WHATWG HTML, "Server-sent events")."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header
from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from daemon.errors import ChatelloError
from daemon.mongo.client import bounded
from daemon.store.mirror.reader import MirrorReader
from daemon.web.api import events, schemas
from daemon.web.api.schemas import PREFIX, SECONDS
from daemon.web.broadcast import EventBroadcaster, FeedMessage, Full, Subscriber, missed
from daemon.web.context import WebContext
from daemon.web.errors import Refusal
from daemon.web.json_body import StrictRoute

RETRY_MS = 3000
QUIET_SECONDS = 15.0
"""After so long the position alone is sent: nobody takes the line for dead, and coming back finds it in the oplog."""
SEND_SECONDS = 30.0
"""Who takes nothing for so long is gone."""

STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
LastEventId = Annotated[
    str | None, Header(description="The id of the last event seen; browsers send it by themselves.")
]


class EventStream(StreamingResponse):
    """A client's stream: gives up on who takes nothing, and has it leave however it ends."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[str], leave: Callable[[], None]) -> None:
        super().__init__(frames, headers={"X-Accel-Buffering": "no"})
        self.leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.leave()

    async def stream_response(self, send: Send) -> None:
        async def within(message: Any) -> None:
            with anyio.fail_after(SEND_SECONDS):
                await send(message)

        try:
            await super().stream_response(within)
        except TimeoutError:
            return


def router(house: WebContext, live: EventBroadcaster) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["events"], route_class=StrictRoute)

    @routes.get("/events/stream", responses=STREAM, response_class=StreamingResponse)
    async def stream_events(last_event_id: LastEventId = None) -> EventStream:
        """Events as they are written: `business_event` (as in get_recent_events) and `withdrawn` (its id).

        `position` says that nothing is missed from here on; `reset`, that something may have been: read the list anew.
        """
        try:
            client = live.join()
        except Full:
            retry = {"Retry-After": "30"}
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many listen already; try again later", retry) from None
        return EventStream(frames(house, live, client, last_event_id or None), lambda: live.leave(client))

    return routes


async def frames(
    house: WebContext, live: EventBroadcaster, client: Subscriber, last_id: str | None
) -> AsyncIterator[str]:
    """The stream of one client, from what it missed on, until one of both sides ends it."""
    yield f"retry: {RETRY_MS}\n\n"
    while not client.is_over:
        told = await client.next(QUIET_SECONDS)
        if told is None:
            yield f"id: {client.token}\n\n" if client.token else ": quiet\n\n"
            continue
        if told.kind == "position" and last_id is not None:
            late = missed(house.database, last_id, told.token, live.closed)
            async for one in iterate_in_threadpool(late):
                yield await run_in_threadpool(frame, house, one)
        last_id = None
        yield await run_in_threadpool(frame, house, told)


def frame(house: WebContext, told: FeedMessage) -> str:
    """One message; its data is ASCII on one line, whatever a name holds."""
    data = json.dumps(_data(house, told), separators=(",", ":"))
    return f"id: {told.token}\nevent: {told.kind}\ndata: {data}\n\n"


def _data(house: WebContext, told: FeedMessage) -> Mapping[str, Any]:
    if told.document is None:
        return {}
    if told.kind == "withdrawn":
        return {"id": schemas.identity(told.document["_id"])}
    return events.shape(told.document, _names(house, [told.document])).model_dump()


def _names(house: WebContext, documents: Iterable[Mapping[str, Any]]) -> Mapping[Any, str]:
    try:
        with bounded(SECONDS):
            return events.names_of(documents, MirrorReader(house.database, house.config().settings()))
    except ChatelloError:
        return {}
