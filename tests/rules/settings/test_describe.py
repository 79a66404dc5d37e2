from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rules.model.events import EventType
from rules.settings.catalog import STYLES
from rules.settings.custom_rules import CustomRule
from rules.settings.describe import describe
from rules.settings.goals import Goal, GoalMetric
from rules.settings.settings import Settings
from rules.settings.thresholds import CalendarOptions, Thresholds

OTHER_SETTINGS: dict[str, Any] = {
    "zone": ZoneInfo("Asia/Tokyo"),
    "rates": {"USD": Decimal("0.9")},
    "plan_order": ("pro", "starter"),
    "manual_source": "hand",
    "manual_email": "a@b.c",
    "note_names": 7,
    "note_length": 99,
    "texts": {"best_day": "Che giorno!"},
    "styles": {**STYLES, EventType.NEW_CUSTOMER: STYLES[EventType.NEW_CUSTOMER]._replace(emoji="👋")},
    "plan_names": {"pro": "Pro+"},
    "emojis": {"growth": "🌱"},
    "custom": (CustomRule("a", "b", "partnership", "c"),),
    "goals": (Goal(GoalMetric.MRR, 3000, date(2027, 3, 31)),),
}
OTHER_DATES: dict[str, Any] = {
    "country": "FR",
    "subdivision": "BZ",
    "language": "en_US",
    "renamed": {},
    "own_dates": {"05-20": "Compleanno"},
    "texts": {"Natale": "Auguri"},
    "company_name": "Altra",
    "company_birthday": date(2020, 5, 20),
    "switched_off": frozenset(("Natale",)),
}


def described(settings: Settings) -> str:
    return str(list(describe(settings)))


NOT_RULES = ("thresholds", "deletion_limit")
"""Explained one by one below; and a setting of [reconciliation]."""


@pytest.mark.parametrize("name", [field.name for field in fields(Settings) if field.name not in NOT_RULES])
def test_every_setting_shows_in_the_explanation(name: str) -> None:
    assert described(replace(Settings(), **{name: OTHER_SETTINGS[name]})) != described(Settings())


@pytest.mark.parametrize("name", [field.name for field in fields(Thresholds) if field.name != "calendar"])
def test_every_threshold_shows_in_the_explanation(name: str) -> None:
    other: Any = (77, 78) if isinstance(getattr(Thresholds(), name), tuple) else 77
    assert described(Settings(thresholds=replace(Thresholds(), **{name: other}))) != described(Settings())


@pytest.mark.parametrize("name", [field.name for field in fields(CalendarOptions)])
def test_every_option_of_the_calendar_shows_in_the_explanation(name: str) -> None:
    named = CalendarOptions(company_birthday=date(2019, 1, 1))
    pair = (named, replace(named, **{name: OTHER_DATES[name]}))
    before, after = (described(Settings(thresholds=Thresholds(calendar=options))) for options in pair)

    assert before != after
