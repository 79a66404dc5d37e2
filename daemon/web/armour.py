"""Bounds what comes in and dresses what goes out; bare ASGI, so that answers stream through untouched."""

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon import logs
from daemon.web.failures import Refusal, answer

LARGEST_BODY = 64 * 1024
BODY_SECONDS = 10.0
"""What a sender may take between two parts of a body."""

DRESS = {
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

READING = frozenset(("GET", "HEAD", "OPTIONS"))

log = logs.get("http")


class Dress:
    """Puts the headers of `DRESS` on every answer, and has nothing that breaks behind it go any further."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _dress(message)
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception as error:
            log.error("answer.broken", problem=f"{type(error).__name__}: {error}", begun=begun, exc_info=True)
            if not begun and scope["type"] == "http":
                await answer(HTTPStatus.INTERNAL_SERVER_ERROR, "this failed")(scope, receive, dressed)


def _dress(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(raw=message["headers"])
    for name, value in DRESS.items():
        headers.setdefault(name, value)
    message["headers"] = headers.raw


class Heads:
    """Answers HEAD wherever GET is, without the body (RFC 9110, 9.3.2); an endless one ends before it begins."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        inner, told = {**scope, "method": "GET"}, anyio.Event()

        async def gone() -> Message:
            await told.wait()
            return {"type": "http.disconnect"}

        async def beheaded(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["route"] = inner.get("route")
                await send(message)
                told.set()

        await self.app(inner, gone, beheaded)
        await send({"type": "http.response.body"})


class Bounds:
    """Refuses bodies that are larger than `LARGEST_BODY` by what they say or are, that never come, and encoded ones.

    What comes with a reading method is read by nobody: only what it says of its length is looked at.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = _refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        if refused is not None:
            await answer(refused.status_code, refused.detail)(scope, receive, send)
            return
        if scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
            return
        seen, whole = 0, False

        async def counted() -> Message:
            nonlocal seen, whole
            message = await (receive() if whole else within(receive))
            whole = whole or not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                raise TOO_LARGE
            return message

        await self.app(scope, counted, send)


async def within(receive: Receive) -> Message:
    """The next part of a body, which a sender may not hold back for ever."""
    try:
        with anyio.fail_after(BODY_SECONDS):
            return await receive()
    except TimeoutError:
        raise TOO_SLOW from None


TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "the body did not come")
TOO_LARGE = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"wanted at most {LARGEST_BODY} bytes")
ENCODED = Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wanted a body that is not compressed")


def _refusal(headers: Headers) -> Refusal | None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        return ENCODED
    length = headers.get("content-length", "0")
    return TOO_LARGE if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST_BODY else None
