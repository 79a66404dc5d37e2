"""Ids of documents: one form for all values that MongoDB calls equal.

MongoDB compares numbers by value, whatever their type; all other types are equal only to themselves.
"""

import math
from decimal import Decimal
from typing import Any

import bson
from bson import Binary, Code, DBRef, Int64, ObjectId, Regex
from bson.codec_options import TypeDecoder, TypeRegistry
from bson.decimal128 import create_decimal128_context

from rules.model.changes import DocId

INT32, INT64 = 2**31, 2**63
_DECIMAL128 = create_decimal128_context()
_ALWAYS_CANONICAL = frozenset((ObjectId, str, bytes, type(None)))
_UNUSABLE: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    (DBRef, "a DBRef"),
    (dict, "a document"),
    (list, "an array"),
    (Regex, "a regular expression"),
    (Code, "JavaScript code"),
)


class UnusableId(ValueError):
    """A value that cannot identify a document; the message names its kind."""


class Decimal128(bson.Decimal128):
    """A Decimal128 that can be a dictionary key."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.bid)

    def __int__(self) -> int:
        return int(self.to_decimal())


class _Decimals(TypeDecoder):
    bson_type = bson.Decimal128

    def transform_bson(self, value: bson.Decimal128) -> bson.Decimal128:
        return Decimal128.from_bid(value.bid)


TYPES = TypeRegistry([_Decimals()])
"""Makes every Decimal128 that is read hashable, because it may be an id."""


def canonical(value: Any) -> DocId:
    """Return an id in the form in which `==`, `hash` and `str` agree with the server's `$eq`.

    A number becomes an integer, else a float, else a Decimal128 without trailing zeros: the first type that holds its
    exact value, as it is read back after it was stored. Raises UnusableId for NaN and for anything but a single scalar.
    """
    if type(value) in _ALWAYS_CANONICAL:
        return value  # type: ignore[no-any-return]
    for kind, name in _UNUSABLE:
        if isinstance(value, kind):
            raise UnusableId(name)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _number(value, value)
    if isinstance(value, bson.Decimal128):
        return _decimal(value.to_decimal())
    if isinstance(value, Binary) and value.subtype == 0:
        return bytes(value)
    return value  # type: ignore[no-any-return]


def _decimal(value: Decimal) -> DocId:
    if value.is_nan():
        raise UnusableId("NaN")
    exact = float(value)
    return _number(value, exact if value == exact else Decimal128(_DECIMAL128.normalize(value)))


def _number(value: float | Decimal, otherwise: DocId) -> DocId:
    if math.isnan(value):
        raise UnusableId("NaN")
    is_int64 = -INT64 <= value < INT64 and value == int(value)
    return _integer(int(value)) if is_int64 else otherwise


def _integer(value: int) -> int:
    return int(value) if -INT32 <= value < INT32 else Int64(value)
