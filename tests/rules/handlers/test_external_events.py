"""External events of every type that the daemon emits: each fact is recorded once, in either order."""

from datetime import timedelta
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.changes import Operation, Source
from tests.rules.examples import T0, Story

END = T0 + timedelta(days=30)

CAUSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "license_activated": ({"status": "suspended"}, {"status": "active"}),
    "license_cancelled": ({}, {"status": "cancelled"}),
    "license_suspended": ({}, {"status": "suspended"}),
    "license_expired": ({}, {"status": "expired"}),
    "license_renewed": ({"expires_at": END}, {"expires_at": END + timedelta(days=30)}),
    "plan_upgraded": ({}, {"plan_id": "agency"}),
    "plan_downgraded": ({}, {"plan_id": "starter"}),
}
"""Per event type: fields of the license before, and the update that causes the event."""


class ExternalStory(Story):
    def external(self, kind: str, license_id: Any = "L1", customer_id: Any = "ada") -> Self:
        fields = {"event_type": kind, "license_id": license_id, "customer_id": customer_id}
        return self.change(Source.EVENTS, Operation.INSERT, f"E{self.change_count}", {**fields, "event_date": self.now})


def story_with(kind: str) -> ExternalStory:
    before, _ = CAUSES[kind]
    story = ExternalStory().customer("ada").license("L1", **before)
    return story.wait(500)


@pytest.mark.parametrize("kind", CAUSES)
@pytest.mark.parametrize("subject", [{}, {"license_id": None}], ids=["by license", "by customer"])
def test_an_external_event_after_the_document_replaces_the_own_event(kind: str, subject: dict[str, Any]) -> None:
    story = story_with(kind).set("L1", **CAUSES[kind][1])
    own = story.types().count(kind)
    story.external(kind, **subject)

    assert (own, story.types().count(kind)) == (1, 0)


@pytest.mark.parametrize("kind", CAUSES)
@pytest.mark.parametrize("subject", [{}, {"license_id": None}], ids=["by license", "by customer"])
def test_an_external_event_before_the_document_prevents_the_own_event(kind: str, subject: dict[str, Any]) -> None:
    story = story_with(kind).external(kind, **subject).set("L1", **CAUSES[kind][1])

    assert kind not in story.types()


@pytest.mark.parametrize("kind", CAUSES)
def test_an_external_event_outside_the_window_is_another_fact(kind: str) -> None:
    story = story_with(kind).set("L1", **CAUSES[kind][1]).wait(62).external(kind)

    assert story.types().count(kind) == 1


@pytest.mark.parametrize("kind", CAUSES)
@pytest.mark.parametrize(
    "other", [{"license_id": "L2"}, {"license_id": None, "customer_id": "bob"}, {"license_id": ["L1"]}], ids=str
)
def test_an_external_event_about_something_else_replaces_nothing(kind: str, other: dict[str, Any]) -> None:
    story = story_with(kind).set("L1", **CAUSES[kind][1]).external(kind, **other)

    assert story.types().count(kind) == 1


def test_an_external_event_replaces_one_of_two_cancellations() -> None:
    story = ExternalStory().customer("ada").license("L1")
    story.set("L1", status="cancelled").set("L1", status="active").set("L1", status="cancelled")
    own = story.types().count("license_cancelled")
    story.external("license_cancelled")

    assert (own, story.types().count("license_cancelled")) == (2, 1)


def test_a_cancellation_that_became_an_upgrade_can_no_longer_be_replaced() -> None:
    story = ExternalStory().customer("ada").license("L1").wait(500)
    story.set("L1", status="cancelled").license("L2", "agency").external("license_cancelled", license_id=None)

    assert story.types().count("plan_upgraded") == 1
    assert "license_cancelled" not in story.types()


def test_a_withdrawal_is_replaced_by_an_external_event_and_corrected_otherwise() -> None:
    story = ExternalStory().customer("ada").license("L1").wait(500).set("L1", status="cancelled")
    cancelled = story.shop.events[-1].key
    story.external("license_cancelled")
    replaced = set(story.shop.replaced)
    story.wait(500).license("L2").wait(500).set("L2", status="cancelled").license("L3", "agency")

    assert replaced == {cancelled}
    assert story.shop.withdrawn - story.shop.replaced == {
        key for key in story.shop.withdrawn if key.startswith("license_cancelled:") and "L2" in key
    }


@given(st.lists(st.sampled_from(("cancelled", "active", "suspended", "external", "wait")), max_size=14))
def test_a_withdrawn_key_is_never_emitted_again(steps: list[str]) -> None:
    story = ExternalStory().customer("ada").license("L1")
    for step in steps:
        if step == "external":
            story.external("license_cancelled")
        elif step == "wait":
            story.wait(90)
        else:
            story.set("L1", status=step)

    assert story.shop.emitted_after_withdrawal == []
