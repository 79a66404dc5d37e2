"""Rows as the page shows them, whatever they contain, and storing a manual note."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest
from bson.datetime_ms import DatetimeMS

from daemon import clock
from daemon.mongo.types import Database
from daemon.store import rows as row_store
from daemon.store.rows import NoteOutcome
from daemon.web.page import addresses, texts
from daemon.web.page.parts import rows
from rules import business_days
from rules.rows import note_grammar
from rules.settings import italian

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
        ({"notes": "b"}, texts.BY_DASHBOARD),
    ],
)
def test_the_author_of_a_note(stored: dict[str, Any], author: str) -> None:
    assert rows.author(stored).text == author


def test_the_tags_of_a_row() -> None:
    plain = {"notes": "a", "auto_notes": "a"}
    assert [tag.kind for tag in rows.tags({**plain, "final": False})] == ["running"]
    assert [tag.kind for tag in rows.tags({**plain, "reconstructed": True})] == ["reconstructed"]
    assert [tag.kind for tag in rows.tags({**plain, "final": True, "revision": 2})] == ["revised"]


def test_a_note_is_split_into_facts_without_control_characters() -> None:
    facts = rows.facts("🎉 Nuovo cliente: A\u202eB • 💰 Pagamento\nIVA ok\x1b[0m • ")

    assert facts == ["🎉\u00a0Nuovo cliente: AB", "💰\u00a0Pagamento", "IVA ok[0m"]
    assert sum(map(len, rows.facts("x • " * 1_000_000))) < note_grammar.MAX_LENGTH
    assert rows.facts("💰 Pagamento: €7.99") == ["💰\xa0Pagamento: €\xa07,99"]
    assert rows.facts(None) == rows.facts({"$ne": 1}) == []


def test_a_row_with_invalid_values_shows_dashes() -> None:
    shown = rows.daily({"date": "yesterday", "mrr": "much", "total_customers": [], "notes": 7, "revision": "x"})

    assert (shown.date, shown.mrr, shown.customers, shown.paying, shown.facts) == (*[italian.DASH] * 4, [])


def test_a_manual_note_keeps_its_lines_and_loses_invisible_characters() -> None:
    assert note_grammar.cleaned("  Uno\r\n\u202eDue\x00 \r\n") == "Uno\nDue"


def test_a_manual_note_replaces_only_an_automatic_note_or_the_one_that_was_seen(database: Database) -> None:
    database.historical_analytics.insert_one(document(notes="nostra", auto_notes="nostra"))

    assert row_store.set_note(database, DAY, "mia", "qualunque", NOW) is NoteOutcome.WRITTEN
    assert row_store.set_note(database, DAY, "altra", "mai vista", NOW) is NoteOutcome.CHANGED_SINCE
    assert stored(database)["notes"] == "mia"
    assert row_store.set_note(database, DAY, "altra", "mia", NOW) is NoteOutcome.WRITTEN
    assert row_store.set_note(database, DAY, "", "altra", NOW) is NoteOutcome.WRITTEN
    assert stored(database)["notes"] == "nostra"
    assert row_store.set_note(database, date(2020, 1, 1), "mia", "", NOW) is NoteOutcome.NO_ROW


def test_a_comment_of_the_form_stays_one_although_the_note_changed_since_it_was_loaded(
    http_client: httpx2.Client, database: Database
) -> None:
    database.historical_analytics.insert_one(document(notes="vecchia | Ferie", auto_notes="vecchia", revision=0))
    (seen, *_) = re.findall(r'name="visto" value="(\w+)"', http_client.get(addresses.day(DAY)).text)
    database.historical_analytics.update_one({}, {"$set": {"notes": "nuova | Ferie", "auto_notes": "nuova"}})
    answer = http_client.post(f"{addresses.day(DAY)}/commento", data={"testo": "Ponte", "visto": seen})

    assert (answer.status_code, stored(database)["notes"]) == (303, "nuova | Ponte")


def test_a_note_that_looks_like_a_field_path_is_text(database: Database) -> None:
    database.historical_analytics.insert_one(document(auto_notes="a"))
    row_store.set_note(database, DAY, "$mrr", "a", NOW)

    assert stored(database)["notes"] == "$mrr"


def test_pages_are_newest_first_and_omit_invalid_dates(database: Database) -> None:
    database.command("insert", "historical_analytics", documents=[document(date=10**18)])  # a number, not a date
    database.historical_analytics.insert_one(document())
    database.historical_analytics.insert_one(document(period_type="monthly"))

    assert [row["date"].date() for row in row_store.page(database, "daily", None, (0, 10))] == [DAY]
    assert row_store.count(database, "daily", DAY) == 1
    assert [
        *row_store.daily_numbers(database, None, date(2026, 11, 22)),
        *row_store.daily_numbers(database, date(2026, 11, 24), DAY),
    ] == []


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_row_of_the_first_or_last_day_of_the_calendar_does_not_hide_the_chart(
    http_client: httpx2.Client, database: Database, day: date
) -> None:
    today = clock.now().date()
    days = (day, today - timedelta(2), today - timedelta(1))
    database.historical_analytics.insert_many([document(date=business_days.stored(one)) for one in days])

    for query in ("periodo=tutto", "periodo=365&confronto=si", "periodo=7"):
        answer = http_client.get(f"/analytics/andamento?{query}")
        assert (answer.status_code, "<svg" in answer.text) == (200, True)


def stored(database: Database) -> dict[str, Any]:
    return database.historical_analytics.find_one({"period_type": "daily"}) or {}


@pytest.mark.parametrize("milliseconds", [-(10**14), 2 * 10**15])
@pytest.mark.parametrize("period", ["tutto", "mesi", "30"])
def test_a_row_with_a_date_beyond_python_does_not_hide_the_others(
    http_client: httpx2.Client, database: Database, period: str, milliseconds: int
) -> None:
    kind = "monthly" if period == "mesi" else "daily"
    invalid = document(date=DatetimeMS(milliseconds), period_type=kind, final=True)
    valid = document(date=business_days.stored(clock.now().date()), period_type=kind)
    database.historical_analytics.insert_many([invalid, valid])
    answer = http_client.get("/analytics/andamento", params={"periodo": period})

    assert answer.status_code == 200
    assert answer.text.count('<tr role="row"') == 2  # the header, and the row with a valid date
