"""Reads JSON as it was meant, or refuses it: no NaN, no key twice, no half of a character, nothing endless.

The framework's own parser takes all of these, and breaks on what it made of them later.
"""

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from daemon.web.errors import Refusal

MOST_DIGITS = 40
LARGEST = 2**63


class StrictRoute(APIRoute):
    """A route whose body, if it takes one, is strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            if takes_body and not _is_json(request.headers.get("content-type", "")):
                raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wanted Content-Type: application/json")
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class StrictRequest(Request):
    async def json(self) -> Any:
        return read(await self.body())


def _is_json(content_type: str) -> bool:
    kind, _, parameters = content_type.lower().partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"')
    return kind.strip() == "application/json" and charset in ("", "utf-8", "utf8")


def read(body: bytes) -> Any:
    """What the body says; raises Refusal (400) for all that is no strict JSON."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse, parse_int=_integer, object_pairs_hook=_object)
        _require_whole_characters(value)
    except (ValueError, RecursionError):
        raise MALFORMED from None
    return value


MALFORMED = Refusal(
    HTTPStatus.BAD_REQUEST,
    "wanted one JSON value in UTF-8, without NaN or Infinity, keys that stand twice, half characters or endless depth",
)


def _refuse(_constant: str) -> Any:
    raise ValueError


def _integer(digits: str) -> int:
    """Beyond 64 bits no database takes it."""
    if len(digits) > MOST_DIGITS or not -LARGEST <= int(digits) < LARGEST:
        raise ValueError
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _require_whole_characters(value: Any) -> None:
    """Raises UnicodeEncodeError, a ValueError, for half of a surrogate pair anywhere."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            one.encode()
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
