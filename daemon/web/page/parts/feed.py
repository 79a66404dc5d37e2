"""The newest events, prepared for the page. Names in them are plain text and escaped by the template."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from daemon.web.page import texts
from daemon.web.page.parts.event_lines import event_line
from rules import business_days
from rules.settings.settings import Settings


class FeedItem(NamedTuple):
    """One event; the page's script recognizes it by `id`. `address` is its customer's, else its day's."""

    id: str
    at: str
    time: str
    emoji: str
    text: str
    address: str


def feed_item(event: Mapping[str, Any], today: date, settings: Settings) -> FeedItem:
    line, at = event_line(event, settings), event.get("event_date")
    return FeedItem(
        id=line.id,
        at=line.at,
        time=_time(at, today, settings) if isinstance(at, datetime) else "",
        emoji=line.emoji,
        text=line.text,
        address=line.customer_address or line.day_address,
    )


def _time(at: datetime, today: date, settings: Settings) -> str:
    """Return `14:32` for today, `ieri 14:32` for yesterday, else `22/11 14:32`."""
    local, day = business_days.local(at, settings.zone), business_days.business_day(at, settings.zone)
    time = f"{local:%H:%M}"
    if day == today:
        return time
    return texts.YESTERDAY_AT.format(time=time) if day == today - business_days.ONE_DAY else f"{local:%d/%m} {time}"
