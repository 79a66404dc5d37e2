"""Three members under load: the primary steps down, is killed, or loses its majority; the daemon loses nothing."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database, Document
from tests import shop
from tests.faults.injection import Load, assert_nothing_lost_or_doubled, is_ready, marked, settled


@pytest.fixture(scope="module")
def three() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo(members=3) as mongo:
        yield mongo


@pytest.fixture
def three_db(three: EmbeddedMongo) -> Iterator[Database]:
    with shop.fresh_database(f"{three.uri}&heartbeatFrequencyMS=500&socketTimeoutMS=5000") as database:
        yield database


def watched(three: EmbeddedMongo, db: Database) -> Any:
    uri = f"{three.uri}&heartbeatFrequencyMS=500"
    return shop.process(uri, db.name, CHATELLO_MONGODB__TIMEOUT_SECONDS="5")


def assert_survived(db: Database, daemon: shop.Process) -> None:
    settled(db, daemon)
    marked(db)
    assert daemon.stop() == 0
    assert db.analytics_gaps.count_documents({"cause": {"$ne": "first_start"}}) == 0
    assert_nothing_lost_or_doubled(db)


def test_the_primary_steps_down_twice_under_load(three: EmbeddedMongo, three_db: Database) -> None:
    db = three_db
    shop.plans(db)
    with watched(three, db) as daemon:
        is_ready(daemon)
        with Load(db, []) as load:
            for _ in range(2):
                load.more(40)
                step_down(three)
                load.more(40)

        assert_survived(db, daemon)


def step_down(three: EmbeddedMongo) -> None:
    """Make the primary give up; an election it loses the race for is asked for again."""
    was = three.primary()

    def gave_up() -> bool:
        client: MongoClient[Document]
        try:
            with MongoClient(was.address, directConnection=True) as client:
                client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=3)
        except AutoReconnect:
            pass
        except OperationFailure:
            return three.primary() is not was
        return three.primary() is not was

    shop.until(gave_up, "the primary to step down", 30)


def test_the_primary_is_killed_under_load_and_comes_back_uncleanly(three: EmbeddedMongo, three_db: Database) -> None:
    db = three_db
    shop.plans(db)
    with watched(three, db) as daemon:
        is_ready(daemon)
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
    with watched(three, db) as daemon:
        is_ready(daemon)
        with Load(db, []) as load:
            load.more(40)
            stopped = [member for member in three.members if member is not three.primary()]
            try:
                for member in stopped:
                    member.send(signal.SIGSTOP)
                shop.until(lambda: not ready_now(daemon), "the daemon to say that it is not ready", 40)
            finally:
                for member in stopped:
                    member.send(signal.SIGCONT)
            load.more(40)

        is_ready(daemon)
        assert_survived(db, daemon)


def ready_now(daemon: shop.Process) -> bool:
    from tests.system.test_process import ready

    assert daemon.is_running()
    return ready(daemon.port)
