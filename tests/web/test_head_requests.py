"""HEAD requests, and bodies of GET requests (RFC 9110, 9.3)."""

import socket

import httpx2
import pytest

from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.web.middleware import body_limits
from tests.web.conftest import Serve
from tests.web.test_broadcast import STREAM, create_event

PATHS = (
    *("/", "/analytics", "/analytics/andamento", "/analytics/sistema", "/analytics/notes/2026-11-23"),
    "/analytics/giorni/2026-11-23",
    *("/static/page.js", "/docs", "/openapi.json"),
    *("/metrics", "/healthz", "/readyz", "/nowhere", "/api/create_business_event", "/api/get_recent_events?limit=0"),
    *("/api/get_recent_events", "/api/get_historical_data", "/api/export_historical_data?format=excel"),
)
CHANGING = ("date", "content-length")
"""Headers that differ between two responses; the length where the body counts requests or contains a time."""


def raw_response(http_client: httpx2.Client, request: bytes) -> bytes:
    """Return all bytes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", http_client.base_url.port or 80), 30) as line:
        line.sendall(request)
        return b"".join(iter(lambda: line.recv(65_536), b""))


def test_head_is_get_without_the_body_on_every_path(http_client: httpx2.Client) -> None:
    for path in PATHS:
        got, asked = http_client.get(path), http_client.head(path)
        expected = {name: value for name, value in got.headers.items() if name not in CHANGING}

        assert asked.status_code == got.status_code, path
        assert {name: value for name, value in asked.headers.items() if name not in CHANGING} == expected, path
        closing = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        assert raw_response(http_client, closing).endswith(b"\r\n\r\n"), path
    plain = {"Accept-Encoding": "identity"}
    length = len(http_client.get("/analytics", headers=plain).content)
    assert int(http_client.head("/analytics", headers=plain).headers["Content-Length"]) == length


def test_head_has_the_same_access_rules_as_get_and_its_own_metric_label(serve: Serve) -> None:
    with serve(headers={}) as http_client:
        assert http_client.head("/analytics", headers={"Host": "evil.example"}).status_code == 421
        assert http_client.head("/analytics", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 401
        assert http_client.head("/api/get_gaps").status_code == 200
        counted = 'requests_total{code="200",method="HEAD",route="/api/get_gaps"} 1.0'
        assert counted in http_client.get("/metrics").text


def test_head_of_the_event_stream_ends_and_leaves_no_subscriber(http_client: httpx2.Client) -> None:
    for _ in range(30):
        assert http_client.head(STREAM).headers["Content-Type"].startswith("text/event-stream")

    assert "http_stream_clients 0.0" in http_client.get("/metrics").text


def test_the_allow_header_contains_head_where_get_is_allowed(http_client: httpx2.Client) -> None:
    assert http_client.delete("/api/get_gaps").headers["Allow"] == "GET, HEAD"
    assert http_client.get("/api/create_business_event").headers["Allow"] == "POST"
    assert http_client.options("/analytics").status_code == 405


def test_a_get_request_does_not_wait_for_its_body(
    http_client: httpx2.Client, database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(body_limits, "BODY_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", http_client.base_url.port or 80), 10) as line:
        line.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n".encode())
        with line.makefile("rb") as answer:
            assert any(b"position" in part for part in answer)
            wait_for(lambda: _requests_outlast_body_timeout(http_client), "more than the body timeout")
            create_event(database, "ancora qui")
            assert any(b"ancora qui" in part for part in answer)

    assert '"error"' not in capfd.readouterr().out


def _requests_outlast_body_timeout(http_client: httpx2.Client) -> bool:
    """Whether ten responses took longer than twice the body timeout."""
    return (
        sum(http_client.get("/analytics/sistema").elapsed.total_seconds() for _ in range(10))
        > 2 * body_limits.BODY_SECONDS
    )
