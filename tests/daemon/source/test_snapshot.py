"""The order of ids, and the comparison of a snapshot with the mirror."""

from datetime import UTC, datetime
from typing import Any

from bson import MaxKey, MinKey, ObjectId
from bson.datetime_ms import DatetimeMS

from daemon.source import snapshot
from rules.model.changes import Source


def test_ids_are_sorted_as_the_server_sorts_them() -> None:
    values: list[Any] = [MinKey(), None, -1, 1.5, 2, "A", "a", "b", b"\x00", ObjectId("0" * 24), ObjectId("f" * 24)]
    values += [False, True, DatetimeMS(-(2**60)), datetime(2026, 1, 1, tzinfo=UTC), DatetimeMS(2**60), MaxKey()]
    shuffled = values[::2] + values[1::2]

    assert sorted(shuffled, key=snapshot.sort_key) == values


def test_the_snapshot_diff_distinguishes_new_different_and_missing_documents() -> None:
    found: list[tuple[Any, Any]] = [(1, {"name": "a"}), (2, {"name": "b"}), (4, {"name": float("nan")})]
    mirror: list[tuple[Any, Any]] = [(2, {"name": "c"}), (3, {"name": "d"}), (4, {"name": float("nan")})]
    differences = list(snapshot.differences(Source.CUSTOMERS, iter(found), iter(mirror)))

    assert [(d.id, d.found is None, d.mirrored is None) for d in differences] == [
        (1, False, True),
        (2, False, False),
        (3, True, False),
    ]
