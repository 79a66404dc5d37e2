"""Assembles the ASGI application: the routes and the middleware around them."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from daemon.config.schema import Http
from daemon.web import api, errors, openapi, probes, webhook_schemas
from daemon.web.broadcast import EventBroadcaster
from daemon.web.context import WebContext
from daemon.web.middleware.access import AccessControl
from daemon.web.middleware.body_limits import BodyLimits
from daemon.web.middleware.head_requests import HeadRequests
from daemon.web.middleware.request_limits import RequestLimits
from daemon.web.middleware.request_metrics import RequestMetrics
from daemon.web.middleware.security_headers import SecurityHeaders
from daemon.web.page import routes as page
from daemon.web.page.assets import Assets

DESCRIPTION = """Business events and the analytics table of the shop.

Reading needs no token on the machine itself. Writing needs the token of the credential `http-token`, as a bearer token
or as the password of HTTP Basic. Every error response is `{"success": false, "error": "MESSAGE"}`.
"""


COMPRESSED_BYTES = 1000
"""Smaller responses are not compressed: they fit into one packet."""


class WebApp:
    """The ASGI application. `RequestMetrics` is the outermost layer: it also counts rejected requests."""

    def __init__(self, context: WebContext) -> None:
        self.broadcaster = EventBroadcaster(context.database)
        http = context.config().http
        app: ASGIApp = HeadRequests(compressed(RequestLimits(create_app(context, self.broadcaster))))
        app = SecurityHeaders(AccessControl(BodyLimits(app), http))
        self.app = RequestMetrics(behind_proxies(app, http))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        """End the endless responses; called once, before the server waits for open requests."""
        self.broadcaster.close()


def behind_proxies(app: Any, http: Http) -> Any:  # uvicorn's types of an application are not Starlette's
    """Take the visitor's address and scheme from the headers of trusted proxies; without one they are ignored."""
    return ProxyHeadersMiddleware(app, list(http.trusted_proxies))


def compressed(app: ASGIApp) -> ASGIApp:
    """Compress responses, except event streams. None contains a secret whose length could leak (BREACH)."""
    return GZipMiddleware(app, minimum_size=COMPRESSED_BYTES, compresslevel=6)


def create_app(context: WebContext, broadcaster: EventBroadcaster) -> FastAPI:
    app = FastAPI(
        title="chatello-analytics",
        version=version("chatello-analytics"),
        description=DESCRIPTION,
        openapi_url=openapi.OPENAPI,
        docs_url=None,
        redoc_url=None,
    )
    webhook_schemas.document(app.webhooks)
    errors.install(app, context.health)
    app.include_router(probes.router(context.health))
    app.include_router(api.router(context, broadcaster))
    app.include_router(openapi.router())
    app.include_router(page.router(context))
    app.mount(openapi.ASSETS, openapi.assets())
    app.mount("/static", Assets(), name="static")
    return app
