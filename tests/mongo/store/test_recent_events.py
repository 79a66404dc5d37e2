"""The newest events of some types: equal pages by either index, and few documents examined for rare types."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.mongo.types import Database
from daemon.store import events, indexes
from tests.server_cost import examined

NEWEST = datetime(2026, 11, 20, tzinfo=UTC)
OLDEST = NEWEST - timedelta(days=10)
COUNT, TOGETHER = 6000, 40
RARE, FREQUENT, OTHER = "partnership", "license_created", "new_customer"


@pytest.fixture
def stored(database: Database) -> list[dict[str, Any]]:
    """Insert events and return them in insertion order: 40 per instant; 18 of a rare type, three per instant."""
    indexes.create(database)
    documents = [{"event_type": kind(n), "event_date": instant(n), "n": n} for n in range(COUNT)]
    database.business_events.insert_many(documents)
    return documents


def kind(number: int) -> str:
    return RARE if place(number) % 1000 < 3 else (FREQUENT, OTHER)[number % 2]


def instant(number: int) -> datetime:
    return NEWEST - timedelta(minutes=place(number) // TOGETHER)


def place(number: int) -> int:
    """Return the position of an event in the list, newest first, which differs from the insertion order."""
    return number * 7 % COUNT


def newest(stored: list[dict[str, Any]], *types: str, since: datetime = OLDEST) -> list[int]:
    """Return the expected numbers; of one instant the event inserted last is first."""
    wanted = [one for one in stored if one["event_type"] in types and one["event_date"] >= since]
    return [one["n"] for one in sorted(wanted, key=lambda one: (one["event_date"], one["n"]), reverse=True)]


def pages(database: Database, limit: int, *types: str, since: datetime) -> Iterator[list[int]]:
    cursor = None
    while page := events.recent(database, since, limit, cursor, types):
        cursor = events.cursor_after(page, cursor)
        yield [one["n"] for one in page]


@pytest.mark.parametrize("types", [(RARE,), (FREQUENT,), (RARE, FREQUENT), ("maintenance",), ("maintenance", RARE)])
@pytest.mark.parametrize(("limit", "hours"), [(5, 1), (7, 1000), (900, 1000)])
def test_pages_of_some_types_hold_each_event_once_the_newest_first(
    database: Database, stored: list[dict[str, Any]], types: tuple[str, ...], limit: int, hours: int
) -> None:
    since = NEWEST - timedelta(hours=hours)
    found = list(pages(database, limit, *types, since=since))

    assert [number for page in found for number in page] == newest(stored, *types, since=since)
    assert all(len(page) == limit for page in found[:-1])


def test_a_page_continues_after_one_that_was_read_by_the_other_index(
    database: Database, stored: list[dict[str, Any]]
) -> None:
    """The index of types comes and goes during paging: each event, also of one instant, is returned once."""
    cursor, seen, types, has_index = None, [], (RARE, "maintenance"), True
    while page := events.recent(database, OLDEST, 1, cursor, types):
        cursor = events.cursor_after(page, cursor)
        seen += [one["n"] for one in page]
        has_index = not has_index
        (indexes.create if has_index else drop_index_of_types)(database)

    assert seen == newest(stored, *types)


def drop_index_of_types(database: Database) -> None:
    database.business_events.drop_index(list(events.BY_TYPE))


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        pytest.param(lambda db: events.recent(db, OLDEST, 10, None, (RARE,)), 200, id="rare"),
        pytest.param(lambda db: events.recent(db, OLDEST, 10, None, ("none",)), 0, id="none"),
        pytest.param(lambda db: events.recent(db, OLDEST, 10, None, (FREQUENT,)), 300, id="many"),
        pytest.param(lambda db: events.recent(db, NEWEST - timedelta(minutes=2), 10, None, (RARE,)), 150, id="short"),
    ],
)
def test_the_server_examines_a_small_part_of_the_events_for_one_page(
    database: Database, stored: list[dict[str, Any]], ask: Callable[[Database], object], most: int
) -> None:
    assert min(1, most) <= examined(database, lambda: ask(database)) <= most < len(stored)


def test_without_an_index_of_types_the_date_index_is_used(database: Database, stored: list[dict[str, Any]]) -> None:
    drop_index_of_types(database)

    assert [one["n"] for one in events.recent(database, OLDEST, 3, None, (RARE,))] == newest(stored, RARE)[:3]
