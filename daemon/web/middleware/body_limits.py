"""Limits of a request body: size, encoding, time. Plain ASGI: responses stream through."""

from http import HTTPStatus

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.errors import Refusal, answer

LARGEST_BODY = 64 * 1024
BODY_SECONDS = 10.0
"""What a sender may take between two parts of a body."""

READING = frozenset(("GET", "HEAD", "OPTIONS"))


class BodyLimits:
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
