"""Texts of the page: Italian number, euro and date formats, and complete sets of texts."""

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from daemon.runtime.metrics import CAUSES, ROLES
from daemon.web.page import system_texts, texts
from daemon.web.page.environment import HERE
from rules.settings import italian, message_texts

N = italian.NBSP


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (217.7, f"€{N}217,70"),
        (1234567.891, f"€{N}1.234.567,89"),
        (-7.99, f"−€{N}7,99"),
        (-0.001, f"€{N}0,00"),
        (0, f"€{N}0,00"),
        (float("nan"), italian.DASH),
        (float("inf"), italian.DASH),
        (True, italian.DASH),
        ("12,50", italian.DASH),
        (None, italian.DASH),
    ],
)
def test_euros_have_the_italian_format_and_invalid_amounts_are_a_dash(amount: object, written: str) -> None:
    assert italian.euro(amount) == written


def test_counts_have_thousands_separators_and_changes_have_signs() -> None:
    assert [italian.integer(1234), italian.integer(-5), italian.integer("7")] == ["1.234", "−5", italian.DASH]
    assert [italian.signed(12), italian.signed(-1234)] == ["+12", "−1.234"]
    assert [italian.signed_cents(799), italian.signed_cents(-799)] == [f"+€{N}7,99", f"−€{N}7,99"]
    assert [texts.percent(1, 3), texts.percent(0, 3), texts.percent(1, 0)] == ["33%", italian.DASH, italian.DASH]


def test_amounts_of_notes_are_shown_in_the_italian_format() -> None:
    note = "Raggiunti €2500 di MRR! 2 pagamenti (€12345.60), -€7.99, €1.5, €1.234"

    assert italian.with_readers_euros(note) == (
        f"Raggiunti €{N}2.500 di MRR! 2 pagamenti (€{N}12.345,60), −€{N}7,99, €1.5, €1.234"
    )


def test_dates_have_the_italian_format() -> None:
    day = date(2026, 11, 24)
    assert (texts.day(day), texts.long_day(day)) == ("24/11/2026", "martedì 24 novembre 2026")
    assert [texts.short_month(date(2026, month, 1)) for month in (1, 5, 12)] == ["gen ’26", "mag", "dic"]
    at = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert italian.moment(at, ZoneInfo("Europe/Rome")) == "24/11/2026 alle 00:30"
    assert texts.day("2026-11-24") == italian.moment(None, UTC) == italian.DASH


def test_durations_are_in_their_largest_unit() -> None:
    durations = [italian.duration(seconds) for seconds in (1, 59, 60, 7199, 7200, 86400, 200000)]
    assert durations == ["1 secondo", "59 secondi", "1 minuto", "1 ora", "2 ore", "1 giorno", "2 giorni"]


def test_every_counted_text_has_a_singular_form() -> None:
    every = {**vars(texts), **vars(system_texts)}
    forms = {name: two for name, two in every.items() if isinstance(two, tuple) and len(two) == 2}
    counted = {name: two for name, two in forms.items() if "{count}" in two[1]}

    assert {"ITEMS_TO_CHECK", "LIMITED_SOLD", "LIMITED_LEFT", "GAP_RECOVERED", "AND_MORE"} <= set(counted)
    for two in counted.values():
        assert re.search(r"\b(1|un)\b", italian.plural(two, 1)) and "{" not in italian.plural(two, 1)
        assert "1.234" in italian.plural(two, 1234)
    without_singular = [name for name, text in every.items() if isinstance(text, str) and "{count}" in text]
    assert without_singular == []


def test_every_role_and_cause_has_a_text() -> None:
    assert set(system_texts.ROLES) == set(ROLES)
    assert set(message_texts.CAUSES) >= set(CAUSES)
    assert set(system_texts.ROLE_HINTS) | {"leader", "standby"} == set(ROLES)


def test_templates_contain_no_visible_text() -> None:
    """Visible texts are in `texts`; templates contain punctuation and symbols only."""
    for template in (HERE / "templates").glob("*.html"):
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>|&nbsp;", " ", template.read_text(), flags=re.DOTALL)
        assert set(text) <= set(" \n:.·•←→✎") | {"\u00a0"}, (template.name, text.split())
