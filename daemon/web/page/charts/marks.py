"""Marks of the owner's events and of technical ones, how customers changed around them, and bands of gaps."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from daemon.mongo.types import ReadOnlyDocument
from daemon.rollup.event_descriptions import EventDescriber
from daemon.rollup.row_builder import distinct
from daemon.store import events, gaps
from daemon.web.page import addresses, texts, trend_texts
from daemon.web.page.charts.lines import Band, Mark
from daemon.web.page.parts import feed
from daemon.web.page.snapshot import Snapshot
from rules import business_days
from rules.model.events import EventType
from rules.settings import italian

TYPES = (
    EventType.MARKETING_CAMPAIGN,
    EventType.FEATURE_RELEASED,
    EventType.PARTNERSHIP,
    EventType.MEDIA_MENTION,
    EventType.SERVER_ISSUE,
    EventType.MAINTENANCE,
)
GENERATED = ("special_date", "week_start", "month_start")
"""Fields of the metadata of holidays and summaries, which are stored as campaigns."""
MAX_EVENTS = 1000
MAX_GAPS = 200
COMPARED_DAYS = 7


class MarkedDay(NamedTuple):
    """A day with events, and the customers won around it."""

    day: date
    anchor: str
    day_text: str
    address: str
    events: list[feed.FeedItem]
    after: str

    @property
    def mark(self) -> Mark:
        title = f"{self.day_text}: {', '.join(item.text for item in self.events)}"
        return Mark(self.day, title, self.anchor, len(self.events))


def marked_days(snapshot: Snapshot, first: date, customers: Mapping[date, int]) -> list[MarkedDay]:
    """Return the days with marks from `first` to today, newest first; `customers` are the totals at the end of days."""
    zone = snapshot.settings.zone
    start = business_days.start(max(first, events.EARLIEST.date()), zone)
    span = (start, business_days.start(snapshot.today + business_days.ONE_DAY, zone))
    found = events.of_types(snapshot.database, TYPES, span, GENERATED, MAX_EVENTS, snapshot.session)
    described = distinct(EventDescriber.of(snapshot.database, snapshot.settings).describe(found))
    days = groupby(described, key=lambda event: business_days.business_day(event["event_date"], zone))
    return [_marked_day(day, list(group), snapshot, customers) for day, group in days][::-1]


def _marked_day(
    day: date, found: list[ReadOnlyDocument], snapshot: Snapshot, customers: Mapping[date, int]
) -> MarkedDay:
    return MarkedDay(
        day,
        f"segno-{day}",
        texts.day(day),
        addresses.day(day),
        [feed.feed_item(event, snapshot.today, snapshot.settings) for event in found],
        after(day, snapshot.today, customers),
    )


def after(day: date, today: date, customers: Mapping[date, int]) -> str:
    """Return how many customers the week after a day won and the week before it; "" if it is not known."""
    passed = (today - day).days
    if passed < COMPARED_DAYS:
        return trend_texts.TOO_EARLY.format(count=passed, days=COMPARED_DAYS)
    week, one = timedelta(COMPARED_DAYS), business_days.ONE_DAY
    ends = [customers.get(end) for end in (day - one - week, day - one, day, day + week)]
    before_start, before_end, after_start, after_end = ends
    if before_start is None or before_end is None or after_start is None or after_end is None:
        return ""
    return trend_texts.AFTER.format(
        after=_customers(after_end - after_start), before=italian.integer(before_end - before_start), days=COMPARED_DAYS
    )


def _customers(change: int) -> str:
    if change == 0:
        return trend_texts.NO_CUSTOMERS
    one, many = trend_texts.CUSTOMERS
    form = one if abs(change) == 1 else many
    return form.format(sign="+" if change > 0 else italian.MINUS, count=italian.integer(abs(change)))


def bands(snapshot: Snapshot) -> Iterator[Band]:
    """Yield the gaps in which the database could not be followed."""
    zone = snapshot.settings.zone
    for gap in gaps.newest(snapshot.database, MAX_GAPS, None, snapshot.session):
        since, until = gap.get("since"), gap.get("closed_at")
        if not gaps.cause_of_interruption(gap) or not isinstance(since, datetime):
            continue
        first = business_days.business_day(since, zone)
        if not isinstance(until, datetime):
            since_text = italian.with_article(italian.DAL, first, snapshot.today)
            yield Band(first, snapshot.today, trend_texts.GAP_OPEN.format(since=since_text))
            continue
        last = business_days.business_day(until, zone)
        yield Band(first, last, trend_texts.GAP.format(days=_days(first, last, snapshot.today)))


def _days(first: date, last: date, today: date) -> str:
    if first == last:
        return italian.day_and_month(first, today)
    return f"{italian.with_article(italian.DAL, first, today)} {italian.with_article(italian.AL, last, today)}"
