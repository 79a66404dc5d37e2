"""Facts as CloudEvents: the exact bytes, and everything that an external event may hold."""

import json
import math
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from daemon.delivery.channels.cloud_event import Names, body, message_id
from rules.model.events import EventType
from rules.model.facts import Difference, ErasureFact, EventFact, Fact, FactType, GapFact, RowFact

ROME = ZoneInfo("Europe/Rome")
AT = datetime(2026, 11, 26, 9, 12, 44, 120_000, tzinfo=UTC)
CUSTOMER, LICENSE = ObjectId("66c4a1b2c3d4e5f6a7b8c9aa"), ObjectId("66c4a1b2c3d4e5f6a7b8c9d0")
CANCELLED = EventFact(
    ObjectId(), EventType.LICENSE_CANCELLED, CUSTOMER, LICENSE, plan_name="pro", amount_cents=799, metadata={}
)


def fact(subject: Any, kind: FactType = FactType.EVENT_RECORDED, id: str = "5f0c2a9e7b1d4c3a8e6f9012") -> Fact:
    return Fact(id, kind, AT, subject)


def sent(of: Fact, names: Names | None = None) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(body(of, "chatello_saas", ROME, names))
    return decoded


def test_an_event_has_exactly_the_documented_form() -> None:
    assert body(fact(CANCELLED), "chatello_saas", ROME).decode() == (
        '{"specversion":"1.0","id":"5f0c2a9e7b1d4c3a8e6f9012","source":"/chatello-analytics/chatello_saas",'
        '"type":"it.chatello.event.recorded","subject":"license/66c4a1b2c3d4e5f6a7b8c9d0",'
        '"time":"2026-11-26T09:12:44.120Z","datacontenttype":"application/json",'
        '"data":{"event_type":"license_cancelled","day":"2026-11-26","customer_id":"66c4a1b2c3d4e5f6a7b8c9aa",'
        '"license_id":"66c4a1b2c3d4e5f6a7b8c9d0","plan":"pro","amount_cents":799,"currency":"EUR","recovered":false}}'
    )


def test_an_amended_day_has_exactly_the_documented_form() -> None:
    row = RowFact(date(2026, 11, 21), 2, changes=(Difference("mrr_cents", 21770, 20971),))
    event = sent(fact(row, FactType.DAY_AMENDED, "day-2026-11-21.r2.9f3ac1d20b77"))

    assert (event["type"], event["subject"]) == ("it.chatello.day.amended", "day/2026-11-21")
    assert event["id"] == "day-2026-11-21.r2.9f3ac1d20b77"
    assert event["data"] == {
        "day": "2026-11-21",
        "revision": 2,
        "changes": [{"field": "mrr_cents", "before": 21770, "after": 20971}],
    }


@pytest.mark.parametrize(
    ("subject", "kind", "about", "data"),
    [
        (RowFact(date(2026, 11, 1), 0, month=True), FactType.MONTH_CLOSED, "month/2026-11", {"month": "2026-11"}),
        (ErasureFact(CUSTOMER), FactType.CUSTOMER_FORGOTTEN, f"customer/{CUSTOMER}", {"customer_id": str(CUSTOMER)}),
        (
            EventFact("x", EventType.NEW_CUSTOMER, 4711),
            FactType.EVENT_RECORDED,
            "customer/4711",
            {"customer_id": "4711"},
        ),
        (EventFact(UUID(int=7), EventType.PARTNERSHIP), FactType.EVENT_RECORDED, f"event/{UUID(int=7)}", {}),
        (
            GapFact(LICENSE, "history_lost", AT, None, {"licenses": 3}, {"customers": 20}),
            FactType.APPROVAL_REQUESTED,
            f"gap/{LICENSE}",
            {
                "cause": "history_lost",
                "since": "2026-11-26T09:12:44.120Z",
                "recovered": {"licenses": 3},
                "missing": {"customers": 20},
            },
        ),
    ],
)
def test_each_kind_of_fact_names_its_subject(subject: Any, kind: FactType, about: str, data: dict[str, Any]) -> None:
    event = sent(fact(subject, kind))

    assert event["subject"] == about
    assert event["type"] == f"it.chatello.{kind}"
    assert data.items() <= event["data"].items()
    assert None not in event["data"].values()


def test_names_are_only_in_a_message_that_may_have_them() -> None:
    names = Names("Rossi & Figli <srl>", "🎫 Licenza cancellata")

    assert not {"customer_name", "text"} & sent(fact(CANCELLED))["data"].keys()
    assert sent(fact(CANCELLED), names)["data"]["customer_name"] == "Rossi & Figli <srl>"
    assert "customer_name" not in sent(fact(CANCELLED), Names(text="x"))["data"]


def test_the_day_is_the_business_day() -> None:
    late = fact(CANCELLED)._replace(time=datetime(2026, 11, 26, 23, 30, tzinfo=UTC))

    assert sent(late)["data"]["day"] == "2026-11-27"


def test_numbers_without_a_form_in_json_are_left_out() -> None:
    odd = CANCELLED._replace(metadata={"good": 1, "nan": math.nan, "infinite": math.inf})
    row = RowFact(date(2026, 11, 21), 1, changes=(Difference("arpu", None, math.nan),))

    assert sent(fact(odd))["data"]["metadata"] == {"good": 1}
    assert sent(fact(row, FactType.DAY_AMENDED))["data"]["changes"] == [{"field": "arpu"}]


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_id_and_name_gives_json_and_an_id_that_a_header_can_carry(id: str, name: str) -> None:
    event = sent(fact(EventFact(id, EventType.PARTNERSHIP), id=id), Names(name, name))

    assert event["id"] == message_id(fact(CANCELLED, id=id))
    assert event["id"].isascii()
    assert event["id"].isprintable()
    assert 0 < len(event["id"]) <= 128


def test_two_unsafe_ids_stay_two() -> None:
    assert message_id(fact(CANCELLED, id="a\nb")) != message_id(fact(CANCELLED, id="a b"))
