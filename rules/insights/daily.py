"""Daily events, which no change causes: calendar and summaries at the start of a day, growth and trends at its end.

Each day is opened and closed once; the memory `diary` holds the last day opened and closed. The first start opens the
current day and closes no past day.
"""

from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from typing import NamedTuple

from rules import business_days
from rules.insights import calendar, growth, summaries, trends
from rules.insights.trends import Day
from rules.model.decision import Memories
from rules.model.events import Event
from rules.model.ledger import Totals
from rules.settings.settings import Settings

DIARY, GROWTH, TRENDS = "diary", "growth", "trends"
MAX_CATCH_UP_DAYS = 31
"""Maximum number of past days to catch up after a downtime."""


class DailyResult(NamedTuple):
    """The events of the days that began or ended, and the next memory of all rules."""

    events: list[Event]
    memory: Memories


def is_up_to_date(today: date, closed: date, memory: Memories) -> bool:
    """Return whether `today` is opened and `closed` is closed, so that no event is due."""
    return memory.get(DIARY) == {"opened": today.isoformat(), "closed": closed.isoformat()}


def emit_due(today: date, closed: date, history: Sequence[Day], memory: Memories, settings: Settings) -> DailyResult:
    """Return the events of all days to open up to `today` and to close up to `closed`, oldest first.

    `history` holds the completed days, oldest first, without gaps.
    """
    events: list[Event] = []
    for day in _not_emitted("opened", today, today, memory):
        events += opening_events(day, history, settings)
    for day in _not_emitted("closed", closed, closed + business_days.ONE_DAY, memory):
        emitted, memory = closing_events([past for past in history if past.date <= day], memory, settings)
        events += emitted
    return DailyResult(events, {**memory, DIARY: {"opened": today.isoformat(), "closed": closed.isoformat()}})


def opening_events(day: date, history: Sequence[Day], settings: Settings) -> list[Event]:
    """Return the events at the start of a day: summaries of the week or month that ended, then calendar events."""
    at = business_days.start(day, settings.zone)
    dates = calendar.events(day, time.min, settings)
    return [*summaries.events(day, at, history), *dates]


def closing_events(history: Sequence[Day], memory: Memories, settings: Settings) -> tuple[list[Event], Memories]:
    """Return the events of the last day of `history`, dated at its last millisecond, and the next memory.

    They are growth since `growth_days` before, and trends.
    """
    if not history:
        return [], memory
    today = history[-1]
    at = business_days.start(today.date + business_days.ONE_DAY, settings.zone) - timedelta(milliseconds=1)
    before = today.date - timedelta(settings.thresholds.growth_days)
    earlier = next((day for day in history if day.date == before), None)
    growth_events, growth_memory = growth.detect(
        totals(today), earlier and totals(earlier), at, today.date, memory.get(GROWTH, {}), settings
    )
    trend_events, trends_memory = trends.detect(history, at, memory.get(TRENDS, {}), settings)
    return [*growth_events, *trend_events], {**memory, GROWTH: growth_memory, TRENDS: trends_memory}


def totals(day: Day) -> Totals:
    return Totals(customers=day.customers, paying_customers=day.paying, mrr_cents=day.mrr_cents)


def _not_emitted(which: str, until: date, first: date, memory: Memories) -> Iterator[date]:
    """Yield the days after the last processed one (`first` if there is none) up to `until`; at most the last month."""
    last = memory.get(DIARY, {}).get(which)
    begin = date.fromisoformat(last) + business_days.ONE_DAY if isinstance(last, str) else first
    return business_days.between(max(begin, until - timedelta(MAX_CATCH_UP_DAYS)), until)
