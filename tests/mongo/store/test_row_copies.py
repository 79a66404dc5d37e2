"""Announcing rows: once when they become final, then the net difference; nothing where no target is configured."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.mongo.collections import WRITTEN_ROWS
from daemon.mongo.types import Database
from daemon.store import row_copies, rows
from rules.model.facts import Fact, FactType, RowFact

NOW = datetime(2026, 11, 26, 5, tzinfo=UTC)
DAY = datetime(2026, 11, 25, tzinfo=UTC)


def write(database: Database, mrr: float, *, final: bool = True, announces: bool = True, note: str = "") -> None:
    row = {"date": DAY, "period_type": "daily", "mrr": mrr, "total_customers": 3, "auto_notes": note}
    rows.write(database, row, final=final, now=NOW, announces=announces)


def announce(database: Database) -> list[Fact]:
    """Do what the leader does: turn marked copies into facts, and record their numbers as announced."""
    found = row_copies.to_announce(database)
    if found:
        database[WRITTEN_ROWS].bulk_write(row_copies.announcements(found))
    return [fact for copy in found if (fact := row_copies.fact_of(copy, NOW)) is not None]


def changes(fact: Fact) -> list[tuple[Any, ...]]:
    assert isinstance(fact.subject, RowFact)
    return [tuple(change) for change in fact.subject.changes]


def test_a_row_is_announced_when_it_becomes_final_and_when_its_numbers_change(database: Database) -> None:
    write(database, 7.99, final=False)
    assert announce(database) == []
    write(database, 7.99)
    (closed,) = announce(database)
    write(database, 7.99, note="🎉 Nuovo cliente: TechCorp")
    assert announce(database) == []
    write(database, 15.98)
    (amended,) = announce(database)

    assert (closed.type, amended.type) == (FactType.DAY_CLOSED, FactType.DAY_AMENDED)
    assert closed.id.startswith("day-2026-11-25.")
    assert amended.id.startswith("day-2026-11-25.r2.")
    assert changes(amended) == [("mrr_cents", 799, 1598)]
    assert announce(database) == []


def test_a_row_amended_twice_and_back_between_two_looks_is_silent(database: Database) -> None:
    write(database, 7.99)
    announce(database)
    write(database, 1)
    write(database, 7.99)

    assert announce(database) == []


def test_the_first_amendment_of_a_row_from_before_the_targets_is_a_difference(database: Database) -> None:
    write(database, 7.99, announces=False)
    assert announce(database) == []
    write(database, 1)

    (amended,) = announce(database)
    assert (amended.type, changes(amended)) == (FactType.DAY_AMENDED, [("mrr_cents", 799, 100)])


def test_without_targets_nothing_is_marked_and_old_marks_are_removed(database: Database) -> None:
    write(database, 7.99)
    announce(database)
    write(database, 1, announces=False)

    assert not {row_copies.ANNOUNCE, row_copies.ANNOUNCED} & (database[WRITTEN_ROWS].find_one() or {}).keys()


def test_the_row_in_the_table_has_no_marks(database: Database) -> None:
    write(database, 7.99)
    announce(database)
    write(database, 1)

    stored = database["historical_analytics"].find_one() or {}
    assert stored["mrr"] == 1
    assert not {row_copies.ANNOUNCE, row_copies.ANNOUNCED} & stored.keys()


@pytest.mark.usefixtures("database")
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(st.one_of(st.integers(1, 3), st.just("announce")), max_size=8))
def test_what_was_announced_adds_up_to_the_row(database: Database, steps: list[Any]) -> None:
    """Whatever is written between two looks, the differences lead from the numbers at closing to those of the row."""
    for name in (WRITTEN_ROWS, "historical_analytics"):
        database[name].delete_many({})
    known: int | None = None
    for step in ["announce", 2, *steps, "announce"]:
        if step != "announce":
            write(database, step)
            continue
        for fact in announce(database):
            if fact.type is FactType.DAY_CLOSED:
                assert known is None
                known = round(((database[WRITTEN_ROWS].find_one() or {})["mrr"]) * 100)
            else:
                ((field, before, after),) = changes(fact)
                assert (field, before) == ("mrr_cents", known)
                known = after
    assert known == round((database[WRITTEN_ROWS].find_one() or {})["mrr"] * 100)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_row_that_a_kill_kept_from_being_written_is_not_announced(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    write(database, 7.99, final=not is_new)
    announce(database)
    with monkeypatch.context() as killed:
        killed.setattr(rows, "_replace", _kill)
        with pytest.raises(KeyboardInterrupt):
            write(database, 15.98)
    assert announce(database) == []
    write(database, 15.98)

    assert [fact.type for fact in announce(database)] == [FactType.DAY_CLOSED if is_new else FactType.DAY_AMENDED]


def _kill(*_: object) -> bool:
    raise KeyboardInterrupt
