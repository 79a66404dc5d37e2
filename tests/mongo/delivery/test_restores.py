"""A backup is restored while a target is configured: of the whole database, and of our collections only."""

from typing import Any

import pytest

from daemon.config.schema import Config
from daemon.mongo.collections import OUTBOX
from daemon.mongo.types import Database
from daemon.store import outbox
from tests import shop
from tests.faults.test_restore import dump, restore
from tests.mongo.delivery.conftest import SECRET, Receiver
from tests.mongo.delivery.test_commits import wait_for

OWN = "analytics_"


class DeliveringShop:
    """A shop whose daemon is started again and again; `committed` are the ids of all facts that it ever committed."""

    def __init__(self, config: Config, database: Database, receiver: Receiver) -> None:
        self.config, self.db, self.receiver = config, database, receiver
        self.plan = shop.plans(database)["pro"]
        self.committed: set[str] = set()

    def serve(self, customers: int) -> set[str]:
        """Sell to new customers until everything is delivered; return the ids that arrived for the first time."""
        before = set(self.receiver.ids)
        with shop.running(self.config):
            wait_for(lambda: self.db["analytics_targets"].count_documents({}) == 1)
            sold = [shop.license(self.db, shop.customer(self.db, f"C{n}"), self.plan) for n in range(customers)]
            wait_for(lambda: {str(one) for one in sold} <= self.licenses())
            wait_for(lambda: set(self.outbox_ids()) <= set(self.receiver.ids))
        self.committed |= set(self.outbox_ids())
        return set(self.receiver.ids) - before

    def licenses(self) -> set[str]:
        return {body["data"].get("license_id", "") for body in self.receiver.bodies}

    def outbox_ids(self) -> list[str]:
        return [entry["id"] for commit in self.db[OUTBOX].find().sort("_id") for entry in commit["entries"]]

    def newest_number(self) -> int:
        return outbox.newest(self.db)

    def events(self) -> set[str]:
        return {str(event["_id"]) for event in self.db.business_events.find()}


@pytest.fixture
def delivering(mongo_uri: str, database: Database, receiver: Receiver) -> DeliveringShop:
    webhooks = {"n8n": {"url": receiver.url, "secret": SECRET}}
    return DeliveringShop(shop.config_for(mongo_uri, database, webhooks=webhooks), database, receiver)


def test_after_a_restore_of_the_whole_database_every_later_fact_is_delivered(delivering: DeliveringShop) -> None:
    """The restored target is before facts that were delivered, and the numbers of commits are given again."""
    delivering.serve(2)
    backup = dump(delivering.db)
    delivering.serve(3)
    newest = delivering.newest_number()
    restore(backup, delivering.db)
    assert delivering.newest_number() < newest
    later = delivering.serve(1)

    assert {"new_customer", "license_created", "payment_completed", "gap"} <= kinds(delivering, later)
    assert delivering.events() <= set(delivering.receiver.ids) <= delivering.committed


def test_after_a_restore_of_our_collections_facts_are_repeated_under_their_ids(delivering: DeliveringShop) -> None:
    """The daemon reads the changes since the backup again: all of them are known."""
    delivering.serve(2)
    backup = {name: documents for name, documents in dump(delivering.db).items() if name.startswith(OWN)}
    delivering.serve(3)
    restore(backup, delivering.db)
    later = delivering.serve(1)

    assert len([body for body in bodies(delivering, later) if body["data"].get("event_type") == "new_customer"]) == 1
    assert delivering.events() <= set(delivering.receiver.ids) <= delivering.committed


def bodies(delivering: DeliveringShop, ids: set[str]) -> list[dict[str, Any]]:
    return [body for body in delivering.receiver.bodies if body["id"] in ids]


def kinds(delivering: DeliveringShop, ids: set[str]) -> set[str]:
    return {body["data"].get("event_type", "gap") for body in bodies(delivering, ids)}
