"""When messages are due: the window in which facts are collected, quiet hours, the morning."""

from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

COLLECT = timedelta(seconds=10)
"""Facts are collected until none has come for so long."""
COLLECT_AT_MOST = timedelta(seconds=60)
"""The first fact waits no longer than this."""
COLLECT_ROWS = timedelta(minutes=1)
"""The message of the morning is made when no further row has become final for so long."""
REDACTION = timedelta(minutes=10)
"""After a customer is forgotten the message of the morning waits so long: the notes of rows are redacted one by one."""
INTERRUPTION_AFTER = timedelta(minutes=15)
"""A gap that is closed within this time is no news."""


class QuietHours(NamedTuple):
    """A range of local times in which nothing but questions is sent; it may contain midnight."""

    start: time
    end: time

    def contains(self, at: datetime, zone: tzinfo) -> bool:
        local = at.astimezone(zone).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def ends(self, at: datetime, zone: tzinfo) -> datetime:
        """Return the next end of the quiet hours after `at`."""
        day = at.astimezone(zone).date()
        today, tomorrow = (_instant(day + timedelta(days=days), self.end, zone) for days in (0, 1))
        return today if today > at else tomorrow


def _instant(day: date, at: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, at, zone)


def send_at(first: datetime, last: datetime) -> datetime:
    """Return when the facts that wait since `first`, the newest since `last`, are sent as one message."""
    return min(last + COLLECT, first + COLLECT_AT_MOST)


def is_week_due(day: date) -> bool:
    """Return whether the message after the final row of `day` includes its week: a Sunday's."""
    return day.isoweekday() == 7
