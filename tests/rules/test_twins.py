"""Which of our keys an event of somebody else stands for, and what comes of it inside one batch."""

from typing import Any

import pytest

from rules.model import Change, Operation, Source
from rules.twins import natural_keys
from tests.rules.examples import T0, Story

STANDS_FOR: list[tuple[dict[str, Any], list[str]]] = [
    ({"event_type": "new_customer", "customer_id": 7}, ["new_customer:7"]),
    ({"event_type": "license_created", "license_id": "L"}, ["license_created:'L'"]),
    ({"event_type": "payment_completed", "license_id": 7}, ["payment_completed:7"]),
    (
        {"event_type": "milestone_reached", "metadata": {"milestone_type": "customers", "milestone_value": 25.0}},
        ["milestone:customers:25"],
    ),
    (
        {"event_type": "milestone_reached", "metadata": {"founders_remaining": 499, "license_key": "CHA-1"}},
        ["limited_sale:CHA-1"],
    ),
    ({"event_type": "milestone_reached", "license_id": 7, "metadata": {"founders_remaining": 1}}, ["limited_sale:7"]),
]
STANDS_FOR_NOTHING: list[dict[str, Any]] = [
    {},
    {"event_type": ["new_customer"], "customer_id": 7},
    {"event_type": "new_customer"},
    {"event_type": "new_customer", "customer_id": {"$ne": None}},
    {"event_type": "license_created", "license_id": True},
    {"event_type": "milestone_reached", "metadata": "25"},
    {"event_type": "milestone_reached", "metadata": {"milestone_type": 1, "milestone_value": float("nan")}},
    {"event_type": "milestone_reached", "metadata": {"milestone_type": "customers", "milestone_value": float("inf")}},
    {"event_type": "support_ticket", "customer_id": 7},
]


@pytest.mark.parametrize(("event", "keys"), STANDS_FOR)
def test_an_event_of_somebody_else_stands_for_the_key_ours_would_have(event: dict[str, Any], keys: list[str]) -> None:
    assert list(natural_keys(event)) == keys


@pytest.mark.parametrize("event", STANDS_FOR_NOTHING)
def test_whatever_else_is_in_there_stands_for_nothing(event: dict[str, Any]) -> None:
    assert list(natural_keys(event)) == []


@pytest.mark.parametrize("theirs_first", [True, False])
def test_in_one_batch_theirs_stands_whichever_comes_first(theirs_first: bool) -> None:
    ours = Change(Source.CUSTOMERS, Operation.INSERT, "C9", T0, "90", {"name": "Nove"})
    event = {"event_type": "new_customer", "customer_id": "C9"}
    theirs = Change(Source.EVENTS, Operation.INSERT, "E1", T0, "91", event)
    batch = [theirs._replace(cause="90"), ours._replace(cause="91")] if theirs_first else [ours, theirs]
    story = Story()
    told = len(story.types())
    story.shop.apply(batch)

    assert len(story.types()) == told
    assert story.shop.totals.customers >= 1
