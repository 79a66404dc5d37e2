"""Limits of a request body: size, encoding, time. Plain ASGI: responses stream through."""

from http import HTTPStatus

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.errors import RequestRejected, error_response

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
"""Maximum wait for the next part of a body."""

READ_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


class BodyLimits:
    """Rejects bodies larger than `MAX_BODY_BYTES` (declared or received), too slow ones, and encoded ones.

    Bodies of read methods are not read: only their declared length is checked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rejection = _rejection(Headers(scope=scope)) if scope["type"] == "http" else None
        if rejection is not None:
            await error_response(rejection.status_code, rejection.detail)(scope, receive, send)
            return
        if scope["type"] != "http" or scope["method"] in READ_METHODS:
            await self.app(scope, receive, send)
            return
        received, is_complete = 0, False

        async def receive_limited() -> Message:
            nonlocal received, is_complete
            message = await (receive() if is_complete else _receive_in_time(receive))
            is_complete = is_complete or not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise TOO_LARGE
            return message

        await self.app(scope, receive_limited, send)


async def _receive_in_time(receive: Receive) -> Message:
    """Return the next part of a body. Raises `TOO_SLOW` after `BODY_SECONDS`."""
    try:
        with anyio.fail_after(BODY_SECONDS):
            return await receive()
    except TimeoutError:
        raise TOO_SLOW from None


TOO_SLOW = RequestRejected(
    HTTPStatus.REQUEST_TIMEOUT, f"no part of the request body received for {BODY_SECONDS:.0f} seconds"
)
TOO_LARGE = RequestRejected(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request body must be at most {MAX_BODY_BYTES} bytes"
)
ENCODED = RequestRejected(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the request body must not be compressed")


def _rejection(headers: Headers) -> RequestRejected | None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        return ENCODED
    length = headers.get("content-length", "0")
    return TOO_LARGE if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY_BYTES else None
