"""Rows as the page shows them, whoever wrote them, and a person's note taken in."""

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from bson.datetime_ms import DatetimeMS

from daemon import clock
from daemon.mongo.types import Database
from daemon.store import table
from daemon.store.table import Noted
from daemon.web.page import rows, texts
from rules import business_days

DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def document(**more: Any) -> dict[str, Any]:
    return {
        "date": datetime(2026, 11, 23, tzinfo=UTC),
        "period_type": "daily",
        "total_customers": 36,
        "paying_customers": 26,
        "mrr": 217.7,
        "notes": "a",
        **more,
    }


@pytest.mark.parametrize(
    ("stored", "author"),
    [
        ({"notes": "a", "auto_notes": "a"}, texts.AUTO),
        ({"notes": "", "auto_notes": "a"}, texts.AUTO),
        ({"notes": None, "auto_notes": ""}, texts.AUTO),
        ({"notes": "b", "auto_notes": "a"}, texts.BY_HAND),
        ({"notes": "b"}, texts.BY_OTHERS),
    ],
)
def test_a_note_says_who_wrote_it(stored: dict[str, Any], author: str) -> None:
    assert rows.author(stored).text == author


def test_a_row_says_what_it_is() -> None:
    plain = {"notes": "a", "auto_notes": "a"}
    assert [tag.kind for tag in rows.tags({**plain, "final": False})] == ["running"]
    assert [tag.kind for tag in rows.tags({**plain, "reconstructed": True})] == ["reconstructed"]
    assert [tag.kind for tag in rows.tags({**plain, "final": True, "revision": 2})] == ["revised"]


def test_a_note_is_shown_as_its_facts_each_on_a_harmless_line() -> None:
    told = rows.facts("🎉 Nuovo cliente: A\u202eB • 💰 Pagamento\nIVA ok\x1b[0m • ")

    assert told == ["🎉\u00a0Nuovo cliente: AB", "💰\u00a0Pagamento", "IVA ok[0m"]
    assert sum(map(len, rows.facts("x • " * 1_000_000))) < rows.LONGEST_NOTE
    assert rows.facts(None) == rows.facts({"$ne": 1}) == []


def test_a_row_of_nonsense_is_dashes() -> None:
    shown = rows.daily({"date": "yesterday", "mrr": "much", "total_customers": [], "notes": 7, "revision": "x"})

    assert (shown.date, shown.mrr, shown.customers, shown.paying, shown.facts) == (*[texts.DASH] * 4, [])


def test_what_a_person_writes_keeps_its_lines_and_loses_what_nobody_sees() -> None:
    assert rows.writable("  Uno\r\n\u202eDue\x00 \r\n") == "Uno\nDue"


def test_a_note_is_written_over_ours_and_over_the_one_that_was_seen_only(database: Database) -> None:
    database.historical_analytics.insert_one(document(notes="nostra", auto_notes="nostra"))

    assert table.note(database, DAY, "mia", "qualunque", NOW) is Noted.WRITTEN
    assert table.note(database, DAY, "altra", "mai vista", NOW) is Noted.CHANGED_MEANWHILE
    assert stored(database)["notes"] == "mia"
    assert table.note(database, DAY, "altra", "mia", NOW) is Noted.WRITTEN
    assert table.note(database, DAY, "", "altra", NOW) is Noted.WRITTEN
    assert stored(database)["notes"] == "nostra"
    assert table.note(database, date(2020, 1, 1), "mia", "", NOW) is Noted.NO_ROW


def test_a_note_that_looks_like_a_field_is_text(database: Database) -> None:
    database.historical_analytics.insert_one(document(auto_notes="a"))
    table.note(database, DAY, "$mrr", "a", NOW)

    assert stored(database)["notes"] == "$mrr"


def test_pages_are_newest_first_and_leave_out_dates_that_nobody_knows(database: Database) -> None:
    database.command("insert", "historical_analytics", documents=[document(date=10**18)])  # a number is no date
    database.historical_analytics.insert_one(document())
    database.historical_analytics.insert_one(document(period_type="monthly"))

    assert [row["date"].date() for row in table.page(database, "daily", None, 0, 10)] == [DAY]
    assert table.count(database, "daily", DAY) == 1
    assert [*table.course(database, None, date(2026, 11, 22)), *table.course(database, date(2026, 11, 24), DAY)] == []


def stored(database: Database) -> dict[str, Any]:
    return database.historical_analytics.find_one({"period_type": "daily"}) or {}


@pytest.mark.parametrize("milliseconds", [-(10**14), 2 * 10**15])
@pytest.mark.parametrize("period", ["all", "months", "30"])
def test_a_row_of_no_date_that_python_knows_keeps_nobody_from_the_others(
    door: httpx.Client, database: Database, period: str, milliseconds: int
) -> None:
    kind = "monthly" if period == "months" else "daily"
    odd = document(date=DatetimeMS(milliseconds), period_type=kind, final=True)
    whole = document(date=business_days.stored(clock.now().date()), period_type=kind)
    database.historical_analytics.insert_many([odd, whole])
    answer = door.get("/analytics", params={"period": period})

    assert answer.status_code == 200
    assert answer.text.count('<tr role="row"') == 2  # the head, and the row that has a date
