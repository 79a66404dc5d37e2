"""Business days: calendar days in the shop's own zone, 23 and 25 hours included.

A day is stored as its calendar date at 00:00 UTC, because the dashboard shows it with strftime in UTC.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

ONE_DAY = timedelta(days=1)


def business_day(at: datetime, zone: tzinfo) -> date:
    """The business day an instant belongs to."""
    return at.astimezone(zone).date()


def business_days(instants: Sequence[datetime], zone: tzinfo) -> list[date]:
    """The business day of each; of many on one day it costs hardly more than of one."""
    if not instants:
        return []
    first, last = business_day(min(instants), zone), business_day(max(instants), zone)
    return [first] * len(instants) if first == last else [business_day(at, zone) for at in instants]


def stored(day: date) -> datetime:
    """A business day as the analytics table stores it: its date at midnight UTC."""
    return datetime.combine(day, time.min, UTC)


def start(day: date, zone: tzinfo) -> datetime:
    """The instant a business day begins, in UTC; the day's end is the start of the next."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def last_closed(now: datetime, rollup_time: time, zone: tzinfo) -> date:
    """The newest day that is owed a final row: yesterday from `rollup_time` on, before it the day before."""
    local = now.astimezone(zone)
    return local.date() - (ONE_DAY if local.time() >= rollup_time else 2 * ONE_DAY)


def between(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included."""
    day = first
    while day <= last:
        yield day
        day += ONE_DAY


def runs(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days in ascending order as stretches without a gap: the first and the last day of each."""
    first = last = None
    for day in days:
        if first is None or last is None or day != last + ONE_DAY:
            if first is not None and last is not None:
                yield first, last
            first = day
        last = day
    if first is not None and last is not None:
        yield first, last


def due(known_final: set[date], first: date, last: date) -> Iterator[date]:
    """The days from `first` to `last` that have no final row yet, oldest first."""
    return (day for day in between(first, last) if day not in known_final)
