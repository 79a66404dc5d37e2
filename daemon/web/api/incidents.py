"""Incidents, read only: dead letters and gaps of the change stream."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from daemon.mongo.client import bounded
from daemon.mongo.pagination import cursor_after
from daemon.mongo.types import ReadOnlyDocument
from daemon.store import dead_letters as dead_letters_store
from daemon.store import gaps
from daemon.web.api import schemas
from daemon.web.api.events import Cursor, format_cursor, parse_cursor
from daemon.web.api.schemas import DATABASE_SECONDS, PREFIX, PagedResponse
from daemon.web.context import WebContext
from daemon.web.json_body import StrictRoute

Limit = Annotated[int, Query(ge=1, le=1000)]


class DeadLetterItem(BaseModel):
    """A document that could not be parsed; its last valid state counts until it is released."""

    collection: str
    document_id: str
    reason: str
    state: Literal["held", "released"]
    first_at: datetime | None
    last_at: datetime | None


class DeadLettersResponse(PagedResponse):
    dead_letters: list[DeadLetterItem]
    total: int


class GapItem(BaseModel):
    """A period in which the change stream could not be followed."""

    id: str
    cause: str
    detail: str | None
    since: datetime | None = Field(description="Null for the first start.")
    opened_at: datetime | None
    closed_at: datetime | None = Field(description="Null while the gap is open.")
    until: datetime | None
    recovered: dict[str, int] = Field(description="Number of differences that the reconciliation found, by collection.")


class GapsResponse(PagedResponse):
    gaps: list[GapItem]
    total: int


def router(context: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["incidents"], route_class=StrictRoute)

    @routes.get("/get_dead_letters")
    def get_dead_letters(
        state: Literal["held", "released"] = "held", limit: Limit = 100, cursor: Cursor = None
    ) -> DeadLettersResponse:
        """List held or released documents, newest first."""
        start = parse_cursor(cursor)
        with bounded(DATABASE_SECONDS):
            found = dead_letters_store.newest(context.database, state, limit, start)
        after = cursor_after(found, "first_at", start) if len(found) == limit else None
        return DeadLettersResponse(
            dead_letters=[dead_letter_item(document) for document in found],
            total=len(found),
            next_cursor=format_cursor(after),
        )

    @routes.get("/get_gaps")
    def get_gaps(limit: Limit = 100, cursor: Cursor = None) -> GapsResponse:
        """List the gaps of the change stream, newest first."""
        start = parse_cursor(cursor)
        with bounded(DATABASE_SECONDS):
            found = gaps.newest(context.database, limit, start)
        after = cursor_after(found, "opened_at", start) if len(found) == limit else None
        return GapsResponse(
            gaps=[gap_item(document) for document in found], total=len(found), next_cursor=format_cursor(after)
        )

    return routes


def dead_letter_item(document: ReadOnlyDocument) -> DeadLetterItem:
    return DeadLetterItem(
        collection=document["_id"]["k"],
        document_id=schemas.identity(document["_id"]["id"]) or "",
        reason=schemas.text(document["reason"]) or "",
        state=document["state"],
        first_at=_moment(document.get("first_at")),
        last_at=_moment(document.get("last_at")),
    )


def gap_item(document: ReadOnlyDocument) -> GapItem:
    recovered = document.get("recovered")
    return GapItem(
        id=str(document["_id"]),
        cause=document["cause"],
        detail=schemas.text(document.get("detail")),
        **{name: _moment(document.get(name)) for name in ("since", "opened_at", "closed_at", "until")},
        recovered=dict(recovered) if isinstance(recovered, Mapping) else {},
    )


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
