"""Work that takes long is progress all the while: no shop is too large for the watchdog."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient

from daemon import clock
from daemon.app import holder_name
from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.pipeline import reconciliation
from daemon.pipeline.pipeline import Pipeline
from daemon.pipeline.reconciliation import SnapshotDiff
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


class Beats:
    """How often a room said that it got on."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def config(mongo_uri: str, database: Database) -> Config:
    """Of a shop with thirty licences on one plan, taken over."""
    made = shop.config_for(mongo_uri, database, stream={"batch_size": STEP})
    plan = shop.plans(database)["pro"]
    for n in range(LICENSES):
        shop.license(database, shop.customer(database, f"C{n}"), plan)
    with shop.running(made):
        assert totals(database)["active_licenses"] == LICENSES
    return made


@contextmanager
def pipeline(client: MongoClient[dict[str, Any]], db: Database, config: Config, beats: Beats) -> Iterator[Pipeline]:
    office = Leaser(db, holder_name(), config.lease.seconds)
    with client.start_session() as session:
        lease, checkpoint, known = office.acquire(session), checkpoints.load(db), forgotten.load(db)
        assert lease is not None
        assert checkpoint is not None
        checkpoint.epoch = lease.epoch
        committer = Committer(db, lease, config.settings(), config.mongodb.timeout_seconds, known.count)
        yield Pipeline(MirrorReader(db, config.settings()), committer, checkpoint, config, beats)
        office.release(lease)


def test_a_new_price_of_a_plan_with_many_licences_gets_on_with_each_step(
    client: MongoClient[dict[str, Any]], database: Database, config: Config
) -> None:
    plan = database.plans.find_one({"name": "pro"})
    assert plan is not None
    beats = Beats()
    with pipeline(client, database, config, beats) as street:
        dearer = {**plan, "price": 8.99}
        change = Change(Source.PLANS, Operation.REPLACE, plan["_id"], clock.now(), "x", dearer)
        street.apply([change], None)
        street.run_pending_revaluations()
        street.flush()

    assert totals(database)["mrr_cents"] == LICENSES * 899
    assert beats.count >= LICENSES / STEP


def test_a_reconciliation_in_which_nothing_differs_gets_on_as_documents_pass(
    client: MongoClient[dict[str, Any]], database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "STEP", STEP)
    beats, settings = Beats(), config.settings()
    decoder = Decoder(config.time.naive_zone, settings.manual_email)
    with client.start_session(snapshot=True) as session:
        walk = SnapshotDiff(database, MirrorReader(database, settings), decoder, session, beats)
        differing = list(walk.differences(Source.LICENSES))

    assert differing == []
    assert beats.count == LICENSES / STEP
