"""Security headers on every response, and a last handler for errors below. Plain ASGI: responses stream through."""

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.runtime import logs
from daemon.web.errors import answer

log = logs.get("http")

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""On every answer that does not say otherwise itself."""


class SecurityHeaders:
    """Puts the headers of `DRESS` on every answer, and has nothing that breaks behind it go any further."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(message)
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception as error:
            log.error("response.failed", problem=f"{type(error).__name__}: {error}", begun=begun, exc_info=True)
            if not begun and scope["type"] == "http":
                await answer(HTTPStatus.INTERNAL_SERVER_ERROR, "this failed")(scope, receive, dressed)


def _add_headers(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(raw=message["headers"])
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    message["headers"] = headers.raw
