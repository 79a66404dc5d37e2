"""Limits of a request body: size, encoding, time. Plain ASGI: responses stream through."""

from http import HTTPStatus

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.errors import RequestRejected, error_response

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
"""Maximum wait for the whole body."""

READ_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


class BodyLimits:
    """Rejects bodies larger than `MAX_BODY_BYTES` (declared or received), too slow ones, and encoded ones.

    `app` starts when the body is complete. Bodies of read methods are not read: only their declared length is checked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            _check_headers(Headers(scope=scope))
            received = receive if scope["method"] in READ_METHODS else await _receive_body(receive)
        except RequestRejected as rejected:
            await error_response(rejected.status_code, rejected.detail, rejected.headers)(scope, receive, send)
            return
        await self.app(scope, received, send)


async def _receive_body(receive: Receive) -> Receive:
    """Wait for the whole body, or the end of the connection; return a `receive` that starts with it.

    Raises `TOO_SLOW` or `TOO_LARGE`.
    """
    try:
        with anyio.fail_after(BODY_SECONDS):
            messages = [await _whole_body(receive)]
    except TimeoutError:
        raise TOO_SLOW from None

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _whole_body(receive: Receive) -> Message:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise TOO_LARGE
        if not message.get("more_body", False):
            return {"type": "http.request", "body": body, "more_body": False}


TOO_SLOW = RequestRejected(
    HTTPStatus.REQUEST_TIMEOUT, f"the request body must be complete within {BODY_SECONDS:.0f} seconds"
)
TOO_LARGE = RequestRejected(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request body must be at most {MAX_BODY_BYTES} bytes"
)
ENCODED = RequestRejected(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the request body must not be compressed")


def _check_headers(headers: Headers) -> None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ENCODED
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY_BYTES:
        raise TOO_LARGE
