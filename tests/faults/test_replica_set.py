"""Three members under load: the primary steps down, is killed, or loses the majority; no change is lost."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database, Document
from tests import shop
from tests.faults.injection import (
    Load,
    assert_nothing_lost_or_duplicated,
    wait_until_consistent,
    wait_until_ready,
)


@pytest.fixture(scope="module")
def three() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo(members=3) as mongo:
        yield mongo


@pytest.fixture
def three_db(three: EmbeddedMongo) -> Iterator[Database]:
    with shop.fresh_database(f"{three.uri}&heartbeatFrequencyMS=500&socketTimeoutMS=5000") as database:
        yield database


def start_daemon(three: EmbeddedMongo, db: Database) -> Any:
    uri = f"{three.uri}&heartbeatFrequencyMS=500"
    return shop.process(uri, db.name, CHATELLO_MONGODB__TIMEOUT_SECONDS="5")


def assert_survived(db: Database, daemon: shop.Process) -> None:
    wait_until_consistent(db, daemon)
    shop.wait_until_committed(db)
    assert daemon.stop() == 0
    assert db.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0
    assert_nothing_lost_or_duplicated(db)


def test_the_primary_steps_down_twice_under_load(three: EmbeddedMongo, three_db: Database) -> None:
    db = three_db
    shop.plans(db)
    with start_daemon(three, db) as daemon:
        wait_until_ready(daemon)
        with Load(db, []) as load:
            for _ in range(2):
                load.more(40)
                step_down(three)
                load.more(40)

        assert_survived(db, daemon)


def step_down(three: EmbeddedMongo) -> None:
    """Make the primary step down; retry if the command fails."""
    primary_before = three.primary()

    def stepped_down() -> bool:
        client: MongoClient[Document]
        try:
            with MongoClient(primary_before.address, directConnection=True) as client:
                client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=3)
        except AutoReconnect:
            pass
        except OperationFailure:
            return three.primary() is not primary_before
        return three.primary() is not primary_before

    shop.until(stepped_down, "the primary to step down", 30)


def test_the_primary_is_killed_under_load_and_restarted(three: EmbeddedMongo, three_db: Database) -> None:
    db = three_db
    shop.plans(db)
    with start_daemon(three, db) as daemon:
        wait_until_ready(daemon)
        with Load(db, []) as load:
            load.more(40)
            dead = three.primary()
            three.kill(dead)
            load.more(40)
            three.start(dead)
            load.more(40)

        assert_survived(db, daemon)


def test_the_majority_is_lost_under_load_and_comes_back(three: EmbeddedMongo, three_db: Database) -> None:
    db = three_db
    shop.plans(db)
    with start_daemon(three, db) as daemon:
        wait_until_ready(daemon)
        with Load(db, []) as load:
            load.more(40)
            stopped = [member for member in three.members if member is not three.primary()]
            try:
                for member in stopped:
                    member.send(signal.SIGSTOP)
                shop.until(lambda: not ready_now(daemon), "the daemon to report that it is not ready", 40)
            finally:
                for member in stopped:
                    member.send(signal.SIGCONT)
            load.more(40)

        wait_until_ready(daemon)
        assert_survived(db, daemon)


def ready_now(daemon: shop.Process) -> bool:
    from tests.system.test_process import ready

    assert daemon.is_running()
    return ready(daemon.port)
