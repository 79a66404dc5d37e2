"""Events as the lists of the pages show them. Names in them are plain text and escaped by the templates."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from daemon.mongo.collections import SAMPLE_SOURCE, SOURCE_NAME
from daemon.mongo.id_text import shown_id
from daemon.store.events import ORIGIN
from daemon.web.page import addresses, event_texts
from rules import business_days
from rules.model.documents import is_id
from rules.model.events import EventType
from rules.rows import daily_note
from rules.settings import italian
from rules.settings.settings import Settings
from rules.text import note_text, one_line


class EventLine(NamedTuple):
    """One event; `source` says who wrote it, `is_recovered` that it was found after a gap."""

    id: str
    at: str
    day: str
    time: str
    emoji: str
    text: str
    kind: str
    source: str
    is_recovered: bool
    day_address: str
    customer_address: str


def event_line(event: Mapping[str, Any], settings: Settings) -> EventLine:
    """Return an event that `EventDescriber` described."""
    at, kind, metadata = event.get("event_date"), str(event.get("event_type")), _metadata(event)
    text = italian.with_readers_euros(note_text(event.get("description")))
    emoji, text = daily_note.split_emoji(kind, metadata, text, settings)
    local, customer = _local(at, settings), event.get("customer_id")
    return EventLine(
        id=shown_id(event.get("_id")),
        at=at.isoformat() if isinstance(at, datetime) else "",
        day=f"{local:%d/%m/%Y}" if local else italian.DASH,
        time=f"{local:%H:%M}" if local else "",
        emoji=emoji,
        text=text,
        kind=event_texts.TYPES[EventType(kind)] if kind in set(EventType) else one_line(kind, 50),
        source=_source(metadata),
        is_recovered=metadata.get("recovered") is True,
        day_address=addresses.day(local.date()) if local else "",
        customer_address=addresses.customer(customer) if customer is not None and is_id(customer) else "",
    )


def _local(at: object, settings: Settings) -> datetime | None:
    return business_days.local(at, settings.zone) if isinstance(at, datetime) else None


def _metadata(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found = event.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _source(metadata: Mapping[str, Any]) -> str:
    """Return who wrote an event: the daemon (or one of its rules), a person by form or API, or the dashboard."""
    source = metadata.get("source")
    if source == SOURCE_NAME:
        return event_texts.BY_RULE if "rule" in metadata else event_texts.SOURCES["own"]
    known = {ORIGIN: "api", SAMPLE_SOURCE: "sample"}
    return event_texts.SOURCES[known.get(source, "dashboard") if isinstance(source, str) else "dashboard"]
