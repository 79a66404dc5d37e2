"""A backup of the whole database, restored on another server (docs/operations.md)."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, recount, totals
from tests.system.test_process import ready


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo() as mongo:
        yield mongo


def restore(backup: dict[str, list[dict[str, Any]]], db: Database) -> None:
    """Restore as mongorestore --drop does: drop and refill each collection."""
    for name, documents in backup.items():
        db.drop_collection(name)
        if documents:
            db[name].insert_many(documents)


def dump(db: Database) -> dict[str, list[dict[str, Any]]]:
    return {name: list(db[name].find()) for name in db.list_collection_names()}


def serve(uri: str, db: Database) -> None:
    """Run the daemon until its totals match the source, sell ten licenses, and stop it."""
    with shop.process(uri, db.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        wait_for(lambda: totals(db) == recount(db), "the totals to match")
        plan = db.plans.find_one({"name": "pro"})
        assert plan is not None
        sold = [shop.license(db, shop.customer(db, f"C{n}"), plan["_id"]) for n in range(10)]
        wait_for(lambda: events(db)["license_created", sold[-1]] == 1, "the last license event")
        assert daemon.stop() == 0
    assert_ledger_consistent(db)
    assert_each_event_once(db)


def test_a_backup_restored_on_another_server_is_recorded_as_a_gap_and_reconciled(
    mongo_uri: str, database: Database, elsewhere: EmbeddedMongo
) -> None:
    shop.plans(database)
    serve(mongo_uri, database)
    client: MongoClient[dict[str, Any]]
    with MongoClient(elsewhere.uri, tz_aware=True) as client:
        there: Database = client.get_database(database.name, codec_options=CODEC)
        restore(dump(database), there)
        serve(elsewhere.uri, there)
        causes = [gap["cause"] for gap in there.analytics_gaps.find() if gap["closed_at"]]

    assert len(causes) == 2 and causes[0] == "first_start", causes
