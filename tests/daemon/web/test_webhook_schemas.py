"""The OpenAPI document describes exactly the bodies that webhooks receive."""

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId
from fastapi import FastAPI
from jsonschema_rs import Draft202012Validator, ValidationError

from daemon.delivery.channels import cloud_event
from daemon.delivery.channels.cloud_event import Names
from daemon.web import webhook_schemas
from rules.model.events import EventType
from rules.model.facts import Difference, ErasureFact, EventFact, Fact, FactType, GapFact, RowFact

AT = datetime(2026, 11, 26, 9, 12, 44, 120_000, tzinfo=UTC)
DAY = date(2026, 11, 21)
CHANGES = (Difference("mrr_cents", 21770, 20971), Difference("arpu", None, 3.5))
WHOLE_EVENT = EventFact(
    ObjectId(), EventType.LICENSE_CANCELLED, ObjectId(), ObjectId(), "pro", 799, "EUR", {"days": 3, "rate": 0.5}, True
)
LEAST_EVENT = EventFact("x", EventType.PARTNERSHIP)
WHOLE_GAP = GapFact(ObjectId(), "history_lost", AT, AT, {"licenses": 3}, {"customers": 20})
LEAST_GAP = GapFact("g", "first_start")

SUBJECTS: dict[FactType, tuple[Any, Any]] = {
    FactType.EVENT_RECORDED: (WHOLE_EVENT, LEAST_EVENT),
    FactType.EVENT_WITHDRAWN: (WHOLE_EVENT, LEAST_EVENT),
    FactType.DAY_CLOSED: (RowFact(DAY, 0), RowFact(DAY, 0)),
    FactType.DAY_AMENDED: (RowFact(DAY, 2, changes=CHANGES), RowFact(DAY, 1)),
    FactType.MONTH_CLOSED: (RowFact(DAY, 0, month=True), RowFact(DAY, 0, month=True)),
    FactType.MONTH_AMENDED: (RowFact(DAY, 2, month=True, changes=CHANGES), RowFact(DAY, 1, month=True)),
    FactType.GAP_OPENED: (WHOLE_GAP, LEAST_GAP),
    FactType.GAP_CLOSED: (WHOLE_GAP, LEAST_GAP),
    FactType.APPROVAL_REQUESTED: (WHOLE_GAP, LEAST_GAP),
    FactType.CUSTOMER_FORGOTTEN: (ErasureFact(ObjectId()), ErasureFact(4711)),
}
"""The fullest and the emptiest fact of each type."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = FastAPI()
    webhook_schemas.document(app.webhooks)
    return app.openapi()


def body(kind: FactType, subject: Any, names: Names | None = None) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        cloud_event.body(Fact("5f0c2a9e", kind, AT, subject), "chatello_saas", ZoneInfo("Europe/Rome"), names)
    )
    return made


def validate(document: dict[str, Any], kind: FactType, sent: dict[str, Any]) -> None:
    """Raise ValidationError unless a body conforms to the documented schema of its type."""
    described = document["webhooks"][kind]["post"]["requestBody"]["content"]["application/cloudevents+json"]["schema"]
    Draft202012Validator({**described, "components": document["components"]}).validate(sent)


def test_every_type_of_fact_is_documented_and_has_an_example_here(document: dict[str, Any]) -> None:
    assert set(document["webhooks"]) == set(FactType) == set(SUBJECTS)


@pytest.mark.parametrize("kind", FactType)
def test_the_body_of_each_type_conforms_to_its_schema(document: dict[str, Any], kind: FactType) -> None:
    for subject in SUBJECTS[kind]:
        validate(document, kind, body(kind, subject))


def test_names_are_documented_for_events(document: dict[str, Any]) -> None:
    validate(document, FactType.EVENT_RECORDED, body(FactType.EVENT_RECORDED, WHOLE_EVENT, Names("Rossi", "🎫 x")))


@pytest.mark.parametrize("kind", FactType)
def test_every_documented_field_is_sent(document: dict[str, Any], kind: FactType) -> None:
    names = Names("Rossi", "x") if isinstance(SUBJECTS[kind][0], EventFact) else None
    sent = body(kind, SUBJECTS[kind][0], names)
    fields = webhook_schemas.WEBHOOKS[kind].data.__annotations__.keys()

    assert fields - sent["data"].keys() <= ({"changes"} if isinstance(SUBJECTS[kind][0], RowFact) else set())


@pytest.mark.parametrize("kind", FactType)
def test_an_unknown_field_and_another_type_do_not_conform(document: dict[str, Any], kind: FactType) -> None:
    sent = body(kind, SUBJECTS[kind][0])
    with pytest.raises(ValidationError):
        validate(document, kind, {**sent, "data": {**sent["data"], "email": "a@b.it"}})
    with pytest.raises(ValidationError):
        validate(document, kind, {**sent, "type": "it.chatello.other"})


def test_the_headers_of_a_signed_request_are_documented(document: dict[str, Any]) -> None:
    parameters = document["webhooks"][FactType.DAY_CLOSED]["post"]["parameters"]

    assert [one["name"] for one in parameters] == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    assert all(one["required"] for one in parameters)
