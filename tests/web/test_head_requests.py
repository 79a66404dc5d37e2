"""HEAD, and bodies that come with what is only read: as every web server answers them (RFC 9110, 9.3)."""

import socket

import httpx
import pytest

from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.web.middleware import body_limits
from tests.web.conftest import Doors
from tests.web.test_broadcast import STREAM, tell

PATHS = (
    *("/", "/analytics", "/analytics/live", "/analytics/notes/2026-11-23", "/static/page.js", "/docs", "/openapi.json"),
    *("/metrics", "/healthz", "/readyz", "/nowhere", "/api/create_business_event", "/api/get_recent_events?limit=0"),
    *("/api/get_recent_events", "/api/get_historical_data", "/api/export_historical_data?format=excel"),
)
CHANGING = ("date", "content-length")
"""Between two answers; the second where it tells how often something was asked (/metrics), or of an Excel's time."""


def spoken(door: httpx.Client, request: bytes) -> bytes:
    """All that comes back until the server closes the line."""
    with socket.create_connection(("127.0.0.1", door.base_url.port or 80), 30) as line:
        line.sendall(request)
        return b"".join(iter(lambda: line.recv(65_536), b""))


def test_head_is_get_without_its_body_wherever_it_is_asked(door: httpx.Client) -> None:
    for path in PATHS:
        got, asked = door.get(path), door.head(path)
        told = {name: value for name, value in got.headers.items() if name not in CHANGING}

        assert asked.status_code == got.status_code, path
        assert {name: value for name, value in asked.headers.items() if name not in CHANGING} == told, path
        closing = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        assert spoken(door, closing).endswith(b"\r\n\r\n"), path
    assert int(door.head("/analytics").headers["Content-Length"]) == len(door.get("/analytics").content)


def test_head_is_let_in_no_further_than_get_and_counted_as_what_it_is(doors: Doors) -> None:
    with doors(headers={}) as door:
        assert door.head("/analytics", headers={"Host": "evil.example"}).status_code == 421
        assert door.head("/analytics", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 401
        assert door.head("/api/get_gaps").status_code == 200
        counted = 'requests_total{code="200",method="HEAD",route="/api/get_gaps"} 1.0'
        assert counted in door.get("/metrics").text


def test_the_head_of_an_endless_stream_ends_and_listens_to_nothing(door: httpx.Client) -> None:
    for _ in range(30):
        assert door.head(STREAM).headers["Content-Type"].startswith("text/event-stream")

    assert "http_stream_clients 0.0" in door.get("/metrics").text


def test_what_is_refused_says_that_head_would_not_be(door: httpx.Client) -> None:
    assert door.delete("/api/get_gaps").headers["Allow"] == "GET, HEAD"
    assert door.get("/api/create_business_event").headers["Allow"] == "POST"
    assert door.options("/analytics").status_code == 405


def test_a_body_that_never_comes_with_what_is_read_is_waited_for_by_nobody(
    door: httpx.Client, database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(body_limits, "BODY_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", door.base_url.port or 80), 10) as line:
        line.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n".encode())
        with line.makefile("rb") as answer:
            assert any(b"position" in part for part in answer)
            wait_for(lambda: _outlived(door), "more than the time of a body")
            tell(database, "ancora qui")
            assert any(b"ancora qui" in part for part in answer)

    assert '"error"' not in capfd.readouterr().out


def _outlived(door: httpx.Client) -> bool:
    """Ten answers take longer than twice the time that a body is waited for."""
    return sum(door.get("/analytics/live").elapsed.total_seconds() for _ in range(10)) > 2 * body_limits.BODY_SECONDS
