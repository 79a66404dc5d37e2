"""Strict JSON bodies: rejects NaN, duplicate keys, unpaired surrogates, huge integers and excessive nesting.

The framework's own parser accepts all of these, and later code fails on the result.
"""

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from daemon.web.errors import RequestRejected

MAX_DIGITS = 40
INT64_LIMIT = 2**63


class StrictRoute(APIRoute):
    """Route whose body, if it has one, must be strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            if takes_body and not _is_json(request.headers.get("content-type", "")):
                raise RequestRejected(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class StrictRequest(Request):
    async def json(self) -> Any:
        return parse(await self.body())


def _is_json(content_type: str) -> bool:
    kind, _, parameters = content_type.lower().partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"')
    return kind.strip() == "application/json" and charset in ("", "utf-8", "utf8")


def parse(body: bytes) -> Any:
    """Return the value of a JSON body. Raises RequestRejected (400) if it is not strict JSON."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_reject_constant, parse_int=_integer, object_pairs_hook=_object)
        _reject_surrogates(value)
    except (ValueError, RecursionError):
        raise MALFORMED from None
    return value


MALFORMED = RequestRejected(
    HTTPStatus.BAD_REQUEST,
    "the body must be one JSON value in UTF-8, without NaN, Infinity, integers beyond 64 bits, duplicate keys, "
    "unpaired surrogates or excessive nesting",
)


def _reject_constant(_constant: str) -> Any:
    raise ValueError


def _integer(digits: str) -> int:
    """Return the integer. Raises ValueError beyond 64 bits, the largest integer of BSON."""
    if len(digits) > MAX_DIGITS or not -INT64_LIMIT <= int(digits) < INT64_LIMIT:
        raise ValueError
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _reject_surrogates(value: Any) -> None:
    """Raise UnicodeEncodeError, a ValueError, for an unpaired surrogate in any string or key."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            one.encode()
        elif isinstance(one, dict):
            pending += [*one, *one.values()]
        elif isinstance(one, list):
            pending += one
