"""The newest events, prepared for the page. Names in them are plain text and escaped by the template."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from daemon.mongo.id_text import shown_id
from daemon.web.page import texts
from rules import business_days
from rules.rows import daily_note
from rules.settings import italian
from rules.settings.settings import Settings
from rules.text import note_text


class FeedItem(NamedTuple):
    """One event; the page's script recognizes it by `id`."""

    id: str
    at: str
    time: str
    emoji: str
    text: str


def feed_item(event: Mapping[str, Any], today: date, settings: Settings) -> FeedItem:
    at, kind, metadata = event.get("event_date"), str(event.get("event_type")), event.get("metadata")
    facts = metadata if isinstance(metadata, Mapping) else {}
    emoji, text = daily_note.split_emoji(kind, facts, note_text(event.get("description")), settings)
    return FeedItem(
        id=shown_id(event.get("_id")),
        at=at.isoformat() if isinstance(at, datetime) else "",
        time=_time(at, today, settings) if isinstance(at, datetime) else "",
        emoji=emoji,
        text=italian.with_readers_euros(text),
    )


def _time(at: datetime, today: date, settings: Settings) -> str:
    """Return `14:32` for today, `ieri 14:32` for yesterday, else `22/11 14:32`."""
    local, day = at.astimezone(settings.zone), business_days.business_day(at, settings.zone)
    time = f"{local:%H:%M}"
    if day == today:
        return time
    return texts.YESTERDAY_AT.format(time=time) if day == today - business_days.ONE_DAY else f"{local:%d/%m} {time}"
