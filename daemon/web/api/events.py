"""Business events: create one, list the newest."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from daemon import clock
from daemon.errors import IdempotencyKeyConflict
from daemon.mongo.client import bounded
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import ObjectId
from daemon.store import events
from daemon.store import events as store
from daemon.store.reference_lookup import AmbiguousId, UnknownId, reference_id
from daemon.web.api.event_items import EventItem, event_items
from daemon.web.api.schemas import (
    DATABASE_SECONDS,
    PREFIX,
    WRITE_SECURITY,
    ErrorResponse,
    Id,
    PagedResponse,
    Strict,
    SuccessResponse,
)
from daemon.web.context import WebContext
from daemon.web.errors import RequestRejected
from daemon.web.json_body import StrictRoute
from rules.model.changes import EVENT_REFERENCES, DocId
from rules.model.events import EventType

DAEMON_ONLY_TYPES = (
    EventType.LICENSE_SUSPENDED,
    EventType.LICENSE_EXPIRED,
    EventType.LICENSE_RENEWED,
    EventType.PAYMENT_REFUNDED,
)
DASHBOARD_TYPES = tuple(kind for kind in EventType if kind not in DAEMON_ONLY_TYPES)
"""The sixteen types of the dashboard."""

MAX_EVENTS = 1000
INT64 = 2**63

Text = Annotated[str, StringConstraints(max_length=events.MAX_DESCRIPTION)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=events.MAX_DESCRIPTION)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_ -]{0,99}$")]
Scalar = Annotated[int, Field(ge=-INT64, lt=INT64)] | float | bool | Text | None
MetadataKeys = Field(max_length=50, json_schema_extra={"additionalProperties": False})
"""Limits of an object: at most 50 keys, all matching the pattern of `Key`."""
Value = Scalar | Annotated[list[Scalar], Field(max_length=50)] | Annotated[dict[Key, Scalar], MetadataKeys]
METADATA_RULE = (
    "at most 50 keys of ASCII letters, digits, _, - and spaces, not starting with a digit; each value a text "
    f"of at most {events.MAX_DESCRIPTION} characters, a number, true, false, null, or one list or object of these"
)


Reference = Annotated[Id, WithJsonSchema({"type": "string", "pattern": "^([0-9A-Fa-f]{24})?$"})]
REFERENCE_RULE = "24 hexadecimal digits, or the id of an existing document as responses show it; empty for none."


def _one_message(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        raise ValueError(f"must have {METADATA_RULE}") from None


def _require_dashboard_type(kind: str) -> str:
    if kind not in DASHBOARD_TYPES:
        raise ValueError(f"must be one of {', '.join(DASHBOARD_TYPES)}")
    return kind


def _require_datetime_text(value: object) -> object:
    """Reject numbers, which pydantic would read as seconds or milliseconds since 1970."""
    if not isinstance(value, str) or not value[:4].isdecimal() or value.isdecimal():
        raise ValueError("must be a date and time with a UTC offset, such as 2026-11-20T09:30:00+01:00")
    return value


class NewEvent(Strict):
    """A business event to create."""

    event_type: Annotated[
        str, AfterValidator(_require_dashboard_type), WithJsonSchema({"type": "string", "enum": list(DASHBOARD_TYPES)})
    ]
    description: Annotated[Line, AfterValidator(events.valid_description)]
    customer_id: Reference | None = Field(None, description=REFERENCE_RULE)
    license_id: Reference | None = Field(None, description=REFERENCE_RULE)
    plan_name: Annotated[str, StringConstraints(max_length=events.MAX_PLAN_NAME)] | None = None
    amount: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] | None = Field(
        None, description="In `currency`."
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = "EUR"
    metadata: Annotated[Annotated[dict[Key, Value], MetadataKeys] | None, WrapValidator(_one_message)] = Field(
        None, description=f"An object with {METADATA_RULE}."
    )
    event_date: Annotated[AwareDatetime, BeforeValidator(_require_datetime_text), Field(strict=False)] | None = Field(
        None,
        description="Date and time with a UTC offset; now by default. An event of a closed day updates that day's row.",
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"event_type": "feature_released", "description": "Rilasciata integrazione Claude 3.5 Sonnet"},
                {
                    "event_type": "media_mention",
                    "description": "Articolo su Wired",
                    "event_date": "2026-11-20T09:30:00+01:00",
                    "metadata": {"url": "https://example.com/articolo"},
                },
            ]
        }
    )


class EventCreated(SuccessResponse):
    event_id: str = Field(examples=["65f0c0ffee65f0c0ffee65f0"])
    message: str = Field(examples=['Business event "partnership" created successfully'])


class EventsResponse(PagedResponse):
    events: list[EventItem]
    total: int = Field(description="Number of events in this response.")


DaysBack = Annotated[int, Query(ge=1, le=36_500, description="Number of days to look back.")]
Limit = Annotated[int, Query(ge=1, le=INT64 - 1, description=f"Maximum number of events; at most {MAX_EVENTS}.")]
Cursor = Annotated[
    str | None, Query(pattern=r"^-?[0-9]{1,13}\.[0-9]{1,6}$", description="The `next_cursor` of the previous response.")
]
Types = Annotated[list[EventType] | None, Query(alias="type", description="Only events of these types.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="A request with a key used before returns the event created then; for scripts that may run twice.",
        examples=["deploy-2026-11-23"],
    ),
]

CREATE_ERRORS: dict[int | str, dict[str, Any]] = {
    409: {
        "model": ErrorResponse,
        "description": "The key was used for a different event, or `event_date` is outside the allowed range.",
    }
}


def router(context: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["events"], route_class=StrictRoute)

    @routes.post("/create_business_event", dependencies=WRITE_SECURITY, responses=CREATE_ERRORS)
    def create_business_event(event: NewEvent, idempotency_key: IdempotencyKey = None) -> EventCreated:
        """Create a business event. It appears in the note of its day, also of a past day."""
        event_id = create_event(context, event, idempotency_key)
        message = f'Business event "{event.event_type}" created successfully'
        return EventCreated(event_id=str(event_id), message=message)

    @routes.get("/get_recent_events")
    def get_recent_events(
        days: DaysBack = 7, limit: Limit = 50, cursor: Cursor = None, type: Types = None
    ) -> EventsResponse:
        """List the most recent events, newest first."""
        start, limit = parse_cursor(cursor), min(limit, MAX_EVENTS)
        with bounded(DATABASE_SECONDS):
            since = clock.now() - timedelta(days=days)
            found = store.recent(context.database, since, limit, start, type or ())
            shown = event_items(context, found)
        after = store.cursor_after(found, start) if len(found) == limit else None
        return EventsResponse(events=shown, total=len(shown), next_cursor=format_cursor(after))

    return routes


def create_event(context: WebContext, event: NewEvent, key: str | None) -> ObjectId:
    """Store an event; return its id. Raises RequestRejected: 400 for an id, 409 for a used key or `event_date`."""
    try:
        document = to_document(event)
    except ValueError:
        message = f"event_date: must not be in the future or before {events.EARLIEST.year}"
        raise RequestRejected(HTTPStatus.CONFLICT, message) from None
    try:
        with bounded(DATABASE_SECONDS):
            document |= {name: _reference(context, name, document[name]) for name in EVENT_REFERENCES}
            return store.create(context.database, document, clock.now(), key)
    except IdempotencyKeyConflict as conflict:
        raise RequestRejected(HTTPStatus.CONFLICT, str(conflict)) from None


def _reference(context: WebContext, name: str, text: str | None) -> DocId:
    """Return the id that a text stands for; an unknown one is rejected with the dashboard's message."""
    try:
        return reference_id(context.database, name, text) if text else None
    except UnknownId:
        raise RequestRejected(HTTPStatus.BAD_REQUEST, f"Invalid {name} format") from None
    except AmbiguousId as problem:
        raise RequestRejected(HTTPStatus.BAD_REQUEST, f"Invalid {name} format: {problem}") from None


def to_document(event: NewEvent) -> dict[str, Any]:
    """Return the event in the form `store.create` expects. Raises ValueError for a time out of range."""
    fields = {**event.model_dump(), "auto_generated": True}
    fields["plan_name"] = events.valid_plan(fields["plan_name"])
    fields["event_date"] = events.valid_time(event.event_date, clock.now()) if event.event_date else None
    return fields


def parse_cursor(cursor: str | None) -> PageCursor | None:
    if cursor is None:
        return None
    milliseconds, _, skip = cursor.partition(".")
    return PageCursor(EPOCH + timedelta(milliseconds=int(milliseconds)), int(skip))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def format_cursor(cursor: PageCursor | None) -> str | None:
    return None if cursor is None else f"{(cursor.at - EPOCH) // timedelta(milliseconds=1)}.{cursor.skip}"
