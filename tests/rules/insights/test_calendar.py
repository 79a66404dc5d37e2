import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import business_days
from rules.insights.calendar import black_friday, check, events, falls_on, moment
from rules.model.events import EventType
from rules.settings.settings import Settings
from rules.settings.thresholds import CalendarOptions, Thresholds

ROME = ZoneInfo("Europe/Rome")
SIX = time(6)
DEFAULTS = CalendarOptions()


def settings(options: CalendarOptions = DEFAULTS) -> Settings:
    return Settings(thresholds=Thresholds(calendar=options))


def texts(day: date, options: CalendarOptions = DEFAULTS) -> list[str]:
    return [event.description for event in events(day, SIX, settings(options))]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 1, 1), ["Buon anno: è Capodanno!"]),
        (date(2025, 4, 20), ["Buona Pasqua!"]),
        (date(2025, 4, 21), ["Buona Pasquetta!"]),
        (date(2025, 8, 15), ["Buon Ferragosto!"]),
        (date(2025, 12, 25), ["Buon Natale!"]),
        (date(2026, 10, 4), ["Oggi è festa: San Francesco d’Assisi"]),
        (date(2025, 10, 4), []),
        (date(2026, 11, 1), ["1º novembre: Ognissanti"]),
        (date(2025, 11, 28), ["Oggi è Black Friday!"]),
        (date(2025, 12, 1), ["Oggi è Cyber Monday!"]),
        (date(2025, 11, 21), []),
        (date(2025, 3, 11), []),
    ],
)
def test_special_dates_have_events_and_ordinary_ones_do_not(day: date, expected: list[str]) -> None:
    assert texts(day) == expected


def test_a_calendar_event_is_a_campaign_in_the_dashboards_keys() -> None:
    [event] = events(date(2025, 11, 28), SIX, settings())

    assert event.type is EventType.MARKETING_CAMPAIGN
    assert event.metadata == {"special_date": "11-28", "name": "Black Friday"}
    assert event.key == "calendar:2025-11-28"
    assert event.at == datetime(2025, 11, 28, 5, tzinfo=UTC)


@pytest.mark.parametrize(("year", "day"), [(2019, 29), (2023, 24), (2024, 29), (2025, 28), (2028, 24), (2029, 23)])
def test_black_friday_follows_the_fourth_thursday_of_november(year: int, day: int) -> None:
    assert black_friday(year) == date(year, 11, day)


@given(st.integers(1990, 2037))
def test_black_friday_is_a_friday_with_four_thursdays_before_it_in_its_month(year: int) -> None:
    friday = black_friday(year)
    thursdays = [d for d in business_days.between(date(year, 11, 1), friday) if d.weekday() == 3]

    assert (friday.weekday(), len(thursdays)) == (4, 4)
    assert texts(friday + timedelta(3)) == ["Oggi è Cyber Monday!"]


def test_dates_are_switched_off_by_their_renamed_name() -> None:
    options = CalendarOptions(switched_off=frozenset({"Black Friday", "Ferragosto"}))

    assert texts(date(2025, 11, 28), options) == texts(date(2025, 8, 15), options) == []
    assert texts(date(2025, 12, 25), options) == ["Buon Natale!"]
    assert texts(date(2025, 12, 26), CalendarOptions(renamed={"Santo Stefano": "Natale"})) == ["Buon Natale!"]


def test_an_option_names_a_date_with_either_apostrophe() -> None:
    for name in ("Lunedì dell'Angelo", "Lunedì dell’Angelo"):
        assert texts(date(2025, 4, 21), CalendarOptions(switched_off=frozenset({name}))) == []
        assert texts(date(2025, 4, 21), CalendarOptions(texts={name: "Pasquetta con gli amici"})) == [
            "Pasquetta con gli amici"
        ]
        renamed = CalendarOptions(renamed={name: "San Marco"})
        assert texts(date(2025, 4, 21), renamed) == ["Oggi è festa: San Marco"]


def test_own_dates_have_one_line_events_beside_the_holiday() -> None:
    options = CalendarOptions(own_dates={"12-25": "Sconto\n del 20%", "02-01": " \u202e "})

    assert texts(date(2025, 12, 25), options) == ["Buon Natale!", "Sconto del 20%"]
    assert texts(date(2025, 2, 1), options) == []


