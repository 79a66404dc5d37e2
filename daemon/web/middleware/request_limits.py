"""Limits of the requests at work, so that a hung database or many visitors block neither probes nor static files.

Requests that read the database share few places, wait in a bounded queue, and have one time limit for waiting and
reading. Static files have their own places. Probes have no limit: they run in the event loop. The event stream limits
its clients itself.
"""

from contextlib import nullcontext
from http import HTTPStatus

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.mongo.client import bounded
from daemon.web.errors import RETRY_SECONDS, error_response
from daemon.web.middleware.body_limits import READ_METHODS

MAX_AT_WORK = 4
"""Of each kind. The other connections to the database are reserved for the daemon."""
MAX_WAITING = 28
"""Of each kind; with the event streams all are fewer than the connections, so others are left for probes."""
READ_SECONDS = 4.0
"""From the request to its response, with a second left for rendering it."""

UNLIMITED = ("/healthz", "/readyz", "/metrics", "/api/events/stream")
STATIC = ("/static/", "/docs", "/openapi.json")
"""Beginnings of the paths that do not need the database."""
LONG = ("/api/export_historical_data", "/analytics/scarica/")
"""Beginnings of the paths of reads with a longer limit of their own; writes have one too."""


class RequestLimits:
    """Lets a request reach `app` when a place is free; the place is free again when the response begins.

    A response is then sent at the visitor's pace, and a visitor that does not read it holds no place.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.database = anyio.CapacityLimiter(MAX_AT_WORK)
        self.static = anyio.CapacityLimiter(MAX_AT_WORK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self.app(scope, receive, send)
        elif scope["path"].startswith(STATIC):
            await self._run(self.static, scope, receive, send)
        else:
            is_short = scope["method"] in READ_METHODS and not scope["path"].startswith(LONG)
            with bounded(READ_SECONDS) if is_short else nullcontext():
                await self._run(self.database, scope, receive, send)

    async def _run(self, places: anyio.CapacityLimiter, scope: Scope, receive: Receive, send: Send) -> None:
        request = object()
        if not await _acquire(places, request):
            await _too_many(scope, receive, send)
            return
        is_at_work = True

        def release() -> None:
            nonlocal is_at_work
            if is_at_work:
                is_at_work = False
                places.release_on_behalf_of(request)

        async def send_released(message: Message) -> None:
            release()
            await send(message)

        try:
            await self.app(scope, receive, send_released)
        finally:
            release()


async def _acquire(places: anyio.CapacityLimiter, request: object) -> bool:
    """Return whether the request got a place in time."""
    if places.statistics().tasks_waiting >= MAX_WAITING:
        return False
    with anyio.move_on_after(READ_SECONDS):
        await places.acquire_on_behalf_of(request)
        return True
    return False


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    message = "too many requests at the same time; try again in a few seconds"
    retry = {"Retry-After": str(RETRY_SECONDS)}
    await error_response(HTTPStatus.SERVICE_UNAVAILABLE, message, retry)(scope, receive, send)
