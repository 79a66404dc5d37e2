"""Puts the doors together: routes inside, armour and gate around them."""

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

ABOUT = """Business events and the analytics table of the shop.

Reading is free on the machine itself; writing needs the token of the credential `http-token`, as a bearer token or as
the password of HTTP Basic. Whatever is refused is answered with `{"success": false, "error": "one sentence"}`.
"""


MOST_THREADS = 4
"""Requests that read the database at once: the rest of its connections are the daemon's."""


@asynccontextmanager
async def few_threads(_app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = MOST_THREADS
    yield


class WebApp:
    """The application as the server serves it. Traffic counts what was refused, too."""

    def __init__(self, house: WebContext) -> None:
        self.live = EventBroadcaster(house.database)
        self.app = RequestMetrics(
            SecurityHeaders(AccessControl(HeadRequests(BodyLimits(routes(house, self.live))), house.config().http))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        """End what would go on for ever; called once, before the server waits for what is under way."""
        self.live.close()


def routes(house: WebContext, live: EventBroadcaster) -> FastAPI:
    app = FastAPI(
        title="chatello-analytics",
        version=version("chatello-analytics"),
        description=ABOUT,
        openapi_url=openapi.OPENAPI,
        docs_url=None,
        redoc_url=None,
        lifespan=few_threads,
    )
    errors.install(app)
    app.include_router(probes.router(house.progress))
    app.include_router(api.router(house, live))
    app.include_router(openapi.router())
    app.include_router(page.router(house))
    app.mount(openapi.ASSETS, openapi.assets())
    app.mount("/static", Assets(), name="static")
    return app