def test_the_companys_anniversary_is_a_milestone_from_its_first_year_on() -> None:
    options = CalendarOptions(company_birthday=date(2022, 9, 9))

    assert (
        texts(date(2022, 9, 9), options) == texts(date(2021, 9, 9), options) == texts(date(2025, 9, 8), options) == []
    )
    assert texts(date(2023, 9, 9), options) == ["Chatello compie un anno!"]
    [event] = events(date(2025, 9, 9), SIX, settings(options))
    assert event.description == "Chatello compie 3 anni!"
    assert event.type is EventType.MILESTONE_REACHED
    assert event.metadata == {"special_date": "09-09", "name": "anniversary", "anniversary": 3}
    assert event.key == "calendar:2025-09-09:anniversary"


@given(st.integers(2021, 2199))
def test_a_29_february_anniversary_occurs_once_every_year(year: int) -> None:
    options = CalendarOptions(company_birthday=date(2020, 2, 29))
    year_days = business_days.between(date(year, 2, 1), date(year, 3, 31))
    is_leap = date(year, 3, 1) - date(year, 2, 1) == timedelta(29)

    anniversaries = [d for d in year_days if any("compie" in text for text in texts(d, options))]
    assert anniversaries == [date(year, 2, 29 if is_leap else 28)]


@given(st.dates(date(1990, 1, 1), date(2037, 12, 31)), st.dates(date(2024, 1, 1), date(2024, 12, 31)))
def test_a_month_and_day_falls_once_in_any_year(day: date, leap_day: date) -> None:
    whole = business_days.between(date(day.year, 1, 1), date(day.year, 12, 31))

    assert sum(falls_on(d, f"{leap_day:%m-%d}") for d in whole) == 1


@given(
    st.dates(date(1990, 1, 1), date(2037, 12, 31)),
    st.times().map(lambda t: t.replace(tzinfo=None, fold=0)),
    st.sampled_from(["Europe/Rome", "America/Santiago", "Asia/Beirut", "America/Havana", "UTC"]),
)
def test_a_moment_lies_on_its_day_also_when_clocks_change(day: date, wall: time, name: str) -> None:
    zone = ZoneInfo(name)
    at = moment(day, wall, zone)

    assert business_days.start(day, zone) <= at
    skipped = at.astimezone(zone).replace(tzinfo=None) != datetime.combine(day, wall)
    assert skipped or business_days.business_day(at, zone) == day


@pytest.mark.parametrize(("day", "hour"), [(date(2025, 3, 30), 4), (date(2025, 10, 26), 5), (date(2025, 3, 29), 5)])
def test_six_in_the_morning_is_local_time_on_days_of_23_and_25_hours(day: date, hour: int) -> None:
    assert moment(day, SIX, ROME) == datetime.combine(day, time(hour), UTC)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_keys_of_a_date_are_distinct_and_carry_it(day: date) -> None:
    own = {f"{day:%m-%d}": "Natale"}
    options = CalendarOptions(own_dates=own, company_birthday=date(1999, 5, 5))
    keys = [event.key for event in events(day, SIX, settings(options))]

    assert len(keys) == len(set(keys)) >= 1
    assert all(key.startswith(f"calendar:{day.isoformat()}") for key in keys)


def test_holiday_names_are_italian_in_any_locale() -> None:
    code = (
        "from datetime import date; from rules.insights.calendar import holiday_names; "
        "from rules.settings.thresholds import CalendarOptions; "
        "print(holiday_names(date(2025, 1, 6), CalendarOptions()))"
    )
    environment = {**os.environ, "LANG": "en_US.UTF-8", "LANGUAGE": "en_US", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['Epifania']"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"country": "XX"}, "calendar.country: must be a country of the holidays library, such as IT, got 'XX'"),
        ({"subdivision": "XX"}, "calendar.subdivision: must be one of .*MI.*, got 'XX'"),
        (
            {"country": "VA", "subdivision": "RM"},
            "calendar.subdivision: must be empty: VA has no subdivisions, got 'RM'",
        ),
        ({"language": "xx"}, "calendar.language: must be one of .*it_IT.*, got 'xx'"),
    ],
)
def test_an_unknown_calendar_is_refused_with_its_key_and_the_accepted_values(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        check(CalendarOptions(**options))


def test_a_known_calendar_is_accepted() -> None:
    check(DEFAULTS)
    check(CalendarOptions(country="DE", subdivision="BY", language="de"))
