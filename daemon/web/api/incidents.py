"""What went wrong and is not forgotten: documents held, and times the stream could not be followed. Read only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from daemon.mongo.client import bounded
from daemon.mongo.pagination import position_after
from daemon.mongo.types import ReadOnlyDocument
from daemon.store import dead_letters as letters
from daemon.store import gaps
from daemon.web.api import schemas
from daemon.web.api.events import Cursor, cursor_of, position
from daemon.web.api.schemas import PREFIX, SECONDS, Page
from daemon.web.context import WebContext
from daemon.web.json_body import StrictRoute

Limit = Annotated[int, Query(ge=1, le=1000)]


class DeadLetter(BaseModel):
    """A document that could not be understood; it counts as when it last was."""

    collection: str
    document_id: str
    reason: str
    state: Literal["held", "released"]
    first_at: datetime | None
    last_at: datetime | None


class DeadLetters(Page):
    dead_letters: list[DeadLetter]
    total: int


class Gap(BaseModel):
    """A time in which the stream could not be followed."""

    id: str
    cause: str
    detail: str | None
    since: datetime | None = Field(description="Null: nothing was ever followed before.")
    opened_at: datetime | None
    closed_at: datetime | None = Field(description="Null: still open.")
    until: datetime | None
    recovered: dict[str, int] = Field(description="Differences found, by collection.")


class Gaps(Page):
    gaps: list[Gap]
    total: int


def router(house: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["troubles"], route_class=StrictRoute)

    @routes.get("/get_dead_letters")
    def get_dead_letters(
        state: Literal["held", "released"] = "held", limit: Limit = 100, cursor: Cursor = None
    ) -> DeadLetters:
        """Documents that are held (or were), the newest first."""
        behind = position(cursor)
        with bounded(SECONDS):
            found = letters.newest(house.database, state, limit, behind)
        after = position_after(found, "first_at", behind) if len(found) == limit else None
        return DeadLetters(
            dead_letters=[dead_letter(one) for one in found], total=len(found), next_cursor=cursor_of(after)
        )

    @routes.get("/get_gaps")
    def get_gaps(limit: Limit = 100, cursor: Cursor = None) -> Gaps:
        """Every time the stream could not be followed, the newest first."""
        behind = position(cursor)
        with bounded(SECONDS):
            found = gaps.newest(house.database, limit, behind)
        after = position_after(found, "opened_at", behind) if len(found) == limit else None
        return Gaps(gaps=[gap(one) for one in found], total=len(found), next_cursor=cursor_of(after))

    return routes


def dead_letter(document: ReadOnlyDocument) -> DeadLetter:
    return DeadLetter(
        collection=document["_id"]["k"],
        document_id=schemas.identity(document["_id"]["id"]) or "",
        reason=schemas.text(document["reason"]) or "",
        state=document["state"],
        first_at=_moment(document.get("first_at")),
        last_at=_moment(document.get("last_at")),
    )


def gap(document: ReadOnlyDocument) -> Gap:
    recovered = document.get("recovered")
    return Gap(
        id=str(document["_id"]),
        cause=document["cause"],
        detail=schemas.text(document.get("detail")),
        **{name: _moment(document.get(name)) for name in ("since", "opened_at", "closed_at", "until")},
        recovered=dict(recovered) if isinstance(recovered, Mapping) else {},
    )


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
