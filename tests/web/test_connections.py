"""The number and the time of connections are limited, so that a probe always gets in."""

import resource
import threading
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.web import connections as limits
from tests import shop
from tests.system.test_process import get, ready
from tests.web import visitors
from tests.web.test_broadcast import create_event, listening, received_event
from tests.web.visitors import HALF_SENT, is_open

PROBES = ("/healthz", "/readyz", "/metrics")
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"


def port_of(http_client: httpx2.Client) -> int:
    return http_client.base_url.port or 80


def probe_seconds(port: int) -> float:
    """Request all probes on connections of their own; return the longest time."""
    times = []
    for path in PROBES:
        began = clock.monotonic()
        assert get(port, path)[0] == 200, path
        times.append(clock.monotonic() - began)
    return max(times)


@pytest.mark.parametrize(
    ("sent", "receive_buffer"), [(b"", 0), (HALF_SENT, 0), (LARGE, 4096)], ids=["idle", "half-sent", "unread"]
)
def test_probes_answer_within_a_second_whatever_other_visitors_hold(
    http_client: httpx2.Client, sent: bytes, receive_buffer: int
) -> None:
    port = port_of(http_client)
    with visitors.connections(port, 300, sent, receive_buffer):
        assert probe_seconds(port) < 1


def test_the_longest_waiting_connection_is_closed_first_and_an_event_stream_is_not(
    http_client: httpx2.Client, database: Database
) -> None:
    port = port_of(http_client)
    with listening(http_client) as [stream], visitors.connections(port, 150) as held:
        wait_for(lambda: sum(map(is_open, held)) < limits.MAX_CONNECTIONS, "the connections to be closed")
        opened = [is_open(one) for one in held]
        create_event(database, "ancora")
        wait_for(received_event(stream, "ancora"), "the event")

    assert opened == sorted(opened)
    assert sum(opened) > limits.MAX_CONNECTIONS - 10


def test_a_request_that_is_not_read_yet_is_answered_although_a_crowd_came_after_it(
    http_client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_come = threading.Event()
    monkeypatch.setattr(limits, "connection_limit", lambda: limits.MIN_CONNECTIONS if has_come.wait(20) else 0)
    port = port_of(http_client)
    with (
        visitors.connections(port, 1),  # the server accepts the others after it has counted this one
        visitors.connect(port, WHOLE) as first,
        visitors.connections(port, 100) as crowd,
    ):
        has_come.set()
        assert first.recv(100).startswith(b"HTTP/1.1 200")
        wait_for(lambda: sum(map(is_open, crowd)) <= limits.MIN_CONNECTIONS, "the crowd to be accepted and closed")


@pytest.mark.parametrize("sent", [b"", HALF_SENT], ids=["idle", "half-sent"])
def test_a_connection_without_a_whole_head_is_closed_in_time_even_if_bytes_arrive(
    http_client: httpx2.Client, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.5)
    with visitors.connections(port_of(http_client), 1, sent) as [line]:
        began = clock.monotonic()

        def is_closed() -> bool:
            if sent and is_open(line):
                line.send(b"x")
            return not is_open(line)

        wait_for(is_closed, "the connection to be closed", 5)

    assert 0.4 < clock.monotonic() - began < 3


def test_a_second_request_on_a_connection_has_the_same_time_for_its_head(
    http_client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.5)
    answer = visitors.response(port_of(http_client), WHOLE + HALF_SENT)

    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1


def test_a_whole_request_may_take_longer_than_its_head(
    http_client: httpx2.Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.2)
    with listening(http_client) as [stream]:
        began = clock.monotonic()
        wait_for(lambda: clock.monotonic() - began > 0.5, "the time to pass")
        create_event(database, "dopo")
        wait_for(received_event(stream, "dopo"), "the event")


def test_few_descriptors_leave_most_of_them_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, expected in ((resource.RLIM_INFINITY, 100), (65_536, 100), (150, 86), (100, 36), (20, 8)):
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, soft=soft: (soft, soft))
        assert limits.connection_limit() == expected


BOTH = b"Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("method", [b"GET", b"POST", b"BREW"])
@pytest.mark.parametrize("path", [b"/healthz", b"/api/create_business_event", b"/nowhere"])
def test_a_request_with_two_lengths_is_refused_and_its_connection_closed(
    http_client: httpx2.Client, method: bytes, path: bytes
) -> None:
    answer = visitors.response(port_of(http_client), method + b" " + path + b" HTTP/1.1\r\n" + BOTH + WHOLE)

    assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1
    assert b"both Content-Length and Transfer-Encoding" in answer


JUNK = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\nZZ\r\n",
    b"GET /api/get_recent_events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\nVia: x\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\nContent-Length: 0\r\n\r\n",
    b"GET /%ff HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000,
)


def test_junk_and_wrong_tokens_write_one_line_a_minute_of_each_kind(mongo_uri: str, database: Database) -> None:
    with shop.process(mongo_uri, database.name, CHATELLO_HTTP__TOKEN="the-token-of-the-tests") as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        before = len(daemon.lines)
        for _ in range(20):
            for junk in JUNK:
                with visitors.connections(daemon.port, 1, junk) as [line]:
                    line.setblocking(True)
                    line.settimeout(0.05)
                    with suppress(OSError):
                        line.recv(1)
        assert get(daemon.port, "/healthz")[0] == 200
        assert daemon.stop() == 0
        lines = [line for line in daemon.lines[before:] if '"component": "http"' in line]

    assert not [line for line in lines if "Traceback" in line], lines
    assert sum("login.refused" in line for line in lines) == 1
    assert sum("Invalid HTTP" in line for line in lines) == 1
    assert len(lines) <= 5, lines


def descriptors(daemon: shop.Process) -> int:
    assert daemon.process is not None
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def limit_descriptors(daemon: shop.Process, number: int) -> None:
    assert daemon.process is not None
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (number, hard))


def cpu_seconds(daemon: shop.Process) -> float:
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_exhausted_descriptors_neither_spin_nor_fill_the_log_and_end_when_some_are_free(
    mongo_uri: str, database: Database
) -> None:
    with shop.process(mongo_uri, database.name) as daemon:
        wait_for(lambda: ready(daemon.port), "the daemon to be ready")
        used, before = descriptors(daemon), len(daemon.lines)
        limit_descriptors(daemon, used)
        with visitors.connections(daemon.port, 50):
            began, cpu = clock.monotonic(), cpu_seconds(daemon)
            wait_for(lambda: clock.monotonic() - began > 4, "four seconds to pass")
            busy = cpu_seconds(daemon) - cpu
            shop.customer(database, "Ada")
            wait_for(lambda: database.business_events.count_documents({}) > 0, "the event", 10)
            limit_descriptors(daemon, used + 30)
            wait_for(lambda: ready(daemon.port), "the probe", 10)
        assert daemon.stop() == 0
        lines = [line for line in daemon.lines[before:] if '"component": "http"' in line]

    assert busy < 1
    assert sum("connections.exhausted" in line for line in lines) in (1, 2)
    assert len(lines) <= 2, lines
