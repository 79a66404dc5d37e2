"""The dashboard writes its own event of each fact, before or after ours: one message, no withdrawal."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from bson import ObjectId

from daemon import clock
from daemon.mongo.collections import event_id
from daemon.mongo.types import Database
from daemon.store import gaps
from rules.model.events import Event, EventType
from tests import shop
from tests.mongo.delivery.conftest import Receiver
from tests.mongo.delivery.test_commits import events, running, wait_for

__all__ = ["running"]


class Story:
    """One license and what happens to it; each step is the type of its event and the change of the shop."""

    def __init__(self, database: Database, receiver: Receiver) -> None:
        self.db = database
        self.receiver = receiver
        self.plans = {plan["name"]: plan["_id"] for plan in database.plans.find()}
        self.customer_id, self.license_id = ObjectId(), ObjectId()

    def steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        yield "new_customer", lambda: shop.customer(self.db, "TechCorp", _id=self.customer_id)
        yield (
            "license_created",
            lambda: shop.license(self.db, self.customer_id, self.plans["pro"], _id=self.license_id, status="inactive"),
        )
        yield "license_activated", lambda: self._set(status="active")
        yield "plan_upgraded", lambda: self._set(plan_id=self.plans["agency"])
        yield "plan_downgraded", lambda: self._set(plan_id=self.plans["starter"])
        yield "license_cancelled", lambda: self._set(status="cancelled")
        yield "payment_completed", lambda: self.pay("completed")
        yield "payment_failed", lambda: self.pay("failed")
        yield "license_activated", lambda: self._set(status="active")
        yield "license_cancelled", lambda: self._set(status="cancelled")

    def _set(self, **fields: Any) -> None:
        self.db.licenses.update_one({"_id": self.license_id}, {"$set": fields})

    def pay(self, status: str, **more: Any) -> None:
        paid = {"customer_id": self.customer_id, "license_id": self.license_id, "amount": 7.99, "currency": "EUR"}
        self.db.payments.insert_one({**paid, "status": status, "created_at": clock.now(), **more})

    def report(self, kind: str) -> None:
        license_id = None if kind == "new_customer" else self.license_id
        about = {"customer_id": self.customer_id, "license_id": license_id}
        event = {"event_type": kind, "event_date": clock.now(), "description": "dalla dashboard", **about}
        self.db.business_events.insert_one(event)

    def settle(self) -> None:
        """Wait until everything that was written so far is delivered."""
        mark = shop.customer(self.db, "mark")
        wait_for(lambda: any(body["data"].get("customer_id") == str(mark) for body in self.receiver.bodies))

    def delivered(self) -> list[tuple[str, str]]:
        own = (str(self.customer_id), str(self.license_id))
        pairs = zip(events(self.receiver), self.receiver.bodies, strict=True)
        return [event for event, body in pairs if body["subject"].partition("/")[2] in own]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("external_first", [False, True])
def test_each_fact_is_one_message(database: Database, receiver: Receiver, external_first: bool) -> None:
    story, expected = Story(database, receiver), list[tuple[str, str]]()
    story.pay("completed", customer_id=None, license_id=None)  # without payments a sale stands for one
    for kind, change in story.steps():
        before = len(story.delivered())
        works = [change, lambda kind=kind: story.report(kind)]  # type: ignore[misc]
        for work in reversed(works) if external_first else works:
            work()
            story.settle()
        found = story.delivered()[before:]
        assert [event for event in found if event[1] == kind] == [("event.recorded", kind)], (kind, found)
        expected += found

    assert "event.withdrawn" not in [kind for kind, _ in expected]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("order", ["document, event", "event, document"])
def test_the_first_payment_after_an_inferred_one_adds_no_message(
    database: Database, receiver: Receiver, order: str
) -> None:
    story = Story(database, receiver)
    shop.customer(database, "TechCorp", _id=story.customer_id)
    shop.license(database, story.customer_id, story.plans["pro"], _id=story.license_id)
    story.settle()
    sold = story.delivered()
    steps = {"document": lambda: story.pay("completed"), "event": lambda: story.report("payment_completed")}
    for step in order.split(", "):
        steps[step]()
        story.settle()

    assert sorted(kind for _, kind in sold) == ["license_created", "new_customer", "payment_completed"]
    assert story.delivered() == sold


TODAY = clock.now().date()
DATE_KEY, MILESTONE_KEY = f"calendar:{TODAY:%Y-%m-%d}", "milestone:customers:10"
REPORTS: Mapping[str, dict[str, Any]] = {
    DATE_KEY: {"event_type": "marketing_campaign", "metadata": {"special_date": f"{TODAY:%m-%d}"}},
    MILESTONE_KEY: {
        "event_type": "milestone_reached",
        "metadata": {"milestone_type": "customers", "milestone_value": 10},
    },
}


def _emit(run: shop.Running, database: Database, key: str) -> None:
    """Emit the own event of a date, as the daily job does, or of the tenth customer."""
    assert run.leader is not None
    if key == DATE_KEY:
        event = Event(key, EventType.MARKETING_CAMPAIGN, clock.now(), "Buon compleanno!")
        run.leader.jobs.put(lambda pipeline: pipeline.record([event], {}))
    else:
        for number in range(10):
            shop.customer(database, f"C{number}")


@pytest.mark.parametrize("key", REPORTS)
@pytest.mark.parametrize("external_first", [False, True])
def test_a_date_or_a_milestone_that_the_dashboard_reports_too_is_one_message(
    running: shop.Running, database: Database, receiver: Receiver, key: str, external_first: bool
) -> None:
    story = Story(database, receiver)
    report = {"event_date": clock.now(), "description": "dalla dashboard", **REPORTS[key]}
    steps: list[Callable[[], object]] = [
        lambda: _emit(running, database, key),
        lambda: database.business_events.insert_one(report),
    ]
    for step in reversed(steps) if external_first else steps:
        step()
        story.settle()

    kinds = [body["type"] for body in receiver.bodies if body["data"].get("event_type") == REPORTS[key]["event_type"]]
    assert kinds == ["it.chatello.event.recorded"]
    assert receiver.ids.count(str(event_id(key))) == 1


@pytest.mark.usefixtures("running")
def test_an_external_event_that_a_gap_finds_again_adds_no_message(database: Database, receiver: Receiver) -> None:
    """A gap includes the minute before it, because the clock that made an `_id` may differ."""
    story = Story(database, receiver)
    campaign = {"event_type": "marketing_campaign", "description": "Sconti", "event_date": clock.now()}
    known = database.business_events.insert_one(campaign).inserted_id
    shop.customer(database, "TechCorp", _id=story.customer_id)
    story.settle()
    story.report("new_customer")
    story.settle()
    delivered = story.delivered()
    gaps.open_gap(database, "requested", "a test", None, clock.now())
    shop.until(lambda: gaps.count_open(database) == 0, "the reconciliation")
    story.settle()

    assert story.delivered() == delivered == [("event.recorded", "new_customer")]
    assert receiver.ids.count(str(known)) == 1
