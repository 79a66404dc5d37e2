"""HTTP request metrics. Plain ASGI: responses stream through.

The route label is the route's template, or "none": clients cannot create label values.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon import clock
from daemon.runtime import metrics

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestMetrics:
    """Counts and times requests; one that fails before its response starts counts as 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, codes = clock.monotonic(), []

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])
                _count(scope, message["status"], clock.monotonic() - began)
            await send(message)

        try:
            await self.app(scope, receive, send_counted)
        finally:
            if not codes:
                _count(scope, 500, clock.monotonic() - began)


def _count(scope: Scope, code: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in METHODS else "other"
    metrics.HTTP_REQUESTS.labels(route, method, str(code)).inc()
    metrics.HTTP_SECONDS.labels(route).observe(seconds)
