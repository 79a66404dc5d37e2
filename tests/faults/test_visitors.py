"""Visitors that hold thousands of connections while MongoDB restarts: nothing is lost, and probes answer."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import measurements, shop
from tests.faults.injection import (
    Load,
    assert_nothing_lost_or_duplicated,
    wait_until_consistent,
    wait_until_ready,
)
from tests.system.test_process import get
from tests.web.test_connections import descriptors, limit_descriptors
from tests.web.visitors import HALF_SENT, connect, is_open

PROBES = ("/healthz", "/readyz", "/metrics")
HELD = 1000
AWAY_SECONDS = 10


@pytest.fixture(scope="module")
def mongo() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo() as started:
        yield started


@pytest.fixture
def db(mongo: EmbeddedMongo) -> Iterator[Database]:
    with shop.fresh_database(f"{mongo.uri}&heartbeatFrequencyMS=500") as database:
        yield database


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    """Allow this process to hold its side of the connections."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, usual[1]), usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)


class Crowd:
    """Holds idle and half-sent connections; opens each again that the server closes, a few hundred a second."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.sent = [b"" if n % 2 else HALF_SENT for n in range(count)]
        self.held = [connect(port, sent) for sent in self.sent]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            for number, sent in enumerate(self.sent):
                if self._stop.is_set():
                    return
                if not is_open(self.held[number]):
                    self.held[number].close()
                    self.held[number] = connect(self.port, sent)
                    self._stop.wait(0.003)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for one in self.held:
            one.close()


def probe_for(port: int, seconds: float) -> float:
    """Request the probes again and again; return the longest time of one."""
    longest, began = 0.0, clock.monotonic()
    while clock.monotonic() - began < seconds:
        for path in PROBES:
            asked = clock.monotonic()
            assert get(port, path)[0] in (200, 503), path
            longest = max(longest, clock.monotonic() - asked)
    return longest


@contextmanager
def daemon_of(mongo: EmbeddedMongo, db: Database) -> Iterator[shop.Process]:
    uri = f"{mongo.uri}&heartbeatFrequencyMS=500"
    with shop.process(uri, db.name, CHATELLO_MONGODB__TIMEOUT_SECONDS="5") as daemon:
        wait_until_ready(daemon)
        yield daemon


def test_two_thousand_idle_and_half_sent_connections_during_a_restart_of_mongodb(
    mongo: EmbeddedMongo, db: Database
) -> None:
    shop.plans(db)
    [member] = mongo.members
    with daemon_of(mongo, db) as daemon:
        with Crowd(daemon.port, 2 * HELD), Load(db, []) as load:
            load.more(30)
            mongo.kill(member)
            slowest = probe_for(daemon.port, AWAY_SECONDS)
            mongo.start(member)
            load.more(30)
            slowest = max(slowest, probe_for(daemon.port, 2))
        wait_until_consistent(db, daemon, 10)
        shop.wait_until_committed(db, 10)
        assert daemon.stop() == 0
        lines = [line for line in daemon.lines if "connections.exhausted" in line]
    measurements.record(slowest_probe_seconds=slowest)

    assert slowest < 1
    assert len(lines) == 1
    assert_nothing_lost_or_duplicated(db)


def test_few_descriptors_are_enough_for_probes_and_for_following_a_restarted_mongodb(
    mongo: EmbeddedMongo, db: Database
) -> None:
    shop.plans(db)
    [member] = mongo.members
    with daemon_of(mongo, db) as daemon:
        limit_descriptors(daemon, 64)
        with Crowd(daemon.port, 200), Load(db, []) as load:
            mongo.kill(member)
            slowest = probe_for(daemon.port, 3)
            mongo.start(member)
            load.more(30)
            slowest = max(slowest, probe_for(daemon.port, 1))
        wait_until_consistent(db, daemon, 10)
        shop.wait_until_committed(db, 10)
        assert daemon.stop() == 0
        lines = [line for line in daemon.lines if "Too many open files" in line]

    assert slowest < 1
    assert lines == []
    assert_nothing_lost_or_duplicated(db)


def test_after_exhausted_descriptors_the_daemon_continues_when_some_are_free(
    mongo: EmbeddedMongo, db: Database
) -> None:
    shop.plans(db)
    [member] = mongo.members
    with daemon_of(mongo, db) as daemon:
        limit_descriptors(daemon, descriptors(daemon))
        with Crowd(daemon.port, 200), Load(db, []) as load:
            mongo.kill(member)
            shop.until(lambda: any("Too many open files" in line for line in daemon.lines), "the descriptors to end")
            mongo.start(member)
            load.more(300)
            limit_descriptors(daemon, 1024)
            load.more(30)
        wait_until_consistent(db, daemon, 10)
        shop.wait_until_committed(db, 10)
        assert daemon.stop() == 0
        lines = [line for line in daemon.lines if "connections.exhausted" in line]

    assert 1 <= len(lines) <= 2
    assert_nothing_lost_or_duplicated(db)
