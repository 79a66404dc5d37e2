"""`forget` and deliveries: what was sent before is counted, and no later message contains the name."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from daemon import clock
from daemon.delivery import target_store
from daemon.delivery.people_worker import PeopleWorker
from daemon.leader import announcements
from daemon.mongo.types import Database
from daemon.privacy.forget import ForgetRequest
from daemon.rollup.rollup import Rollup
from daemon.store import forgotten, outbox, rows
from rules import business_days
from rules.messages import timing
from tests import shop
from tests.mongo.delivery.conftest import SECRET, Outbox, Receiver
from tests.mongo.delivery.test_commits import wait_for
from tests.mongo.delivery.test_people import DAY, Inbox, closed, inbox, person, store_row
from tests.mongo.delivery.test_targets import alone
from tests.mongo.privacy.test_forget import forget

__all__ = ["alone", "inbox"]

NAME = "Mario Rossi"


@pytest.fixture
def config(mongo_uri: str, database: Database, receiver: Receiver, inbox: Inbox) -> Any:
    named = {"url": receiver.url, "secret": SECRET}
    webhooks = {"crm": {**named, "names": True}, "some": {**named, "names": True, "only": ["plan_upgraded"]}}
    people = {"anna": {"secret": inbox.url, "quiet": None, "now": ["license_created"], "morning": ["day"]}}
    return shop.config_for(mongo_uri, database, webhooks={**webhooks, "plain": named}, notify=people)


@pytest.fixture
def running(config: Any, database: Database) -> Iterator[shop.Running]:
    shop.plans(database)
    with shop.running(config) as run:
        yield run


def test_messages_with_the_name_are_counted_and_no_later_one_contains_it(
    running: shop.Running,
    config: Any,
    database: Database,
    receiver: Receiver,
    inbox: Inbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing, "REDACTION", timedelta(0))
    plan = database.plans.find_one({"name": "pro"}) or {}
    owner = shop.customer(database, NAME)
    shop.license(database, owner, plan["_id"])
    wait_for(lambda: len(receiver.ids) == 6 and len(inbox.messages) == 1)
    _close_today(running, database)
    wait_for(lambda: len(receiver.ids) == 8 and len(inbox.messages) == 2)
    wait_for(lambda: _are_done(database))
    assert sum(NAME in str(body) for body in receiver.bodies) == 3
    assert all(NAME in message for message in inbox.messages)

    request = ForgetRequest(database, config)
    planned = request.survey(request.find_subject(str(owner)), lambda _: None)
    report = forget(database, config, owner)
    assert planned.sent == report.sent == {"crm": 3, "anna": 3}
    assert (database.analytics_audit.find_one() or {})["sent"] == report.sent

    receiver.bodies.clear()
    inbox.messages.clear()
    back = {"number": 0, "entry": 0}
    database.analytics_targets.update_many(
        {}, {"$set": {"position": back, "people.morning": back}, "$inc": {"version": 1}}
    )
    _announce(running, database)
    wait_for(lambda: len(receiver.ids) == 10 and len(inbox.messages) == 2)
    assert NAME not in f"{receiver.bodies} {inbox.messages}"
    erased = [body for body in receiver.bodies if body["type"].endswith("customer.forgotten")]
    assert [body["data"] for body in erased] == [{"customer_id": str(owner)}] * 2


def test_the_message_of_the_morning_waits_until_the_name_of_a_forgotten_customer_is_out_of_the_rows(
    alone: Callable[..., PeopleWorker],
    inbox: Inbox,
    written: Outbox,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker, now = alone(anna=person(inbox)), clock.now()
    store_row(database, DAY, 7.99, "🎉 Nuovo cliente: Mario Rossi")
    written.commit(closed(DAY), at=now - timedelta(hours=1))
    forgotten.add(database, forgotten.prepare(database), "mario", now)
    worker._step()
    assert inbox.messages == []

    store_row(database, DAY, 7.99, "🎉 Nuovo cliente: un cliente")
    monkeypatch.setattr(clock, "now", lambda: now + timing.REDACTION)
    worker._step()
    assert ["Mario Rossi" in message for message in inbox.messages] == [False]


def _close_today(running: shop.Running, database: Database) -> None:
    """Write the row of today as a final one and announce it."""
    rollup = Rollup(database, running.active)
    today = business_days.business_day(rollup.now(), running.config.time.zone)
    rows.write(database, rollup.row(today), final=True, now=clock.now(), announces=True)
    assert running.leader is not None
    running.leader.jobs.put(announcements.announce)


def _announce(running: shop.Running, database: Database) -> None:
    """Ask until it is done, as the scheduler does: the first job ends with the list that the leader knew before."""

    def is_done() -> bool:
        assert running.leader is not None
        running.leader.jobs.put(announcements.announce)
        return not forgotten.has_to_announce(database)

    wait_for(is_done)


def _are_done(database: Database) -> bool:
    names = ("crm", "some", "plain", "anna")
    records = [target_store.load(database, name) for name in names]
    return all(record is not None and not outbox.count(database, record.position) for record in records)
