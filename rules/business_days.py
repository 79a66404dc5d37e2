"""Business days: calendar days in the configured time zone, including those of 23 and 25 hours.

A day is stored as its calendar date at 00:00 UTC, because the dashboard formats it with strftime in UTC.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo

ONE_DAY = timedelta(days=1)


def local(at: datetime, zone: tzinfo) -> datetime:
    """Return an instant in a time zone; at the ends of the calendar, which other programs store as "never", in UTC."""
    with suppress(OverflowError):
        return at.astimezone(zone)
    return at.astimezone(UTC)


def business_day(at: datetime, zone: tzinfo) -> date:
    """Return the business day of an instant."""
    return local(at, zone).date()


def business_days(instants: Sequence[datetime], zone: tzinfo) -> list[date]:
    """Return the business day of each instant; fast when all of them are on one day."""
    if not instants:
        return []
    first, last = business_day(min(instants), zone), business_day(max(instants), zone)
    return [first] * len(instants) if first == last else [business_day(at, zone) for at in instants]


def parsed(text: str) -> date:
    """Return a day written as 2026-11-23. Raises ValueError for any other text.

    Days of the first and the last year of the calendar are refused: they may have no start in UTC, or no day before.
    """
    with suppress(ValueError):
        day = date.fromisoformat(text)
        if str(day) == text and date.min.year < day.year < date.max.year:
            return day
    raise ValueError("must be a date such as 2026-11-23")


def stored(day: date) -> datetime:
    """Return a business day as the analytics table stores it: its date at midnight UTC."""
    return datetime.combine(day, time.min, UTC)


def start(day: date, zone: tzinfo) -> datetime:
    """Return the first instant of a business day, in UTC. The day ends at the start of the next one."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def last_closed(now: datetime, rollup_time: time, zone: tzinfo) -> date:
    """Return the newest day whose final row is due: yesterday from `rollup_time` on, else the day before yesterday."""
    local = now.astimezone(zone)
    return local.date() - (ONE_DAY if local.time() >= rollup_time else 2 * ONE_DAY)


def between(first: date, last: date) -> Iterator[date]:
    """Yield every day from `first` to `last`, both included."""
    day = first
    while day <= last:
        yield day
        day += ONE_DAY


def runs(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Group ascending days into ranges without a gap; yield the first and the last day of each range."""
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
    """Return the days from `first` to `last` (both included) without a final row, oldest first."""
    return (day for day in between(first, last) if day not in known_final)
