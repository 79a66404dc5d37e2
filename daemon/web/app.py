"""Assembles the ASGI application: the routes and the middleware around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from daemon.web import api, errors, openapi, probes
from daemon.web.broadcast import EventBroadcaster
from daemon.web.context import WebContext
from daemon.web.middleware.access import AccessControl
from daemon.web.middleware.body_limits import BodyLimits
from daemon.web.middleware.head_requests import HeadRequests
from daemon.web.middleware.request_metrics import RequestMetrics
from daemon.web.middleware.security_headers import SecurityHeaders
from daemon.web.page import routes as page
from daemon.web.page.assets import Assets

DESCRIPTION = """Business events and the analytics table of the shop.

Reading needs no token on the machine itself. Writing needs the token of the credential `http-token`, as a bearer token
or as the password of HTTP Basic. Every error response is `{"success": false, "error": "MESSAGE"}`.
"""


MAX_DATABASE_THREADS = 4
"""Concurrent requests that read the database; the other connections are reserved for the daemon."""


@asynccontextmanager
async def limit_threads(_app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = MAX_DATABASE_THREADS
    yield


class WebApp:
    """The ASGI application. `RequestMetrics` is the outermost layer: it also counts rejected requests."""

    def __init__(self, context: WebContext) -> None:
        self.broadcaster = EventBroadcaster(context.database)
        self.app = RequestMetrics(
            SecurityHeaders(
                AccessControl(HeadRequests(BodyLimits(create_app(context, self.broadcaster))), context.config().http)
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        """End the endless responses; called once, before the server waits for open requests."""
        self.broadcaster.close()


def create_app(context: WebContext, broadcaster: EventBroadcaster) -> FastAPI:
    app = FastAPI(
        title="chatello-analytics",
        version=version("chatello-analytics"),
        description=DESCRIPTION,
        openapi_url=openapi.OPENAPI,
        docs_url=None,
        redoc_url=None,
        lifespan=limit_threads,
    )
    errors.install(app)
    app.include_router(probes.router(context.health))
    app.include_router(api.router(context, broadcaster))
    app.include_router(openapi.router())
    app.include_router(page.router(context))
    app.mount(openapi.ASSETS, openapi.assets())
    app.mount("/static", Assets(), name="static")
    return app
