"""A hung database and many visitors: probes and static files answer, and a 503 comes in time."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from pymongo import MongoClient

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.types import Database
from daemon.web.middleware import body_limits, request_limits
from tests.system.test_process import get
from tests.web import visitors
from tests.web.conftest import BEARER, Serve

DATABASE_PATHS = ("/analytics", "/analytics/sistema", "/api/get_recent_events", "/api/get_historical_data")
OTHER_PATHS = ("/healthz", "/metrics", "/static/page.css", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json")


@pytest.fixture(scope="module")
def mongo() -> Iterator[EmbeddedMongo]:
    """A server of its own, which can be stopped."""
    with EmbeddedMongo() as started:
        yield started


@pytest.fixture
def hung(mongo: EmbeddedMongo) -> Iterator[Database]:
    """Return a database whose server can be reached; `hanging` stops the server."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(mongo.uri, tz_aware=True) as client:
        yield client.get_database("hung")


@contextmanager
def hanging(mongo: EmbeddedMongo) -> Iterator[None]:
    mongo.members[0].send(signal.SIGSTOP)
    try:
        yield
    finally:
        mongo.members[0].send(signal.SIGCONT)


def timed(http_client: httpx2.Client, path: str) -> tuple[str, int, float]:
    began = clock.monotonic()
    status, _ = get(http_client.base_url.port or 80, path)
    return path, status, clock.monotonic() - began


@pytest.mark.parametrize("visits", [16, 60])
def test_with_a_hung_database_static_files_come_at_once_and_every_visitor_gets_its_503_within_five_seconds(
    serve: Serve, mongo: EmbeddedMongo, hung: Database, visits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With half the time limit, which leaves three seconds to a busy machine."""
    monkeypatch.setattr(request_limits, "READ_SECONDS", request_limits.READ_SECONDS / 2)
    paths = [DATABASE_PATHS[n % len(DATABASE_PATHS)] for n in range(visits)]
    with serve(served_database=hung) as http_client, ThreadPoolExecutor(visits) as pool, hanging(mongo):
        visitors_in = [pool.submit(timed, http_client, path) for path in paths]
        others = [timed(http_client, path) for _ in range(3) for path in OTHER_PATHS]
        assert not all(one.done() for one in visitors_in)
        answers = [one.result() for one in visitors_in]

    assert {status for _, status, _ in answers} == {503}
    assert max(seconds for *_, seconds in answers) < 5
    assert [one for one in others if one[1] != 200 or one[2] > 1] == []


def test_requests_are_served_again_after_the_database_has_continued(
    serve: Serve, mongo: EmbeddedMongo, hung: Database
) -> None:
    with serve(served_database=hung) as http_client:
        with ThreadPoolExecutor(60) as pool, hanging(mongo):
            list(pool.map(lambda _n: timed(http_client, DATABASE_PATHS[2]), range(60)))
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _n: timed(http_client, DATABASE_PATHS[2]), range(16)))

    assert [status for _, status, _ in answers] == [200] * 16


def test_visitors_that_do_not_read_their_responses_hold_no_place(serve: Serve, hung: Database) -> None:
    with serve(served_database=hung) as http_client:
        port = http_client.base_url.port or 80
        for path in ("/docs/assets/swagger-ui-bundle.js", "/api/export_historical_data", "/analytics"):
            unread = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            with visitors.connections(port, 40, unread, receive_buffer=4096):
                for served in ("/static/page.css", "/docs/assets/swagger-ui-bundle.js", "/analytics"):
                    wait_for(lambda served=served: timed(http_client, served)[1] == 200, f"{served} beside {path}", 2)  # type: ignore[misc]


def test_slow_bodies_hold_no_place(serve: Serve, hung: Database) -> None:
    head = f"Host: localhost\r\nAuthorization: {BEARER['Authorization']}\r\nContent-Length: 100\r\n\r\nx"
    half = f"POST /api/create_business_event HTTP/1.1\r\nContent-Type: application/json\r\n{head}".encode()
    with serve(served_database=hung) as http_client, visitors.connections(http_client.base_url.port or 80, 20, half):
        _, status, seconds = timed(http_client, DATABASE_PATHS[2])

    assert (status, seconds < 2) == (200, True)


def test_a_body_must_be_complete_in_time_even_if_bytes_arrive(
    serve: Serve, hung: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limits, "BODY_SECONDS", 0.5)
    head = f"Host: localhost\r\nAuthorization: {BEARER['Authorization']}\r\nContent-Length: 1000\r\n\r\n"
    with serve(served_database=hung) as http_client:
        port = http_client.base_url.port or 80
        with visitors.connections(port, 1, f"POST /x HTTP/1.1\r\n{head}".encode()) as [line]:
            began = clock.monotonic()
            line.settimeout(0.05)
            answer = b""
            while not answer and clock.monotonic() - began < 5:
                line.send(b" ")
                try:
                    answer = line.recv(1000)
                except TimeoutError:
                    continue

    assert answer.startswith(b"HTTP/1.1 408")
    assert clock.monotonic() - began < 3


def test_all_limited_requests_are_fewer_than_the_connections() -> None:
    from daemon.web.broadcast import MAX_SUBSCRIBERS
    from daemon.web.connections import MAX_CONNECTIONS

    at_work = 2 * (request_limits.MAX_AT_WORK + request_limits.MAX_WAITING) + MAX_SUBSCRIBERS
    assert at_work < MAX_CONNECTIONS
