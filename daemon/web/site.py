"""Puts the doors together: routes inside, armour and gate around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from daemon.traffic import Traffic
from daemon.web import api, docs, failures, page, vitals
from daemon.web.armour import Bounds, Dress, Heads
from daemon.web.assets import Assets
from daemon.web.gate import Gate
from daemon.web.house import House
from daemon.web.live import Live

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


class Site:
    """The application as the server serves it. Traffic counts what was refused, too."""

    def __init__(self, house: House) -> None:
        self.live = Live(house.database)
        self.app = Traffic(Dress(Gate(Heads(Bounds(routes(house, self.live))), house.config().http)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        """End what would go on for ever; called once, before the server waits for what is under way."""
        self.live.close()


def routes(house: House, live: Live) -> FastAPI:
    app = FastAPI(
        title="chatello-analytics",
        version=version("chatello-analytics"),
        description=ABOUT,
        openapi_url=docs.OPENAPI,
        docs_url=None,
        redoc_url=None,
        lifespan=few_threads,
    )
    failures.install(app)
    app.include_router(vitals.router(house.progress))
    app.include_router(api.router(house, live))
    app.include_router(docs.router())
    app.include_router(page.router(house))
    app.mount(docs.ASSETS, docs.assets())
    app.mount("/static", Assets(), name="static")
    return app
