"""Random ids of every BSON type that can be an `_id`, many of them equal numbers of different types, and collations."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import strategies as st

COLLATIONS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"locale": "it", "strength": 2, "numericOrdering": True},
    {"locale": "it", "strength": 1, "alternate": "shifted"},
)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
EDGES = (0, 1, 10, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**22, 10**30)
DECIMALS = ("0.1", "0.10", "1.5", "1.50", "-0", "1E+6144", "10E+6143", "1E-6176", "123456789.1234567890123456789012345")
HEX = "65f0c0ffee65f0c0ffee65f0"
BYTES = bytes.fromhex(HEX) + b"uuid"
ENDS = (MinKey(), MaxKey())
WORDS = ("", "1", "0.1", "cust_2", "cust_10", "cust_A", "cust_a", "cust-a", "perché", "perche", HEX, HEX.upper())


def _forms(number: float) -> list[Any]:
    """Return the BSON numbers of one value, or nearly."""
    found: list[Any] = [float(number), Decimal128(str(number))]
    if isinstance(number, int) and -(2**63) <= number < 2**63:
        found += [number, Int64(number)]
    return found


def equal_forms(value: Any) -> list[Any]:
    """Return the BSON values that MongoDB calls equal to an id."""
    if not isinstance(value, int | float) or value in (float("inf"), float("-inf")):
        return [value]
    exact = _forms(int(value) if abs(value) < 2**63 and float(value).is_integer() else value)
    return [one for one in exact if (one.to_decimal() if isinstance(one, Decimal128) else one) == value]


NUMBERS: st.SearchStrategy[Any] = st.one_of(
    (st.sampled_from(EDGES) | st.integers(-3, 3) | st.floats(allow_nan=False)).flatmap(
        lambda number: st.sampled_from(_forms(number))
    ),
    st.sampled_from([Decimal128(text) for text in DECIMALS]),
)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    NUMBERS,
    st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.sampled_from((HEX, "0" * 24)).map(ObjectId),
    st.sampled_from((0, 2, 3, 4, 5, 128)).map(lambda subtype: Binary(BYTES, subtype)),
    st.binary(max_size=3),
    st.sampled_from((BEGIN, BEGIN + timedelta(milliseconds=1), DatetimeMS(2**60), DatetimeMS(1), DatetimeMS(-(2**60)))),
    st.builds(Timestamp, st.integers(1, 12), st.integers(0, 12)),  # the server replaces (0, 0) in a reference
    st.sampled_from((None, *ENDS)),
)
"""Usable ids."""

UNUSABLE: tuple[Any, ...] = (
    *(True, False, float("nan"), Decimal128("NaN"), Decimal128("-sNaN"), {"a": 1}, {}),
    *(Code("x"), Code("x", {"a": 1}), DBRef("licenses", 1)),
)
"""Values that MongoDB accepts as `_id` and that identify no document here."""
