"""Business events as the API shows them: described from the mirror, without private data of customers."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field

from daemon.mongo.id_text import id_candidates
from daemon.mongo.types import Document, ReadOnlyDocument
from daemon.rollup.event_descriptions import EventDescriber
from daemon.store.mirror.reader import MirrorReader
from daemon.web.api import schemas
from daemon.web.context import WebContext
from rules.model.documents import is_id
from rules.text import MAX_NAME, customer_name, one_line


class EventItem(BaseModel):
    """A business event in the dashboard's format; times are UTC."""

    id: str
    event_type: str | None
    description: str | None
    event_date: str | None = Field(examples=["2026-11-23 08:30:00"])
    customer_name: str | None
    plan_name: str | None
    amount: float | None
    currency: str | None
    processed: bool
    auto_generated: bool


def event_items(context: WebContext, stored: Iterable[Document]) -> list[EventItem]:
    """Return events as the API shows them, with their customers' names."""
    database, settings = context.database, context.config().settings()
    describer = EventDescriber.of(database, settings)
    shown = list(describer.shown(stored))
    names = _customer_names(shown, describer.mirror)
    return [event_item(event, names) for event in shown]


def _customer_names(events: Iterable[ReadOnlyDocument], mirror: MirrorReader) -> dict[Any, str]:
    """Return by customer id the names that the events do not contain themselves, in one query."""
    ids = {one for event in events if not _stored_name(event) for one in _customers(event)}
    found = mirror.customers(list(ids)) if ids else []
    return {state.id: customer_name(state.fields) for state in found}


def _customers(event: ReadOnlyDocument) -> list[Any]:
    """Return the ids that an event's reference can stand for: other programs may write it as text."""
    found = event.get("customer_id")
    if isinstance(found, str):
        return [found, *filter(is_id, id_candidates(found))]
    return [found] if found is not None and is_id(found) else []


def _stored_name(event: ReadOnlyDocument) -> str:
    metadata = event.get("metadata")
    return one_line(metadata.get("customer_name"), MAX_NAME) if isinstance(metadata, Mapping) else ""


def event_item(event: ReadOnlyDocument, names: Mapping[Any, str] = MappingProxyType({})) -> EventItem:
    name = _stored_name(event) or next((names[one] for one in _customers(event) if one in names), None)
    return EventItem(
        id=schemas.identity(event.get("_id")) or "",
        event_type=schemas.text(event.get("event_type"), 100),
        description=schemas.text(event.get("description")),
        event_date=schemas.datetime_text(event.get("event_date")),
        customer_name=schemas.text(name, MAX_NAME) or None,
        plan_name=schemas.text(event.get("plan_name"), 100),
        amount=schemas.number(event.get("amount")),
        currency=schemas.text(event.get("currency"), 10),
        processed=event.get("processed") is True,
        auto_generated=event.get("auto_generated") is True,
    )
