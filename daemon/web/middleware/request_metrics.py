"""Counts HTTP requests: a bare ASGI middleware, so that answers stream through it untouched.

A route is named by its template; what matches none is "none", so that no visitor can make labels.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon import clock
from daemon.runtime import metrics

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestMetrics:
    """Wraps an application; a request that fails before its answer began counts as 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, codes = clock.monotonic(), []

        async def listen(message: Message) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])
                _count(scope, message["status"], clock.monotonic() - began)
            await send(message)

        try:
            await self.app(scope, receive, listen)
        finally:
            if not codes:
                _count(scope, 500, clock.monotonic() - began)


def _count(scope: Scope, code: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in METHODS else "other"
    metrics.HTTP_REQUESTS.labels(route, method, str(code)).inc()
    metrics.HTTP_SECONDS.labels(route).observe(seconds)
