"""The states of a small shop in memory: they equal the database after every batch, and change no result."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pymongo import MongoClient

from daemon import clock
from daemon.config.schema import Config
from daemon.leader.election import holder_name
from daemon.mongo.types import Database
from daemon.pipeline import state_memory
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime.health import Health
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten
from daemon.store.commit import Committer
from daemon.store.lease import Leaser
from daemon.store.mirror.reader import MirrorReader
from rules.model.changes import Change, Operation, Source
from tests import shop
from tests.rules.histories import cuts, histories
from tests.states import assert_memory_equals_mirror

WRITTEN = ("business_events", "analytics_ledger", "analytics_mirror", "analytics_dead_letters")


@pytest.fixture
def config(mongo_uri: str, database: Database) -> Config:
    built = shop.config_for(mongo_uri, database)
    with shop.running(built):
        pass
    return built


@contextmanager
def pipeline(client: MongoClient[dict[str, Any]], db: Database, config: Config) -> Iterator[Pipeline]:
    """Yield a pipeline at the first checkpoint, and take back what it wrote."""
    leaser, before = Leaser(db, holder_name(), 60), list(db.analytics_checkpoint.find())
    with client.start_session() as session:
        lease, checkpoint, known = leaser.acquire(session), checkpoints.load(db), forgotten.load(db)
        assert lease is not None and checkpoint is not None
        checkpoint.epoch = lease.epoch
        committer = Committer(db, lease, config.settings(), 20, known.count)
        reader = MirrorReader(db, config.settings())
        try:
            yield Pipeline(reader, committer, checkpoint, config, Health(), threading.Event())
        finally:
            leaser.release(lease)
            for name in WRITTEN:
                db[name].delete_many({})
            db.analytics_checkpoint.delete_many({})
            db.analytics_checkpoint.insert_many(before)


def apply(running: Pipeline, changes: Sequence[Change], where: Collection[int]) -> None:
    """Apply changes in batches that end at `where` and after each plan; compare memory and mirror after each."""
    batch: list[Change] = []
    for index, change in enumerate(changes, 1):
        batch.append(change)
        if index in where or change.source is Source.PLANS or index == len(changes):
            running.apply(batch, None)
            running.run_pending_revaluations()
            running.flush()
            assert_memory_equals_mirror(running, running.committer.database)
            batch = []


def written(db: Database) -> dict[str, list[str]]:
    return {name: sorted(repr(sorted(document.items())) for document in db[name].find()) for name in WRITTEN}


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(max_size=12), cuts(12))
def test_memory_equals_the_mirror_after_any_batch_and_gives_the_same_events_and_ledger(
    client: MongoClient[dict[str, Any]], database: Database, config: Config, history: list[Change], where: set[int]
) -> None:
    results = []
    for most in (5000, 3, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(state_memory, "MAX_STATES", most)
            with pipeline(client, database, config) as running:
                apply(running, history, where)
                results.append(written(database))

    assert results[1] == results[0] == results[2]


def test_a_shop_that_grows_beyond_the_limit_is_forgotten_and_read_for_each_batch(
    client: MongoClient[dict[str, Any]], database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_memory, "MAX_STATES", 2)
    with pipeline(client, database, config) as running:
        for number, is_small in ((1, True), (2, True), (3, False), (4, False)):
            change = Change(Source.CUSTOMERS, Operation.INSERT, number, clock.now(), f"82{number}", {"name": "Ada"})
            running.apply([change], None)
            assert (running._memory.states is not None) is is_small

        assert MirrorReader(database, config.settings()).all_states(3) is None
        assert MirrorReader(database, config.settings()).all_states(4) is not None
