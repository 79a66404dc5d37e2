"""Configured texts, emoji and order, used for every event and every note, with untrusted names."""

from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given

from rules.insights import calendar
from rules.model.changes import Change
from rules.model.events import EventType
from rules.rows.daily_note import Fact, compose, emoji
from rules.settings.catalog import STYLES, TEXTS, check_texts, render
from rules.settings.settings import Settings
from rules.settings.thresholds import CalendarOptions, Thresholds
from tests.rules.histories import histories
from tests.rules.shop import Shop

MARKED = {key: f"§ {text}" for key, text in TEXTS.items()}


@given(histories())
def test_every_event_of_a_change_uses_the_configured_texts(history: list[Change]) -> None:
    levels = Thresholds(customers=(1,), licenses=(1,), mrr_euros=(1,))
    results = [Shop(Settings(texts=texts, thresholds=levels)).follow(history).events for texts in (MARKED, TEXTS)]

    configured, default = ([event.description for event in events] for events in results)
    assert configured == [f"§ {text}" for text in default]


def test_a_name_with_braces_is_text() -> None:
    assert render(TEXTS, "new_customer", name="{amount} {name}") == "Nuovo cliente: {amount} {name}"


def test_a_missing_text_has_its_default() -> None:
    assert render({}, "best_day", value=4) == "Giorno record: 4 nuovi clienti!"


@pytest.mark.parametrize("text", ["", "{nome}", "{name!r}", "{name.x}", "{", "a } b"])
def test_a_text_with_invalid_fields_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="new_customer: must be a text"):
        check_texts({"new_customer": text})


def test_the_default_texts_are_valid() -> None:
    check_texts(TEXTS)


def test_a_date_has_its_configured_text() -> None:
    options = CalendarOptions(texts={"Natale": "Buone feste!"})
    [event] = calendar.events(date(2025, 12, 25), time(6), Settings(thresholds=Thresholds(calendar=options)))

    assert event.description == "Buone feste!"


def test_a_subdivisions_own_holidays_have_events() -> None:
    options = CalendarOptions(subdivision="MI")
    [event] = calendar.events(date(2025, 12, 7), time(6), Settings(thresholds=Thresholds(calendar=options)))

    assert event.description == "Oggi è festa: Sant’Ambrogio"


def test_order_plural_and_emoji_are_configurable() -> None:
    styles = {
        **STYLES,
        EventType.NEW_CUSTOMER: STYLES[EventType.NEW_CUSTOMER]._replace(rank=1000, emoji="👋", many="ciao"),
    }
    settings = Settings(styles=styles)
    facts = [Fact("new_customer", "C")] * 4 + [Fact("maintenance", "M")]

    assert compose(facts, settings) == "🔧 M • 👋 4 ciao"


def test_a_configured_emoji_overrides_the_default() -> None:
    default, own = Settings(), replace(Settings(), emojis={"growth": "🌱", "Epifania": "👑"})
    epiphany = {"special_date": "01-06", "name": "Epifania"}

    assert [emoji("milestone_reached", {"growth_period": "7_days"}, s) for s in (default, own)] == ["📈", "🌱"]
    assert [emoji("marketing_campaign", epiphany, s) for s in (default, own)] == ["🧹", "👑"]
    assert emoji("new_customer", {}, own) == ""
