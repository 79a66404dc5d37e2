"""Events of the start and the end of a day: each day is opened and closed once."""

from datetime import UTC, date, datetime, timedelta

import pytest

from rules import business_days
from rules.insights import daily
from rules.insights.daily import DailyResult
from rules.insights.trends import Day
from rules.model.decision import Memories
from rules.settings.settings import Settings

SETTINGS = Settings()
MONDAY = date(2025, 11, 24)
SUNDAY = MONDAY - timedelta(1)


def history(first: date, last: date, **numbers: int) -> list[Day]:
    usual = {"customers": 20, "paying": 9, "mrr_cents": 200_00, "new_customers": 0, "sales": 1, "cancellations": 0}
    return [Day(day, **{**usual, **numbers}) for day in business_days.between(first, last)]


def keys(result: DailyResult) -> list[str]:
    return [event.key for event in result.events]


def due(today: date, memory: Memories, days: list[Day]) -> DailyResult:
    return daily.emit_due(today, today - timedelta(1), days, memory, SETTINGS)


def test_the_first_start_opens_the_current_day_and_closes_none() -> None:
    result = due(MONDAY, {}, history(date(2025, 11, 16), SUNDAY))

    assert keys(result) == ["week:2025-48"]
    assert result.memory == {"diary": {"opened": "2025-11-24", "closed": "2025-11-23"}}


def test_a_day_that_is_opened_and_closed_emits_nothing_again() -> None:
    first = due(MONDAY, {}, history(date(2025, 11, 16), SUNDAY))
    again = due(MONDAY, first.memory, history(date(2025, 11, 16), SUNDAY))

    assert again == DailyResult([], first.memory)
    assert daily.is_up_to_date(MONDAY, SUNDAY, first.memory)
    assert not daily.is_up_to_date(MONDAY, MONDAY, first.memory)
    assert not daily.is_up_to_date(MONDAY + timedelta(1), SUNDAY, first.memory)


def test_after_a_downtime_each_missed_day_is_opened_in_order() -> None:
    memory: Memories = {"diary": {"opened": "2025-12-23", "closed": "2025-12-22"}}
    result = due(date(2025, 12, 26), memory, history(date(2025, 12, 1), date(2025, 12, 25)))

    assert [(key, event.at) for key, event in zip(keys(result), result.events, strict=True)] == [
        ("calendar:2025-12-25", datetime(2025, 12, 24, 23, tzinfo=UTC)),
        ("calendar:2025-12-26", datetime(2025, 12, 25, 23, tzinfo=UTC)),
    ]


def test_a_downtime_of_years_catches_up_with_the_last_month_only() -> None:
    memory: Memories = {"diary": {"opened": "2020-01-01", "closed": "2020-01-01"}}
    result = due(date(2026, 1, 7), memory, [])

    assert keys(result) == [
        f"calendar:{day}" for day in ("2025-12-08", "2025-12-25", "2025-12-26", "2026-01-01", "2026-01-06")
    ]


def test_a_day_begins_with_its_summaries_at_midnight_of_the_shop() -> None:
    first = date(2025, 12, 1)
    events = daily.opening_events(first, history(date(2025, 10, 31), date(2025, 11, 30)), SETTINGS)

    assert [event.key for event in events] == ["week:2025-49", "month:2025-12", "calendar:2025-12-01"]
    assert {event.at for event in events} == {datetime(2025, 11, 30, 23, tzinfo=UTC)}


def test_growth_is_dated_at_the_last_millisecond_of_the_day_and_remembered() -> None:
    days = [
        *history(date(2025, 11, 1), date(2025, 11, 29)),
        *history(date(2025, 11, 30), date(2025, 11, 30), customers=40),
    ]
    seen: Memories = {"growth": {}, "trends": {"seen": "2025-11-29"}, "other": {"kept": 1}}
    events, memory = daily.closing_events(days, seen, SETTINGS)

    assert "+20 clienti" in events[0].description
    assert {event.at for event in events} == {datetime(2025, 11, 30, 22, 59, 59, 999_000, tzinfo=UTC)}
    assert memory["growth"] != {}
    assert (memory["trends"]["seen"], memory["other"]) == ("2025-11-30", {"kept": 1})


@pytest.mark.parametrize("gone", [7, 6])
def test_growth_compares_with_the_day_a_week_before_and_needs_it(gone: int) -> None:
    days = history(date(2025, 11, 1), date(2025, 11, 30))
    days[-1] = days[-1]._replace(customers=40)
    kept = [day for day in days if day.date != date(2025, 11, 30) - timedelta(gone)]
    events, _ = daily.closing_events(kept, {}, SETTINGS)

    assert bool(events) is (gone != 7)


def test_a_day_is_closed_with_the_days_up_to_it_and_no_later_one() -> None:
    days = [
        *history(date(2025, 11, 1), date(2025, 11, 29)),
        *history(MONDAY + timedelta(6), MONDAY + timedelta(6), customers=90),
    ]
    memory: Memories = {"diary": {"opened": "2025-11-29", "closed": "2025-11-28"}}
    result = daily.emit_due(date(2025, 11, 29), date(2025, 11, 29), days, memory, SETTINGS)

    assert result.events == []
    assert result.memory["trends"]["seen"] == "2025-11-29"


def test_without_history_nothing_is_closed() -> None:
    assert daily.closing_events([], {"growth": {"a": 1}}, SETTINGS) == ([], {"growth": {"a": 1}})


def test_the_totals_of_a_day_are_its_customers_and_mrr() -> None:
    totals = daily.totals(Day(MONDAY, 20, 9, 200_00, 1, 2, 3))
    assert (totals.customers, totals.paying_customers, totals.mrr_cents) == (20, 9, 200_00)
