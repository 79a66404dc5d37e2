"""Ids as text: how every output shows an id, and which ids a text given by a person or an API can stand for.

Documents compare ids exactly, so "4711" and 4711 are two ids of one text: a lookup takes the one that exists. If both
exist, the text has to be MongoDB Extended JSON, which is exact: `"4711"` or `{"$numberInt": "4711"}`.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bson import Binary, Decimal128, ObjectId, json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions

from rules.model.documents import is_id
from rules.text import one_line

MAX_LENGTH = 1000
"""Characters of an id in outputs; a longer one is cut off and cannot be looked up by what is shown."""

_EXACT = JSONOptions(
    json_mode=JSONMode.CANONICAL, tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_UUID_SUBTYPES = (4, 3)
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|inf)", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9a-f]{2})+", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INT64 = 2**63


def shown_id(value: object) -> str:
    """Return an id on one line of visible characters: a UUID or ObjectId as such, bytes as hex, a date in ISO 8601.

    A string is itself unless it has invisible characters or could be read as Extended JSON. Other types are Extended
    JSON. `id_candidates` of the result contains the id.
    """
    text = _shown(value)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _shown(value: object) -> str:
    if isinstance(value, str):
        is_plain = one_line(value, len(value) + 1) == value and value[:1] not in ("", "{", '"', "'")
        return value if is_plain else json.dumps(value)
    if isinstance(value, Binary) and value.subtype in _UUID_SUBTYPES and len(value) == 16:
        return str(UUID(bytes=bytes(value)))
    if type(value) is bytes and value:
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float | Decimal | Decimal128 | ObjectId | UUID):
        return str(value)
    return exact_id(value)


def exact_id(value: object) -> str:
    """Return an id as Extended JSON, which stands for no other id."""
    try:
        return json_util.dumps(Decimal128(value) if isinstance(value, Decimal) else value, json_options=_EXACT)
    except TypeError:
        return one_line(repr(value), MAX_LENGTH)


def id_candidates(text: str) -> list[Any]:
    """Return the ids that a text can stand for, the likeliest first; only one for Extended JSON.

    The apostrophe that a CSV file puts before a text such as -5 is ignored.
    """
    if text[:1] in ("{", '"'):
        with suppress(ValueError, TypeError, BSONError, ArithmeticError):
            exact = json_util.loads(text, json_options=_EXACT)
            if isinstance(exact, Decimal128) or is_id(exact):
                return [exact]
    found = list(_candidates(text))
    return found + list(_candidates(text[1:])) if text.startswith("'") else found


def _candidates(text: str) -> Iterator[Any]:
    if ObjectId.is_valid(text):
        yield ObjectId(text)
    if _UUID.fullmatch(text):
        yield from (Binary(UUID(text).bytes, subtype) for subtype in _UUID_SUBTYPES)
    if _NUMBER.fullmatch(text):
        yield from _numbers(text)
    yield text
    if _HEX.fullmatch(text):
        yield bytes.fromhex(text)
    if _DATE.match(text):
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text)
            yield moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _numbers(text: str) -> Iterator[Any]:
    with suppress(ValueError, ArithmeticError):
        number = int(text)
        if -_INT64 <= number < _INT64:
            yield number
    yield float(text)
    with suppress(ArithmeticError, ValueError):
        yield Decimal128(text)
