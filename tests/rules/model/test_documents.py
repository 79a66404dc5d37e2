from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson import Binary, MaxKey, MinKey, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from daemon.mongo.ids import Decimal128
from rules.model.changes import Change, Operation, Source
from rules.model.documents import after, id_key, is_id, same, short_cause, updated

AT = datetime(2025, 8, 20, tzinfo=UTC)


def update(fields: dict[str, Any], removed: tuple[str, ...] = (), truncated: Any = ()) -> Change:
    return Change(Source.LICENSES, Operation.UPDATE, 1, AT, "82", fields, removed, truncated)


def test_an_update_sets_fields_and_keeps_the_others() -> None:
    assert updated({"a": 1, "b": 2}, update({"b": 3, "c": 4})) == {"a": 1, "b": 3, "c": 4}


def test_a_dotted_path_reaches_into_documents() -> None:
    before = {"m": {"x": 1, "y": 2}, "n": {"o": {}}}

    assert updated(before, update({"m.y": 3, "n.o.p": 4})) == {"m": {"x": 1, "y": 3}, "n": {"o": {"p": 4}}}


@pytest.mark.parametrize("fields", [{"name": "Gamma", "price": 7.99, "n": {"o": None}}, {}], ids=["scalar", "missing"])
def test_a_dotted_path_below_no_container_is_the_name_of_another_field(fields: dict[str, Any]) -> None:
    change = update({"name.legal": "x", "price.usd": 9.0, "n.o.p": 4}, ("name.old",), (("price.steps", 1),))

    assert updated(fields, change) == fields


def test_a_dotted_path_reaches_into_arrays_and_appends_at_their_end() -> None:
    assert updated({"a": [{"x": 1}, 2]}, update({"a.0.x": 9, "a.2": 3})) == {"a": [{"x": 9}, 2, 3]}


def test_an_array_of_more_than_ten_items_keeps_its_order() -> None:
    assert updated({"a": list(range(12))}, update({"a.10": "x"}))["a"] == [*range(10), "x", 11]


def test_a_number_in_a_path_is_a_key_where_there_is_no_array() -> None:
    assert updated({"a": {"0": 1}}, update({"a.0": 2})) == {"a": {"0": 2}}


def test_an_array_is_truncated_before_new_values_arrive() -> None:
    assert updated({"a": [1, 2, 3]}, update({"a.1": 9}, truncated=(("a", 1),))) == {"a": [1, 9]}


def test_a_removed_field_is_gone_and_a_missing_one_is_no_error() -> None:
    assert updated({"a": 1, "m": {"x": 1, "y": 2}}, update({}, ("a", "m.x", "gone", "gone.deeper"))) == {"m": {"y": 2}}


def test_an_update_does_not_modify_the_previous_document() -> None:
    before: dict[str, Any] = {"m": {"x": {"y": 1}}, "a": [[1]]}

    updated(before, update({"m.x.y": 2, "a.0.0": 2}, ("m.z",), (("a", 1),)))

    assert before == {"m": {"x": {"y": 1}}, "a": [[1]]}


def test_the_fields_after_each_kind_of_change() -> None:
    whole = update({"a": 1})._replace(op=Operation.REPLACE)

    assert after({"b": 2}, whole) == {"a": 1}
    assert after(None, whole._replace(op=Operation.INSERT)) == {"a": 1}
    assert after({"b": 2}, whole._replace(op=Operation.DELETE)) is None
    assert after(None, update({"a": 1})) is None
    assert after({"b": 2}, whole._replace(op=Operation.REVALUE)) == {"b": 2}


def test_only_tracked_fields_make_two_versions_differ() -> None:
    left = {"status": "active", "created_at": 1, "expires_at": float("nan")}

    assert same(Source.LICENSES, left, {"status": "active", "created_at": 2, "expires_at": float("nan")})
    assert not same(Source.LICENSES, left, {**left, "status": "expired"})


@pytest.mark.parametrize("value", [1, "a", None, 2.5, (1, 2), AT, Decimal(3)])
def test_a_plain_value_can_be_a_document_id(value: object) -> None:
    assert is_id(value)


@pytest.mark.parametrize("value", [True, float("nan"), Decimal("NaN"), Decimal("sNaN"), [1], {}, ([],)])
def test_a_value_that_equals_another_id_or_not_itself_cannot_be_a_document_id(value: object) -> None:
    assert not is_id(value)


def test_ids_of_different_types_have_different_keys() -> None:
    ids = [1, "1", ObjectId(b"1" * 12), "31" * 12, b"1", Binary(b"1", 4), DatetimeMS(1), AT, str(AT), None, "None"]
    ids += [0.1, Decimal128("0.1"), "0.1", Timestamp(1, 1), MinKey(), MaxKey()]

    assert len(set(map(id_key, ids))) == len(ids)


@given(st.text("0123456789ABCDEF", min_size=101, max_size=300), st.text("0123456789ABCDEF", min_size=101, max_size=300))
def test_a_resume_token_is_shortened_to_its_time_and_a_unique_digest(one: str, other: str) -> None:
    assert short_cause(f"82{one}").startswith(f"{one[:16]}-")
    assert len(short_cause(f"82{one}")) < 40
    assert (short_cause(f"82{one}") == short_cause(f"82{other}")) == (one == other)


@pytest.mark.parametrize("cause", ["", "settings:2026-11-25T10:00:00+00:00", "1764064800000"])
def test_a_short_cause_is_unchanged(cause: str) -> None:
    assert short_cause(cause) == cause
