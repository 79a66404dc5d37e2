"""MongoDB stops or dies under a leader: not ready within the lease plus two seconds everywhere, then recovery."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.web.page import system_texts
from tests import measurements, shop
from tests.faults.injection import (
    assert_nothing_lost_or_duplicated,
    insert_shop,
    wait_until_consistent,
    wait_until_ready,
)
from tests.system.test_process import get

LEASE_SECONDS = 8
OUTAGE_SECONDS = 37
"""Too short for the 45 seconds after which the stream counts as stalled."""


@pytest.fixture
def mongo() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo() as started:
        yield started


class StatusLine:
    """The last STATUS that the daemon sent to systemd."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.text = ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def read(self) -> str:
        with contextlib.suppress(BlockingIOError):
            while True:
                for line in self._socket.recv(65_536).decode().splitlines():
                    if line.startswith("STATUS="):
                        self.text = line.removeprefix("STATUS=")
        return self.text

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def status_line(tmp_path: Path) -> Iterator[StatusLine]:
    line = StatusLine(tmp_path / "notify")
    yield line
    line.close()


def seconds_until(signs: dict[str, Callable[[], bool]], limit: float) -> dict[str, float]:
    """Watch each sign in a thread of its own; return after how many seconds each appeared, for those that did."""
    began, seen = clock.monotonic(), dict[str, float]()

    def watch(name: str, sign: Callable[[], bool]) -> None:
        while clock.monotonic() - began < limit:
            if sign():
                seen[name] = clock.monotonic() - began
                return
            threading.Event().wait(0.05)

    threads = [threading.Thread(target=watch, args=one) for one in signs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_leader_whose_server_is_gone_is_not_ready_by_the_end_of_its_lease(
    mongo: EmbeddedMongo, status_line: StatusLine, number: signal.Signals
) -> None:
    shipped = {"CHATELLO_LEASE__SECONDS": str(LEASE_SECONDS), "CHATELLO_STREAM__AWAIT_SECONDS": "5"}
    with (
        shop.fresh_database(mongo.uri) as db,
        shop.process(mongo.uri, db.name, NOTIFY_SOCKET=status_line.path, **shipped) as daemon,
    ):
        wait_until_ready(daemon)
        insert_shop(db, 5)
        shop.wait_until_committed(db)
        shop.until(lambda: status_line.read().startswith("leader"), "the status line of a leader")
        signs = {
            "readyz": lambda: get(daemon.port, "/readyz")[0] == 503,
            "metric": lambda: "chatello_analytics_ready 0.0" in get(daemon.port, "/metrics")[1],
            "status": lambda: not status_line.read().startswith("leader"),
            "page": lambda: get(daemon.port, "/analytics")[0] == 503,
        }
        stopped = clock.monotonic()
        mongo.members[0].send(number)
        seen = seconds_until(signs, LEASE_SECONDS + 4)
        shop.until(lambda: system_texts.LEASE_EXPIRED in get(daemon.port, "/analytics")[1], "the text on the page")
        assert daemon.is_running()
        _end_outage(mongo, number, stopped)
        wait_until_ready(daemon)
        wait_until_consistent(db, daemon)
        shop.wait_until_committed(db)
        assert_nothing_lost_or_duplicated(db)
        assert daemon.stop() == 0

    assert seen.keys() == signs.keys()
    assert max(seen.values()) < LEASE_SECONDS + 2, seen
    measurements.record(not_ready_seconds=seen["readyz"])


def _end_outage(mongo: EmbeddedMongo, number: signal.Signals, stopped: float) -> None:
    member = mongo.members[0]
    if number == signal.SIGKILL:
        mongo.kill(member)
        mongo.start(member)
        return
    threading.Event().wait(max(0.0, OUTAGE_SECONDS - (clock.monotonic() - stopped)))
    member.send(signal.SIGCONT)
