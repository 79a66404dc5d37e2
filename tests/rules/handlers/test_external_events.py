"""External events of every type that the daemon emits: each fact is recorded once, in either order."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.handlers.fact_matching import MATCHED_EVENTS
from rules.model.changes import Change, Operation, Origin, Source
from rules.model.events import EventType
from tests.rules.examples import PRICES, T0, Story
from tests.rules.histories import cuts
from tests.rules.inspection import state_text
from tests.rules.shop import Shop

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


def test_an_external_event_after_the_own_one_has_its_key_and_one_before_it_is_known_by_its_own_id() -> None:
    after = ExternalStory().customer("ada").license("L1").wait(500).set("L1", status="cancelled")
    own = after.shop.events[-1].key
    after.external("license_cancelled")
    before = ExternalStory().customer("ada").license("L1").wait(500).external("license_cancelled")
    before.set("L1", status="cancelled")

    assert [fact.key for fact in after.shop.external] == [own]
    assert [fact.key for fact in before.shop.external] == [None]
    assert "license_cancelled" not in before.types()


@pytest.mark.parametrize("external_first", [True, False])
def test_an_external_event_with_a_natural_key_has_the_key_of_ours_in_either_order(external_first: bool) -> None:
    story = ExternalStory()
    if external_first:
        story.external("new_customer").external("license_created").customer("ada").license("L1")
    else:
        story.customer("ada").license("L1").external("new_customer").external("license_created")

    assert [fact.key for fact in story.shop.external] == ["new_customer:'ada'", "license_created:'L1'"]
    assert {"new_customer", "license_created"}.isdisjoint(story.types())
    assert story.shop.replaced == (set() if external_first else {"new_customer:'ada'", "license_created:'L1'"})


@pytest.mark.parametrize("kind", sorted(set(EventType) - MATCHED_EVENTS - {"new_customer", "license_created"}))
def test_an_external_event_without_an_own_one_is_known_by_its_id(kind: str) -> None:
    story = ExternalStory().customer("ada").license("L1")
    before = story.types()
    story.external(kind)

    assert [(fact.id, fact.type, fact.key) for fact in story.shop.external] == [
        (f"E{story.change_count - 1}", kind, None)
    ]
    assert story.types() == before


def test_an_external_creation_of_a_deleted_license_is_not_early() -> None:
    story = ExternalStory().customer("ada").license("L1").delete(Source.LICENSES, "L1").external("license_created")

    assert story.shop.replaced == {"license_created:'L1'"}
    assert "twins" not in story.shop.memory


@pytest.mark.parametrize("kind", sorted(CAUSES.keys() - {"license_activated"}))
def test_an_external_event_found_again_after_a_gap_replaces_no_second_fact(kind: str) -> None:
    before, cause = CAUSES[kind]
    story = story_with(kind).set("L1", **cause).external(kind)
    event = Change(
        Source.EVENTS,
        Operation.INSERT,
        f"E{story.change_count - 1}",
        story.now,
        "reconciliation:1",
        {"event_type": kind, "license_id": "L1", "customer_id": "ada", "event_date": story.now},
        origin=Origin.RECOVERED,
    )
    own = {"expires_at": END + timedelta(days=60)} if kind == "license_renewed" else cause
    story.set("L1", **{"plan_id": "pro", "status": "active", **({} if kind == "license_renewed" else before)})
    story.set("L1", **own)
    again = story.types().count(kind)
    story.shop.apply([event])

    assert story.types().count(kind) == again == 1
    assert story.shop.external[0].key is not None
    assert story.shop.external[-1].key == story.shop.external[0].key


@pytest.mark.parametrize("hours", [0, 3, 5])
def test_a_fact_whose_time_in_a_gap_is_unknown_is_matched_by_an_external_event_of_the_gap(hours: int) -> None:
    story = ExternalStory().customer("ada").license("L1").wait(500)
    since, until = story.now, story.now + timedelta(hours=5)
    document = {"customer_id": "ada", "plan_id": "pro", "status": "cancelled"}
    fact = Change(Source.LICENSES, Operation.REPLACE, "L1", until, "reconciliation:1", document)
    story.shop.apply([fact._replace(origin=Origin.RECOVERED, since=since)])
    own = story.types()[-1]
    story.now = since + timedelta(hours=hours)
    story.external("license_cancelled")

    assert (own, "license_cancelled" in story.types()) == ("license_cancelled", False)


STEPS = ("own", "own", "external", "external", "by customer", "wait", "delete", "plan", "back")


@given(st.lists(st.sampled_from(STEPS), max_size=16), st.sampled_from(sorted(CAUSES)), cuts(20))
def test_each_fact_stands_once_and_each_external_event_is_matched_once(
    steps: list[str], kind: str, where: set[int]
) -> None:
    """Whatever the order and the split into batches; an external event found again changes nothing."""
    changes = list(changes_of(steps, kind))
    shop = Shop().follow(changes, where)
    alone = Shop().one_by_one(changes)

    assert state_text(shop) == state_text(alone)
    matched = {fact.id: fact.key for fact in shop.external if fact.key is not None}
    assert len(set(matched.values())) == len(matched)
    assert set(matched.values()) & {event.key for event in shop.events} == set()
    assert set(matched.values()) >= alone.replaced
    assert alone.emitted_after_withdrawal == []


def changes_of(steps: list[str], kind: str) -> Iterator[Change]:
    """Yield a shop with two licenses, one of which has facts of one kind, and external events about them."""
    before, cause = CAUSES[kind]
    story, license = ExternalStory(), {"customer_id": "ada", "plan_id": "pro", "status": "active", **before}
    at, is_there = story.now, True
    opening = [(Source.PLANS, plan, {"name": plan, "price": price}) for plan, price in PRICES.items()]
    opening += [
        (Source.CUSTOMERS, "ada", {"name": "Ada"}),
        (Source.LICENSES, "L1", license),
        (Source.LICENSES, "L2", license),
    ]
    for number, (source, doc_id, fields) in enumerate(opening):
        yield Change(source, Operation.INSERT, doc_id, at, f"81{number:06d}", fields)
    at += timedelta(hours=8)
    for number, step in enumerate(steps):
        at += timedelta(minutes=90 if step == "wait" else 1)
        mark, last = f"82{number:06d}", f"E{number}"
        event = {"event_type": kind, "customer_id": "ada", "event_date": at, "license_id": "L1"}
        if step == "own" and is_there:
            if kind == "license_renewed":
                cause = {"expires_at": cause["expires_at"] + timedelta(days=1)}
            yield Change(Source.LICENSES, Operation.UPDATE, "L1", at, mark, cause)
        elif step == "back" and is_there:
            yield Change(Source.LICENSES, Operation.UPDATE, "L1", at, mark, {**license, "expires_at": None} | before)
        elif step == "plan" and is_there:
            yield Change(Source.LICENSES, Operation.UPDATE, "L1", at, mark, {"plan_id": "agency"})
        elif step == "delete":
            op = Operation.DELETE if is_there else Operation.INSERT
            yield Change(Source.LICENSES, op, "L1", at, mark, {} if is_there else license)
            is_there = not is_there
        elif step in ("external", "by customer"):
            about = event if step == "external" else {**event, "license_id": None}
            yield Change(Source.EVENTS, Operation.INSERT, last, at, mark, about)
