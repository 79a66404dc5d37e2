"""Long work sends heartbeats, so that the watchdog does not restart the daemon of a large shop."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient

from daemon import clock
from daemon.config.schema import Config
from daemon.leader.election import holder_name
from daemon.mongo.types import Database
from daemon.pipeline import reconciliation
from daemon.pipeline.pipeline import Pipeline
from daemon.pipeline.reconciliation import SnapshotDiff
from daemon.runtime.health import Health
from daemon.source.decode import Decoder
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten
from daemon.store.commit import Committer
from daemon.store.lease import Leaser
from daemon.store.mirror.reader import MirrorReader
from rules.model.changes import Change, Operation, Source
from tests import shop
from tests.oracle import totals

LICENSES = 30
STEP = 5


class CountingHealth(Health):
    """Counts the heartbeats of the pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def heartbeat(self, component: str, now: float) -> None:
        super().heartbeat(component, now)
        self.count += component == "pipeline"


@pytest.fixture
def config(mongo_uri: str, database: Database) -> Config:
    """Return the configuration of a bootstrapped shop with thirty licenses on one plan."""
    built = shop.config_for(mongo_uri, database, stream={"batch_size": STEP})
    plan = shop.plans(database)["pro"]
    for n in range(LICENSES):
        shop.license(database, shop.customer(database, f"C{n}"), plan)
    with shop.running(built):
        assert totals(database)["active_licenses"] == LICENSES
    return built


@contextmanager
def pipeline(
    client: MongoClient[dict[str, Any]], db: Database, config: Config, health: CountingHealth
) -> Iterator[Pipeline]:
    leaser = Leaser(db, holder_name(), config.lease.seconds)
    with client.start_session() as session:
        lease, checkpoint, known = leaser.acquire(session), checkpoints.load(db), forgotten.load(db)
        assert lease is not None
        assert checkpoint is not None
        checkpoint.epoch = lease.epoch
        committer = Committer(db, lease, config.settings(), config.mongodb.timeout_seconds, known.count)
        yield Pipeline(MirrorReader(db, config.settings()), committer, checkpoint, config, health, threading.Event())
        leaser.release(lease)


def test_repricing_a_plan_with_many_licenses_sends_a_heartbeat_per_step(
    client: MongoClient[dict[str, Any]], database: Database, config: Config
) -> None:
    plan = database.plans.find_one({"name": "pro"})
    assert plan is not None
    health = CountingHealth()
    with pipeline(client, database, config, health) as running:
        dearer = {**plan, "price": 8.99}
        change = Change(Source.PLANS, Operation.REPLACE, plan["_id"], clock.now(), "x", dearer)
        running.apply([change], None)
        running.run_pending_revaluations()
        running.flush()

    assert totals(database)["mrr_cents"] == LICENSES * 899
    assert health.count >= LICENSES / STEP


def test_a_reconciliation_without_differences_sends_a_heartbeat_per_step(
    client: MongoClient[dict[str, Any]], database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "STEP", STEP)
    health, settings = CountingHealth(), config.settings()
    decoder = Decoder(config.time.naive_zone, settings.manual_email)
    with client.start_session(snapshot=True) as session:
        diff = SnapshotDiff(
            database, MirrorReader(database, settings), decoder, session, health.heartbeat_of("pipeline")
        )
        differing = list(diff.differences(Source.LICENSES))

    assert differing == []
    assert health.count == LICENSES / STEP
