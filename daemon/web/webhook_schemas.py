"""The OpenAPI document's `webhooks`: what `daemon.delivery.channels.cloud_event` makes of each type of fact."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

from fastapi import APIRouter, Body, Header
from pydantic import BaseModel, ConfigDict, Field, create_model
from typing_extensions import TypedDict

from daemon.delivery.channels.cloud_event import TYPE_PREFIX
from daemon.delivery.channels.webhook import CONTENT_TYPE
from rules.model.events import EventType
from rules.model.facts import FactType

RESPONSES: dict[int | str, dict[str, Any]] = {
    "2XX": {"description": "Delivered."},
    "4XX": {
        "description": "400, 413, 415 and 422 refuse this message, 410 disables the target; all others are tried again."
    },
    "5XX": {"description": "Tried again later; `Retry-After` is heeded."},
}


EXACT = ConfigDict(extra="forbid")


class EventData(TypedDict):
    """A business event. `customer_name` and `text` only for a target with `names = true`."""

    __pydantic_config__ = EXACT  # type: ignore[misc]

    event_type: EventType
    day: Annotated[date, Field(description="Business day in the shop's time zone.")]
    customer_id: NotRequired[str]
    license_id: NotRequired[str]
    plan: NotRequired[str]
    amount_cents: NotRequired[int]
    currency: NotRequired[Annotated[str, Field(examples=["EUR"])]]
    metadata: NotRequired[dict[str, float]]
    recovered: Annotated[bool, Field(description="Found by a reconciliation after an interruption.")]
    customer_name: NotRequired[str]
    text: NotRequired[str]


class NumberChange(TypedDict):
    """A number of a row before and after: money in cents, counts or rates. Absent: not known."""

    __pydantic_config__ = EXACT  # type: ignore[misc]

    field: Annotated[str, Field(examples=["mrr_cents"])]
    before: NotRequired[float]
    after: NotRequired[float]


class DayData(TypedDict):
    """A day's row; `changes` only if it was amended."""

    __pydantic_config__ = EXACT  # type: ignore[misc]

    day: date
    revision: int
    changes: NotRequired[list[NumberChange]]


class MonthData(TypedDict):
    """A month's row; `changes` only if it was amended."""

    __pydantic_config__ = EXACT  # type: ignore[misc]

    month: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
    revision: int
    changes: NotRequired[list[NumberChange]]


class GapData(TypedDict):
    """A time in which the stream was not followed, or deletions that need a person's approval."""

    __pydantic_config__ = EXACT  # type: ignore[misc]

    gap_id: str
    cause: str
    since: NotRequired[datetime]
    until: NotRequired[datetime]
    recovered: NotRequired[Annotated[dict[str, int], Field(description="Documents found, by kind.")]]
    missing: NotRequired[Annotated[dict[str, int], Field(description="Documents to approve, by collection.")]]


class ErasureData(TypedDict):
    """A forgotten customer; only for targets with `names = true`, which have to delete the name, too."""

    __pydantic_config__ = EXACT  # type: ignore[misc]

    customer_id: str


class Message(BaseModel):
    """A CloudEvent 1.0. `id` is the header `webhook-id`, the same in each repetition. Absent values are left out."""

    model_config = EXACT

    specversion: Literal["1.0"]
    id: str
    source: str = Field(examples=["/chatello-analytics/chatello_saas"])
    subject: str = Field(examples=["license/66c4a1b2c3d4e5f6a7b8c9d0", "day/2026-11-21"])
    time: datetime
    datacontenttype: Literal["application/json"]


class Described(NamedTuple):
    """Data and summary of a type of fact."""

    data: type[Any]
    summary: str


WEBHOOKS = {
    FactType.EVENT_RECORDED: Described(EventData, "A business event of any type was recorded."),
    FactType.EVENT_WITHDRAWN: Described(EventData, "A recorded event turned out to be none."),
    FactType.DAY_CLOSED: Described(DayData, "The row of a day became final."),
    FactType.DAY_AMENDED: Described(DayData, "Numbers of a final day changed."),
    FactType.MONTH_CLOSED: Described(MonthData, "The row of a month became final."),
    FactType.MONTH_AMENDED: Described(MonthData, "Numbers of a final month changed."),
    FactType.GAP_OPENED: Described(GapData, "The stream could not be followed."),
    FactType.GAP_CLOSED: Described(GapData, "A gap was closed by a reconciliation."),
    FactType.APPROVAL_REQUESTED: Described(GapData, "Many documents disappeared; a person has to decide."),
    FactType.CUSTOMER_FORGOTTEN: Described(ErasureData, "A customer was forgotten; only with `names = true`."),
}


def document(webhooks: APIRouter) -> None:
    """Add all webhooks to the OpenAPI document."""
    for kind, described in WEBHOOKS.items():
        webhooks.add_api_route(
            kind.value,
            _receiver(_message(kind, described.data)),
            methods=["POST"],
            summary=described.summary,
            description="Signed as in Standard Webhooks; see docs/delivery.md.",
            operation_id=f"webhook_{kind.value.replace('.', '_')}",
            tags=["webhooks"],
            status_code=204,
            responses=RESPONSES,
        )


def _message(kind: FactType, data: type[Any]) -> type[Message]:
    name = "".join(word.capitalize() for word in kind.value.split("."))
    full: Any = Annotated[str, Field(json_schema_extra={"const": TYPE_PREFIX + kind.value})]
    return create_model(name, __base__=Message, type=(full, ...), data=(data, ...))


def _receiver(message: type[Message]) -> Any:
    """Return the signature of a receiver, from which FastAPI makes the description; it is never called."""

    def receive(
        body: Message,
        webhook_id: Annotated[str, Header()],
        webhook_timestamp: Annotated[int, Header()],
        webhook_signature: Annotated[str, Header(examples=["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="])],
    ) -> None: ...

    receive.__annotations__["body"] = Annotated[message, Body(media_type=CONTENT_TYPE.partition(";")[0])]
    return receive
