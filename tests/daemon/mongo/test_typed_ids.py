"""Ids in addresses: any id makes the round trip, and no text stands for two ids."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from bson import Binary, Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from daemon.mongo.ids import Decimal128, canonical
from daemon.mongo.typed_ids import parsed, typed_id

OBJECT_ID = "66c4f0c0ffee65f0c0ffee65"
IDS = (
    st.binary(min_size=12, max_size=12).map(ObjectId)
    | st.integers(-(2**63), 2**63 - 1).map(canonical)
    | st.text(min_size=0, max_size=50)
    | st.floats(allow_nan=False).map(canonical)
    | st.uuids().map(lambda value: Binary(value.bytes, 4))
    | st.binary(min_size=1)
)


@given(IDS)
def test_an_id_makes_the_round_trip_in_one_segment_of_an_address(value: Any) -> None:
    text = typed_id(value)

    assert quote(text, safe="") == text
    assert (parsed(text), type(parsed(text))) == (value, type(value))


@given(st.lists(IDS, max_size=5, unique_by=lambda value: (type(value), value)))
def test_different_ids_have_different_texts(values: list[Any]) -> None:
    assert len({typed_id(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ObjectId(OBJECT_ID), f"o-{OBJECT_ID}"),
        (OBJECT_ID, f"s-{OBJECT_ID}"),
        (1002, "n-1002"),
        (Int64(2**40), "n-1099511627776"),
        ("1002", "s-1002"),
        ("cust_1", "s-cust_1"),
        (Binary(UUID(int=1).bytes, 4), "u-00000000-0000-0000-0000-000000000001"),
    ],
)
def test_the_type_is_in_front(value: Any, text: str) -> None:
    assert (typed_id(value), parsed(text)) == (text, value)


@pytest.mark.parametrize(
    "value",
    ["..", "mario@example.com", "a/b", "", canonical(Decimal128("1.1")), datetime(2026, 1, 1, tzinfo=UTC), b"x" * 16],
)
def test_other_ids_are_not_readable(value: Any) -> None:
    text = typed_id(value)

    assert text.startswith("b-")
    assert (parsed(text), "@" in text, "mario" in text) == (value, False, False)


@pytest.mark.parametrize(
    "text",
    ["", "o-", "o-66", "x-1", "n-", "n-1.5", "n-007", "n-99999999999999999999", "u-1", "b-", "b-AAAA", "s-a b", "o",
     "s-", "n-\uff11", f"s-{'x' * 3000}", "b-" + "A" * 5000],
)  # fmt: skip
def test_any_other_text_is_no_id(text: str) -> None:
    assert parsed(text) is None
