"""From a change in the shop to the receiver: one message per fact, whether its event is ours or an external one."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from bson import ObjectId

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for as wait_until
from daemon.leader import announcements
from daemon.mongo.collections import OUTBOX, event_id
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store import rows
from rules import business_days
from rules.model.documents import id_key
from tests import shop
from tests.mongo.delivery.conftest import SECRET, Receiver

TYPES = ("new_customer", "license_created", "payment_completed")


@pytest.fixture
def running(mongo_uri: str, database: Database, receiver: Receiver) -> Iterator[shop.Running]:
    shop.plans(database)
    webhooks = {"n8n": {"url": receiver.url, "secret": SECRET}}
    with shop.running(shop.config_for(mongo_uri, database, webhooks=webhooks)) as run:
        wait_for(lambda: database["analytics_targets"].count_documents({}) == 1)
        yield run


def wait_for(condition: Callable[[], bool]) -> None:
    wait_until(condition, "the delivery", 30)


def events(receiver: Receiver) -> list[tuple[str, str]]:
    """Return type and event type of each message."""
    return [(body["type"].removeprefix("it.chatello."), body["data"].get("event_type", "")) for body in receiver.bodies]


def stored_ids(database: Database) -> set[str]:
    return {str(event["_id"]) for event in database.business_events.find()}


@pytest.mark.usefixtures("running")
def test_each_event_of_a_sale_is_one_message_with_its_id_and_no_name(database: Database, receiver: Receiver) -> None:
    plans = {plan["name"]: plan["_id"] for plan in database.plans.find()}
    owner = shop.customer(database, "TechCorp")
    license_id = shop.license(database, owner, plans["pro"])
    wait_for(lambda: len(receiver.ids) == 3)

    assert set(receiver.ids) == stored_ids(database)
    assert sorted(kind for _, kind in events(receiver)) == sorted(TYPES)
    assert "TechCorp" not in str(receiver.bodies)
    sale = next(body for body in receiver.bodies if body["data"]["event_type"] == "license_created")
    assert sale["subject"] == f"license/{license_id}"


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("external_first", [False, True])
def test_an_external_event_of_the_same_fact_adds_no_message(
    database: Database, receiver: Receiver, external_first: bool
) -> None:
    customer_id = ObjectId()
    reported = {"event_type": "new_customer", "customer_id": customer_id, "event_date": clock.now(), "description": "x"}
    steps = [("customers", {"_id": customer_id, "name": "TechCorp"}), ("business_events", reported)]
    for collection, document in reversed(steps) if external_first else steps:
        database[collection].insert_one(document)
        wait_for(lambda: len(receiver.ids) >= 1)
    shop.customer(database, "the next one")
    wait_for(lambda: len(receiver.ids) == 2)

    assert receiver.ids[0] == str(event_id(f"new_customer:{id_key(customer_id)}"))
    assert [kind for kind, _ in events(receiver)] == ["event.recorded", "event.recorded"]


@pytest.mark.usefixtures("running")
def test_a_cancellation_that_was_half_of_a_plan_change_is_withdrawn(database: Database, receiver: Receiver) -> None:
    plans = {plan["name"]: plan["_id"] for plan in database.plans.find()}
    owner = shop.customer(database, "TechCorp")
    first = shop.license(database, owner, plans["pro"])
    wait_for(lambda: len(receiver.ids) == 3)
    database.licenses.update_one({"_id": first}, {"$set": {"status": "cancelled"}})
    wait_for(lambda: ("event.recorded", "license_cancelled") in events(receiver))
    shop.license(database, owner, plans["agency"])
    wait_for(lambda: ("event.withdrawn", "license_cancelled") in events(receiver))

    recorded, withdrawn = (
        next(body["id"] for body in receiver.bodies if body["type"].endswith(kind) and _is_end(body))
        for kind in ("recorded", "withdrawn")
    )
    assert withdrawn == f"{recorded}.withdrawn"


def _is_end(body: dict[str, Any]) -> bool:
    return bool(body["data"]["event_type"] == "license_cancelled")


def test_commits_of_one_timestamp_are_delivered_once_each_in_order(
    mongo_uri: str, database: Database, receiver: Receiver
) -> None:
    """All changes of one transaction of the dashboard have one cluster time; here each is a commit of its own."""
    webhooks = {"n8n": {"url": receiver.url, "secret": SECRET}}
    with shop.running(shop.config_for(mongo_uri, database, webhooks=webhooks, stream={"batch_size": 1})):
        wait_for(lambda: database["analytics_targets"].count_documents({}) == 1)
        made = [ObjectId() for _ in range(5)]
        with database.client.start_session() as session, session.start_transaction():
            for known in made:
                database.customers.insert_one({"_id": known, "name": "TechCorp"}, session=session)
        wait_for(lambda: len(receiver.ids) == 5)

    stored = list(database[OUTBOX].find())
    assert [len(commit["entries"]) for commit in stored] == [1] * 5
    assert len({commit["entries"][0]["time"] for commit in stored}) == 1
    assert receiver.ids == [str(event_id(f"new_customer:{id_key(known)}")) for known in made]


@pytest.mark.usefixtures("running")
def test_a_campaign_has_the_id_of_its_own_document(database: Database, receiver: Receiver) -> None:
    campaign = {"event_type": "marketing_campaign", "description": "Sconti", "event_date": clock.now()}
    known = database.business_events.insert_one(campaign).inserted_id
    wait_for(lambda: receiver.ids == [str(known)])


def test_a_final_row_and_its_amendment_are_messages(
    running: shop.Running, database: Database, receiver: Receiver
) -> None:
    leader = running.leader
    assert leader is not None
    day = date(2026, 11, 20)
    row = {
        "date": business_days.stored(day),
        "period_type": "daily",
        "mrr": 7.99,
        "total_customers": 1,
        "auto_notes": "",
    }
    rows.write(database, row, final=True, now=clock.now(), announces=True)
    leader.jobs.put(announcements.announce)
    wait_for(lambda: len(receiver.ids) == 1)
    rows.write(database, {**row, "mrr": 15.98}, final=True, now=clock.now(), announces=True)
    leader.jobs.put(announcements.announce)
    wait_for(lambda: len(receiver.ids) == 2)

    assert [kind for kind, _ in events(receiver)] == ["day.closed", "day.amended"]
    assert receiver.bodies[1]["data"]["changes"] == [{"field": "mrr_cents", "before": 799, "after": 1598}]


def test_a_requested_reconciliation_is_a_gap_that_opens_and_closes(
    running: shop.Running, database: Database, receiver: Receiver
) -> None:
    del running
    database.analytics_gaps.insert_one(
        {"cause": "requested", "detail": "", "since": None, "opened_at": clock.now(), "closed_at": None}
    )
    wait_for(lambda: [kind for kind, _ in events(receiver)] == ["gap.opened", "gap.closed"])


def test_without_targets_nothing_is_written(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        shop.license(database, shop.customer(database, "TechCorp"), plans["pro"])
        wait_for(lambda: database.business_events.count_documents({}) == 3)
    rollup = Rollup(database, ActiveConfig(shop.config_for(mongo_uri, database)))
    rollup.write_today(rollup.now() + timedelta(0))

    names = set(database.list_collection_names())
    assert OUTBOX not in names
    assert "analytics_targets" not in names
    assert database.analytics_rows.count_documents({"announce": {"$exists": True}}) == 0
