"""Ids in addresses: each begins with its type, so that no text stands for two ids.

`o-` ObjectId, `n-` integer, `s-` text of unreserved characters, `u-` UUID; any other id is `b-` and the base64url of
its BSON. A text with other characters may be an e-mail address, which an address must not show, so it is `b-` too.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from typing import Any
from uuid import UUID

import bson
from bson import Binary, ObjectId
from bson.codec_options import CodecOptions
from bson.errors import BSONError

from daemon.mongo.ids import TYPES, UnusableId, canonical
from rules.model.changes import DocId

MAX_LENGTH = 2000
"""Characters of an id in an address; a document with a longer one has no address."""

_UUID_SUBTYPE = 4
_PLAIN = re.compile(r"[A-Za-z0-9._~-]{1,200}")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, type_registry=TYPES)


def typed_id(value: DocId) -> str:
    if isinstance(value, ObjectId):
        return f"o-{value}"
    if isinstance(value, int):
        return f"n-{int(value)}"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.strip("."):
        return f"s-{value}"
    if isinstance(value, Binary) and value.subtype == _UUID_SUBTYPE and len(value) == 16:
        return f"u-{UUID(bytes=bytes(value))}"
    encoded = urlsafe_b64encode(bson.encode({"": value}, codec_options=_CODEC)).decode()
    return f"b-{encoded.rstrip('=')}"


def parsed(text: str) -> DocId | None:
    """Return the id that an address stands for; None if it is not of a form that `typed_id` returns."""
    with suppress(ValueError, KeyError, TypeError, OverflowError, BSONError, UnusableId):
        value = canonical(_decoded(text[:2], text[2:]))
        return value if len(text) <= MAX_LENGTH and value is not None and typed_id(value) == text else None
    return None


def _decoded(kind: str, text: str) -> Any:
    if kind == "o-":
        return ObjectId(text)
    if kind == "n-":
        return int(text) if _INTEGER.fullmatch(text) else None
    if kind == "s-":
        return text
    if kind == "u-":
        return Binary(UUID(text).bytes, _UUID_SUBTYPE)
    if kind == "b-":
        return bson.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), codec_options=_CODEC)[""]
    return None
