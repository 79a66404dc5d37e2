"""What a day brings that no change brings: dates as it begins, growth and trends as it ends.

Each day is opened and closed once; the memory `diary` holds the last of each. A first start opens the present day and
closes none of the past.
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
MOST_DAYS = 31
"""How far back a diary that was not kept is made up for."""


class DailyResult(NamedTuple):
    """The events of the days that begin and end, and what all rules remember from then on."""

    events: list[Event]
    memory: Memories


def is_kept(today: date, closed: date, memory: Memories) -> bool:
    """Whether there is nothing to tell any more."""
    return memory.get(DIARY) == {"opened": today.isoformat(), "closed": closed.isoformat()}


def keep(today: date, closed: date, history: Sequence[Day], memory: Memories, settings: Settings) -> DailyResult:
    """All days begun up to `today` and ended up to `closed` that were not told yet, oldest first.

    `history` holds the days that are over, oldest first, without a hole.
    """
    events: list[Event] = []
    for day in _not_emitted("opened", today, today, memory):
        events += opening(day, history, settings)
    for day in _not_emitted("closed", closed, closed + business_days.ONE_DAY, memory):
        said, memory = closing([past for past in history if past.date <= day], memory, settings)
        events += said
    return DailyResult(events, {**memory, DIARY: {"opened": today.isoformat(), "closed": closed.isoformat()}})


def opening(day: date, history: Sequence[Day], settings: Settings) -> list[Event]:
    """What is said as a day begins: what date it is, and what the week or month that ended brought."""
    at = business_days.start(day, settings.zone)
    dates = calendar.events(day, time.min, settings)
    return [*summaries.events(day, at, history), *dates]


def closing(history: Sequence[Day], memory: Memories, settings: Settings) -> tuple[list[Event], Memories]:
    """What is said of the last day of `history` at its last millisecond: growth since a week before, and trends."""
    if not history:
        return [], memory
    today = history[-1]
    at = business_days.start(today.date + business_days.ONE_DAY, settings.zone) - timedelta(milliseconds=1)
    before = today.date - timedelta(settings.thresholds.growth_days)
    then = next((day for day in history if day.date == before), None)
    grown, growth_memory = growth.grown(
        totals(today), then and totals(then), at, today.date, memory.get(GROWTH, {}), settings
    )
    noticed, trends_memory = trends.noticed(history, at, memory.get(TRENDS, {}), settings)
    return [*grown, *noticed], {**memory, GROWTH: growth_memory, TRENDS: trends_memory}


def totals(day: Day) -> Totals:
    return Totals(customers=day.customers, paying_customers=day.paying, mrr_cents=day.mrr_cents)


def _not_emitted(which: str, until: date, first: date, memory: Memories) -> Iterator[date]:
    """The days behind the last one told (`first` if none was) up to `until`; of many only the last month."""
    last = memory.get(DIARY, {}).get(which)
    begin = date.fromisoformat(last) + business_days.ONE_DAY if isinstance(last, str) else first
    return business_days.between(max(begin, until - timedelta(MOST_DAYS)), until)
