"""The newest events as the page shows them; a name in them is text, whatever it says."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from daemon.web.page import texts
from rules import business_days
from rules.rows import daily_note
from rules.settings.settings import Settings
from rules.text import MAX_NAME, one_line


class Item(NamedTuple):
    """One event; `id` tells it apart for what is live."""

    id: str
    at: str
    time: str
    emoji: str
    text: str


def item(event: Mapping[str, Any], today: date, settings: Settings) -> Item:
    at, kind, metadata = event.get("event_date"), str(event.get("event_type")), event.get("metadata")
    own = daily_note.emoji(kind, metadata, settings) if isinstance(metadata, Mapping) else ""
    emoji = one_line(own, MAX_NAME) or daily_note.style(kind, settings).emoji
    text = one_line(event.get("description"))
    return Item(
        id=str(event.get("_id"))[:MAX_NAME],
        at=at.isoformat() if isinstance(at, datetime) else "",
        time=_time(at, today, settings) if isinstance(at, datetime) else "",
        emoji=emoji,
        text=text.removeprefix(emoji).lstrip(),
    )


def _time(at: datetime, today: date, settings: Settings) -> str:
    """14:32 of today, ieri 14:32, else 22/11 14:32."""
    local, day = at.astimezone(settings.zone), business_days.business_day(at, settings.zone)
    time = f"{local:%H:%M}"
    if day == today:
        return time
    return texts.YESTERDAY_AT.format(time=time) if day == today - business_days.ONE_DAY else f"{local:%d/%m} {time}"
