"""Ids as text: every id of a scalar type is readable, and is found again by the text that shows it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.mongo.id_text import MAX_LENGTH, exact_id, id_candidates, shown_id
from rules.text import one_line

INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
BSON_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=150)
IDS: st.SearchStrategy[Any] = st.one_of(
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.uuids().flatmap(lambda one: st.sampled_from((4, 3)).map(lambda subtype: Binary(one.bytes, subtype))),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, places=3, min_value=-(10**20), max_value=10**20).map(Decimal128),
    BSON_TEXT,
    BSON_TEXT.map(lambda text: f'"{text}'),
    st.from_regex(r"[0-9a-f]{24}|[0-9]{1,20}|'?-[0-9]{1,5}", fullmatch=True),
    st.binary(max_size=40),
    st.tuples(st.binary(max_size=40), st.sampled_from((5, 128))).map(lambda one: Binary(*one)),
    INSTANTS,
    st.just(DatetimeMS(10**15)),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)

READABLE = [
    (Binary(UUID("12345678-1234-5678-1234-567812345678").bytes, 4), "12345678-1234-5678-1234-567812345678"),
    (ObjectId("65f0c0ffee65f0c0ffee65f0"), "65f0c0ffee65f0c0ffee65f0"),
    (b"\x01\xff", "01ff"),
    (datetime(2026, 11, 26, 10, tzinfo=UTC), "2026-11-26T10:00:00+00:00"),
    (4711, "4711"),
    (Int64(-5), "-5"),
    (2.5, "2.5"),
    (Decimal128("0.1"), "0.1"),
    ("cust_1", "cust_1"),
    ("Bar Sport, via Po 3", "Bar Sport, via Po 3"),
    ("a\nb\u202e", r'"a\nb\u202e"'),
    ("", '""'),
    (Binary(b"ab", 128), '{"$binary": {"base64": "YWI=", "subType": "80"}}'),
]


@pytest.mark.parametrize(("value", "text"), READABLE)
def test_an_id_is_shown_as_people_know_it(value: object, text: str) -> None:
    assert shown_id(value) == text


@given(IDS)
@example("4711")
@example("'-5")
@example('{"$oid": "65f0c0ffee65f0c0ffee65f0"}')
def test_what_is_shown_of_an_id_stands_for_it_and_so_does_its_exact_form(value: Any) -> None:
    text = shown_id(value)

    assert one_line(text, MAX_LENGTH) == text
    assert any(type(one) is type(value) and one == value for one in id_candidates(text)) or _is_number(value)
    assert value in id_candidates(text)
    assert id_candidates(exact_id(value)) == [value]


def _is_number(value: object) -> bool:
    """Whether MongoDB finds the id by an equal number of another type."""
    return isinstance(value, int | float)


@given(st.text(max_size=60))
def test_any_text_has_candidates_that_are_ids(text: str) -> None:
    assert [one for one in id_candidates(text) if isinstance(one, str | int | float | bytes | ObjectId)]


def test_a_text_is_tried_as_every_type_and_its_exact_form_as_one() -> None:
    digits = "123456781234567812345678"

    assert id_candidates("4711") == [4711, 4711.0, Decimal128("4711"), "4711", b"\x47\x11"]
    assert id_candidates(digits)[0] == ObjectId(digits)
    assert digits in id_candidates(digits)
    assert id_candidates('"4711"') == ["4711"]
    assert id_candidates('{"$numberInt": "4711"}') == [4711]
    assert -5 in id_candidates("'-5")
    assert id_candidates('{"$gt": 1}') == ['{"$gt": 1}'], "a document is no id"
    assert id_candidates("1_000") == ["1_000"]
