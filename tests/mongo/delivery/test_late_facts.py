"""A late fact, through real rows: a line for people, an amendment per day for webhooks; and what it costs to write."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from pymongo import monitoring

from daemon.config.active import ActiveConfig
from daemon.mongo.collections import EVENTS, OUTBOX, WRITTEN_ROWS
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store import row_copies
from rules import business_days
from rules.messages import corrections
from rules.model.facts import Fact, FactType, RowFact
from tests import shop
from tests.mongo.delivery.conftest import SECRET
from tests.shop_history import ShopHistory, config_of, local

TODAY = date(2025, 6, 30)
NOW = local(TODAY, 12)
WRITES = ("insert", "update", "delete")


@pytest.fixture
def rollup(life: ShopHistory) -> Rollup:
    targets = {"n8n": {"url": "http://127.0.0.1:9/", "secret": SECRET}}
    config = config_of(life.db)
    return Rollup(life.db, ActiveConfig(config.model_validate({**config.model_dump(), "webhooks": targets})))


def announced(db: Database) -> list[Fact]:
    """Return what the leader would add to the outbox now."""
    facts = list[Fact]()
    while found := row_copies.to_announce(db):
        db[WRITTEN_ROWS].bulk_write(row_copies.announcements(found))
        facts += [fact for copy in found if (fact := row_copies.fact_of(copy, NOW)) is not None]
    return facts


def lines(facts: Sequence[Fact]) -> list[str]:
    rows = [fact.subject for fact in facts if fact.type in (FactType.DAY_AMENDED, FactType.MONTH_AMENDED)]
    return corrections.lines(corrections.net([row for row in rows if isinstance(row, RowFact)], TODAY), TODAY)


def test_a_fact_that_comes_sixty_days_late_amends_each_day_once_and_is_one_line(
    life: ShopHistory, rollup: Rollup
) -> None:
    rollup.close_missing(NOW)
    assert {fact.type for fact in announced(life.db)} == {FactType.DAY_CLOSED, FactType.MONTH_CLOSED}
    late = TODAY - timedelta(days=60)
    life.license(local(late, 9), "L-late", "dario")
    life.store(NOW, reopen=True)
    rollup.close_missing(NOW)
    facts = announced(life.db)

    days = [fact.subject.day for fact in facts if fact.type is FactType.DAY_AMENDED]  # type: ignore[union-attr]
    assert days == list(business_days.between(late, TODAY - timedelta(days=1)))
    found = lines(facts)
    assert len([line for line in found if "Rettifica dal" in line]) == 1
    assert all("maggio 2025" in line for line in found if "Rettifica dal" not in line)
    assert announced(life.db) == []


class Commands(monitoring.CommandListener):
    """The write commands of each transaction, in the order of the transactions."""

    def __init__(self) -> None:
        self.transactions: dict[tuple[bytes, int], list[Mapping[str, Any]]] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Record a write; a single write that may be retried has a number as well, but commits by itself."""
        command = event.command
        if command.get("autocommit") is False and event.command_name in WRITES:
            key = (bytes(command["lsid"]["id"]), command["txnNumber"])
            self.transactions.setdefault(key, []).append(command)

    def writes_with(self, event_type: str) -> list[str]:
        """Return the writes of the last transaction that inserts an event of a type."""

        def is_event(command: Mapping[str, Any]) -> bool:
            inserted = command["documents"] if command.get("insert") == EVENTS else ()
            return any(document["event_type"] == event_type for document in inserted)

        *_, found = (one for one in self.transactions.values() if any(map(is_event, one)))
        return sorted(f"{name} {command[name]}" for command in found for name in command if name in WRITES)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""


@pytest.fixture
def commands() -> Iterator[Commands]:
    listener = Commands()
    monitoring.register(listener)
    yield listener
    listeners = monitoring._LISTENERS.command_listeners
    listeners.remove(listener)


def test_a_target_adds_one_write_to_a_transaction_and_none_without_facts(
    mongo_uri: str, database: Database, commands: Commands
) -> None:
    plans = shop.plans(database)
    targets = {"webhooks": {"n8n": {"url": "http://127.0.0.1:9/", "secret": SECRET}}}
    found = {}
    for name, options in (("without", {}), ("with", targets)):
        with shop.running(shop.config_for(mongo_uri, database, **options)):
            owner = shop.customer(database, name)
            shop.until(lambda owner=owner: _has_event(database, owner), "the customer's event")  # type: ignore[misc]
            shop.license(database, owner, plans["pro"])
            shop.until(lambda: _count(database) == 1 + (name == "with"), "the license's event")  # noqa: B023
            found[name] = commands.writes_with("license_created")

    assert found["with"] == sorted([*found["without"], f"insert {OUTBOX}"])


def _has_event(db: Database, customer_id: object) -> bool:
    return db.business_events.count_documents({"event_type": "new_customer", "customer_id": customer_id}) == 1


def _count(db: Database) -> int:
    return db.business_events.count_documents({"event_type": "license_created"})
