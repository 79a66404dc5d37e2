from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import business_days

ROME = ZoneInfo("Europe/Rome")
SIX = time(6)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2025, 3, 30), 23), (date(2025, 10, 26), 25), (date(2025, 8, 20), 24), (date(2024, 12, 31), 24)],
)
def test_a_business_day_in_rome_has_the_hours_of_its_clock_change(day: date, hours: int) -> None:
    assert business_days.start(day + business_days.ONE_DAY, ROME) - business_days.start(day, ROME) == timedelta(
        hours=hours
    )


def test_an_instant_belongs_to_the_day_in_the_configured_zone() -> None:
    assert business_days.business_day(datetime(2025, 8, 20, 21, 59, 59, tzinfo=UTC), ROME) == date(2025, 8, 20)
    assert business_days.business_day(datetime(2025, 8, 20, 22, 0, tzinfo=UTC), ROME) == date(2025, 8, 21)
    assert business_days.business_day(datetime(2025, 1, 20, 22, 30, tzinfo=UTC), ROME) == date(2025, 1, 20)


@given(
    st.dates(date(1990, 1, 1), date(2037, 12, 31)),
    st.sampled_from(["Europe/Rome", "UTC", "America/New_York", "America/Santiago", "Asia/Beirut", "America/Havana"]),
)
def test_days_follow_each_other_without_a_gap_in_any_zone(day: date, name: str) -> None:
    zone = ZoneInfo(name)
    start = business_days.start(day, zone)

    assert business_days.business_day(start, zone) == day
    assert business_days.business_day(start - timedelta(microseconds=1), zone) == day - business_days.ONE_DAY


def test_a_day_is_stored_as_its_date_at_midnight_utc() -> None:
    assert business_days.stored(date(2025, 8, 20)) == datetime(2025, 8, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2025, 8, 20, 3, 59, tzinfo=UTC), date(2025, 8, 18)),
        (datetime(2025, 8, 20, 4, 0, tzinfo=UTC), date(2025, 8, 19)),
        (datetime(2025, 8, 20, 21, 59, tzinfo=UTC), date(2025, 8, 19)),
        (datetime(2025, 8, 20, 22, 0, tzinfo=UTC), date(2025, 8, 19)),
        (datetime(2025, 10, 26, 4, 59, tzinfo=UTC), date(2025, 10, 24)),
        (datetime(2025, 10, 26, 5, 0, tzinfo=UTC), date(2025, 10, 25)),
    ],
)
def test_yesterday_is_closed_from_six_in_the_morning_local_time(now: datetime, last: date) -> None:
    assert business_days.last_closed(now, SIX, ROME) == last


def test_every_day_without_a_final_row_is_due_oldest_first() -> None:
    known = {date(2025, 8, 2), date(2025, 8, 4)}

    assert list(business_days.due(known, date(2025, 8, 1), date(2025, 8, 5))) == [
        date(2025, 8, 1),
        date(2025, 8, 3),
        date(2025, 8, 5),
    ]
    assert list(business_days.due(known, date(2025, 8, 5), date(2025, 8, 1))) == []


def test_consecutive_days_are_grouped_into_ranges() -> None:
    days = [date(2025, 2, 27), date(2025, 2, 28), date(2025, 3, 1), date(2025, 3, 5), date(2025, 3, 7)]

    assert list(business_days.runs(days)) == [
        (date(2025, 2, 27), date(2025, 3, 1)),
        (date(2025, 3, 5), date(2025, 3, 5)),
        (date(2025, 3, 7), date(2025, 3, 7)),
    ]
    assert list(business_days.runs([])) == []


def test_times_of_any_days_have_their_own_days() -> None:
    late, early = datetime(2025, 8, 20, 22, 30, tzinfo=UTC), datetime(2025, 8, 20, 21, 30, tzinfo=UTC)

    assert business_days.business_days([], ROME) == []
    assert business_days.business_days([early, early], ROME) == [date(2025, 8, 20)] * 2
    assert business_days.business_days([late, early, late], ROME) == [
        date(2025, 8, 21),
        date(2025, 8, 20),
        date(2025, 8, 21),
    ]


@given(st.dates())
def test_a_day_is_read_in_one_form_and_has_neighbors_in_any_zone(day: date) -> None:
    is_within = date.min.year < day.year < date.max.year
    if not is_within:
        with pytest.raises(ValueError, match="must be a date such as 2026-11-23"):
            business_days.parsed(str(day))
        return

    assert business_days.parsed(str(day)) == day
    for name in ("Pacific/Kiritimati", "Etc/GMT+12"):
        assert business_days.start(day, ZoneInfo(name)) < business_days.start(day + timedelta(1), ZoneInfo(name))


@pytest.mark.parametrize(
    "text", ["", "2026-02-30", "20260223", "2026-W01-1", "2026-2-3", "2026-02-23T00:00", " 2026-02-23"]
)
def test_a_day_in_another_form_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a date such as 2026-11-23$"):
        business_days.parsed(text)


@pytest.mark.parametrize("day", [date(2, 1, 1), date(9998, 12, 31)])
def test_the_second_year_and_the_last_but_one_are_whole(day: date) -> None:
    assert business_days.parsed(str(day)) == day


@pytest.mark.parametrize("name", ["Europe/Rome", "America/New_York"])
@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar_have_a_day_in_any_zone(at: datetime, name: str) -> None:
    zone = ZoneInfo(name)

    assert business_days.local(at, zone) == at
    assert business_days.business_day(at, zone) == at.date()
