"""Business events: told by a script or a person, and the newest ones."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
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
from daemon.mongo.types import ObjectId, ReadOnlyDocument
from daemon.store import events
from daemon.store import events as store
from daemon.store.mirror.reader import MirrorReader
from daemon.web.api import schemas
from daemon.web.api.schemas import PREFIX, SECONDS, WRITING, Answer, Id, Page, Refused, Strict
from daemon.web.context import WebContext
from daemon.web.errors import Refusal
from daemon.web.json_body import StrictRoute
from rules.model.documents import is_id
from rules.model.events import EventType
from rules.text import MAX_NAME, customer_name, one_line

OURS_ALONE = (
    EventType.LICENSE_SUSPENDED,
    EventType.LICENSE_EXPIRED,
    EventType.LICENSE_RENEWED,
    EventType.PAYMENT_REFUNDED,
)
DASHBOARDS = tuple(kind for kind in EventType if kind not in OURS_ALONE)
"""The sixteen types that the dashboard knows."""

MOST = 1000
INT64 = 2**63

Text = Annotated[str, StringConstraints(max_length=events.LONGEST_DESCRIPTION)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=events.LONGEST_DESCRIPTION)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_ -]{0,99}$")]
Scalar = Annotated[int, Field(ge=-INT64, lt=INT64)] | float | bool | Text | None
Named = Field(max_length=50, json_schema_extra={"additionalProperties": False})
"""Of an object: so many keys, and none that is not of the pattern."""
Value = Scalar | Annotated[list[Scalar], Field(max_length=50)] | Annotated[dict[Key, Scalar], Named]
METADATA = (
    "wanted at most 50 keys of ASCII letters, digits, _, - and spaces, none beginning with a digit; under each a text "
    f"of at most {events.LONGEST_DESCRIPTION} characters, a number, true, false, null, or one list or object of these"
)


def _in_one_sentence(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        raise ValueError(METADATA) from None


def _known_to_the_dashboard(kind: str) -> str:
    if kind not in DASHBOARDS:
        raise ValueError(f"wanted one of {', '.join(DASHBOARDS)}")
    return kind


def _written_as_a_moment(value: object) -> object:
    """A number would be taken for seconds since 1970, or for milliseconds."""
    if not isinstance(value, str) or not value[:4].isdecimal() or value.isdecimal():
        raise ValueError("wanted a moment with its zone, such as 2026-11-20T09:30:00+01:00")
    return value


class NewEvent(Strict):
    """An event that somebody tells."""

    event_type: Annotated[
        str, AfterValidator(_known_to_the_dashboard), WithJsonSchema({"type": "string", "enum": list(DASHBOARDS)})
    ]
    description: Annotated[Line, AfterValidator(events.valid_description)]
    customer_id: Id | None = None
    license_id: Id | None = None
    plan_name: Annotated[str, StringConstraints(max_length=events.LONGEST_PLAN)] | None = None
    amount: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] | None = Field(
        None, description="In `currency`."
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = "EUR"
    metadata: Annotated[Annotated[dict[Key, Value], Named] | None, WrapValidator(_in_one_sentence)] = Field(
        None, description=METADATA.capitalize() + "."
    )
    event_date: Annotated[AwareDatetime, BeforeValidator(_written_as_a_moment), Field(strict=False)] | None = Field(
        None,
        description="When it happened, with its zone; now by default. A closed day's row is amended.",
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


class Created(Answer):
    event_id: str = Field(examples=["65f0c0ffee65f0c0ffee65f0"])
    message: str = Field(examples=["event stored"])


class EventShape(BaseModel):
    """An event as the dashboard lists it; times are UTC."""

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


class Events(Page):
    events: list[EventShape]
    total: int = Field(description="How many this answer holds.")


Days = Annotated[int, Query(ge=1, le=36_500, description="How far back.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="The newest so many.")]
Cursor = Annotated[
    str | None, Query(pattern=r"^-?[0-9]{1,13}\.[0-9]{1,6}$", description="The `next_cursor` of an answer.")
]
Types = Annotated[list[EventType] | None, Query(alias="type", description="Only events of these types.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="The same key again is the same event: for scripts that may run twice.",
        examples=["deploy-2026-11-23"],
    ),
]

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Refused, "description": "The key stands for another event, or the moment is none of the past."}
}


def router(house: WebContext) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["events"], route_class=StrictRoute)

    @routes.post("/create_business_event", dependencies=WRITING, responses=CONFLICT)
    def create_business_event(event: NewEvent, idempotency_key: IdempotencyKey = None) -> Created:
        """Tell a business event. It is in the note of its day, told late too."""
        return Created(event_id=str(create(house, event, idempotency_key)), message="event stored")

    @routes.get("/get_recent_events")
    def get_recent_events(days: Days = 7, limit: Limit = 50, cursor: Cursor = None, type: Types = None) -> Events:
        """The newest events, newest first."""
        behind = position(cursor)
        with bounded(SECONDS):
            since = clock.now() - timedelta(days=days)
            found = store.recent(house.database, since, limit, behind, type or ())
            names = names_of(found, MirrorReader(house.database, house.config().settings()))
        after = store.position_after(found, behind) if len(found) == limit else None
        shown = [shape(event, names) for event in found]
        return Events(events=shown, total=len(shown), next_cursor=cursor_of(after))

    return routes


def create(house: WebContext, event: NewEvent, key: str | None) -> ObjectId:
    """Store the event; its id. What was understood, but contradicts what is, is a 409 that says so."""
    try:
        document = stored(event)
    except ValueError as mistake:
        raise Refusal(HTTPStatus.CONFLICT, f"event_date: {mistake}") from None
    try:
        with bounded(SECONDS):
            return store.create(house.database, document, clock.now(), key)
    except IdempotencyKeyConflict as taken:
        raise Refusal(HTTPStatus.CONFLICT, str(taken)) from None


def stored(event: NewEvent) -> dict[str, Any]:
    """The event as `store.create` takes it. Raises ValueError for a moment that is none of the past."""
    told = event.model_dump()
    for name in ("customer_id", "license_id"):
        told[name] = events.id_of_text(told[name]) if told[name] else None
    told["plan_name"] = events.valid_plan(told["plan_name"])
    told["event_date"] = events.valid_time(event.event_date, clock.now()) if event.event_date else None
    return told


def position(cursor: str | None) -> PageCursor | None:
    if cursor is None:
        return None
    milliseconds, _, skip = cursor.partition(".")
    return PageCursor(EPOCH + timedelta(milliseconds=int(milliseconds)), int(skip))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_of(position: PageCursor | None) -> str | None:
    return None if position is None else f"{(position.at - EPOCH) // timedelta(milliseconds=1)}.{position.skip}"


def names_of(events: Iterable[ReadOnlyDocument], mirror: MirrorReader) -> dict[Any, str]:
    """The names of the customers whom events name by id only, looked up at once."""
    ids = {_customer(event) for event in events if not _stored_name(event)} - {None}
    found = mirror.customers(list(ids)) if ids else []
    return {state.id: customer_name(state.fields) for state in found}


def _customer(event: ReadOnlyDocument) -> Any:
    found = event.get("customer_id")
    if isinstance(found, str):
        return events.id_of_text(found)
    return found if is_id(found) else None


def _stored_name(event: ReadOnlyDocument) -> str:
    metadata = event.get("metadata")
    return one_line(metadata.get("customer_name"), MAX_NAME) if isinstance(metadata, Mapping) else ""


def shape(event: ReadOnlyDocument, names: Mapping[Any, str]) -> EventShape:
    return EventShape(
        id=schemas.identity(event.get("_id")) or "",
        event_type=schemas.text(event.get("event_type"), 100),
        description=schemas.text(event.get("description")),
        event_date=schemas.moment(event.get("event_date")),
        customer_name=_stored_name(event) or names.get(_customer(event)) or None,
        plan_name=schemas.text(event.get("plan_name"), 100),
        amount=schemas.number(event.get("amount")),
        currency=schemas.text(event.get("currency"), 10),
        processed=event.get("processed") is True,
        auto_generated=event.get("auto_generated") is True,
    )
