"""Invalid input over a real socket: never a 500, never an echo of the input, always the same error format."""

import gzip
import json
import socket
from contextlib import suppress
from typing import Any

import httpx2

from daemon.mongo.types import Database
from daemon.web.api.events import METADATA_RULE
from tests.web.conftest import BEARER, TOKEN, Serve

CREATE = "/api/create_business_event"
CANARY = "kanarienvogel"


def post(http_client: httpx2.Client, body: bytes, **headers: str) -> httpx2.Response:
    return http_client.post(CREATE, content=body, headers={"Content-Type": "application/json", **headers})


def event(**more: Any) -> bytes:
    return json.dumps({"event_type": "partnership", "description": CANARY, **more}).encode()


def with_raw(value: str, field: str = "amount") -> bytes:
    """Return an event with a raw JSON value that json.dumps would not write."""
    return event()[:-1] + f', "{field}": {value}}}'.encode()


BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 422),
    "no JSON": (CANARY.encode(), 400),
    "NaN": (with_raw("NaN"), 400),
    "Infinity": (with_raw("-Infinity"), 400),
    "a number beyond the range of floats": (with_raw("1e400"), 422),
    "lone surrogate": (with_raw(r'"\ud800"', "plan_name"), 400),
    "lone surrogate in a key": (with_raw(r'{"\udfff": 1}', "metadata"), 400),
    "a pair of surrogates": (with_raw(r'"\ud83d\ude00"', "plan_name"), 200),
    "nested as deep as the body is long": (b"[" * 60_000, 400),
    "deep and closed": (b"[" * 30_000 + b"]" * 30_000, 400),
    "deep objects": (b'{"a":' * 10_000, 400),
    "deep metadata": (with_raw('{"a": ' + "[" * 500 + "]" * 500 + "}", "metadata"), 422),
    "5,000 digits": (with_raw("9" * 5000), 400),
    "2^63": (with_raw('{"n": 9223372036854775808}', "metadata"), 400),
    "2^63 - 1": (with_raw('{"n": 9223372036854775807}', "metadata"), 200),
    "a key twice": (with_raw('"x"', "description"), 400),
    "invalid UTF-8": (b'{"event_type": "partnership", "description": "\xff\xfe"}', 400),
    "UTF-16": (event().decode().encode("utf-16"), 400),
    "byte order mark": (b"\xef\xbb\xbf" + event(), 200),
    "NUL": (event(description=f"{CANARY}\0"), 200),
    "NUL in a key": (with_raw(r'{"a\u0000b": 1}', "metadata"), 422),
    "a dollar key": (event(metadata={"$ne": 1}), 422),
    "a dotted key": (event(metadata={"a.b": 1}), 422),
    "an empty key": (event(metadata={"": 1}), 422),
    "an operator as id": (event(customer_id={"$ne": None}), 422),
    "an operator as type": (event(event_type={"$ne": None}), 422),
    "an operator as date": (event(event_date={"$gt": ""}), 422),
    "12 bytes as id": (event(customer_id="abcdefghijkl"), 400),
    "a text as id": (event(customer_id="zz"), 400),
    "a text as license": (event(license_id="zz"), 400),
    "a number as text": (event(customer_id="1" * 30), 400),
    "upper-case id": (event(customer_id="65F0C0FFEE65F0C0FFEE65F0"), 200),
    "a number as id": (event(customer_id=1), 422),
    "an id with markup": (event(customer_id="<script>"), 400),
    "an endless id": (event(customer_id="a" * 1001), 422),
    "a list": (b"[]", 422),
    "a text": (b'"x"', 422),
    "null": (b"null", 422),
    "true as amount": (event(amount=True), 422),
    "a text as amount": (event(amount="12,50"), 422),
    "a list as amount": (event(amount=[1]), 422),
    "an amount out of range": (event(amount=1e300), 422),
    "a negative amount": (event(amount=-7.99), 200),
    "invisible": (event(description="\u200b\u202e"), 422),
    "bidi": (event(description=f"{CANARY}\u202e"), 200),
    "markup": (event(description="<script>alert(1)</script>"), 200),
    "too long a text": (event(description="x" * 1001), 422),
    "empty values of forms and scripts": (
        event(customer_id="", license_id="", plan_name="", amount=None, currency=None, metadata=None, event_date=None),
        200,
    ),
    "an empty text in metadata": (event(metadata={"url": "", "list": [""], "object": {"x": ""}}), 200),
    "too deep metadata": (event(metadata={"a": {"b": {"c": 1}}}), 422),
    "too much metadata": (event(metadata={f"k{n}": n for n in range(51)}), 422),
    "a type reserved for the daemon": (event(event_type="license_expired"), 422),
    "an unknown field": (event(**{CANARY: 1}), 422),
    "a field missing": (b'{"event_type": "partnership"}', 422),
    "an invalid currency": (event(currency="euro"), 422),
    "a date as number": (event(event_date=1_700_000_000), 422),
    "the hour that summer time skips": (event(event_date="2026-03-29T02:30:00+01:00"), 200),
    "year 0": (event(event_date="0000-01-01T00:00:00Z"), 422),
    "beyond the calendar by its zone": (event(event_date="9999-12-31T23:59:59-12:00"), 409),
}


def error_of(answer: httpx2.Response) -> str:
    """Assert the error format without an echo of the input; return the message."""
    found = answer.json()
    assert list(found) == ["success", "error"] and found["success"] is False
    assert CANARY not in answer.text and "<script" not in answer.text
    assert 0 < len(found["error"]) < 1000
    error: str = found["error"]
    return error


def test_bodies_are_accepted_or_rejected_with_the_expected_status(
    http_client: httpx2.Client, database: Database
) -> None:
    for what, (body, expected) in BODIES.items():
        answer = post(http_client, body)
        assert answer.status_code == expected, (what, answer.text)
        if expected != 200:
            error_of(answer)
    accepted = sum(1 for _, expected in BODIES.values() if expected == 200)
    assert database.business_events.count_documents({}) == accepted


def test_empty_values_are_left_out(http_client: httpx2.Client, database: Database) -> None:
    """The dashboard's "save today" answers 500 if an event of the day has a null in `plan_name` or `amount`."""
    for body, _ in (BODIES["empty values of forms and scripts"], (event(), 200)):
        assert post(http_client, body, **{"Idempotency-Key": "once"}).status_code == 200

    [stored] = database.business_events.find()
    assert not {"customer_id", "license_id", "plan_name", "amount"} & stored.keys()
    assert (stored["currency"], stored["metadata"]) == ("EUR", {"source": "api"})


def test_invalid_metadata_has_one_message_with_the_rule(http_client: httpx2.Client) -> None:
    invalid: list[Any] = [{"a.b": 1}, {"a": {"b": {"c": 1}}}, [], {"a": "x" * 1001}]
    messages = {error_of(post(http_client, event(metadata=value))) for value in invalid}

    assert messages == {f"metadata: must have {METADATA_RULE}"}


HEADERS: list[tuple[dict[str, str], int]] = [
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Content-Type": "multipart/form-data"}, 415),
    ({"Content-Type": "application/json; charset=utf-16"}, 415),
    ({"Content-Type": "application/json; charset=UTF-8"}, 200),
    ({"Content-Encoding": "gzip"}, 415),
    ({"Content-Encoding": "identity"}, 200),
    ({"Idempotency-Key": "a b"}, 422),
    ({"Idempotency-Key": "x" * 201}, 422),
]


def test_invalid_headers_are_rejected(http_client: httpx2.Client) -> None:
    for headers, expected in HEADERS:
        answer = post(http_client, event(), **headers)
        assert answer.status_code == expected, headers
        if expected != 200:
            error_of(answer)


def test_a_gzip_bomb_is_never_decompressed(http_client: httpx2.Client) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)

    assert len(bomb) < 64 * 1024
    assert post(http_client, bomb, **{"Content-Encoding": "gzip"}).status_code == 415


def test_the_body_limit_applies_to_declared_and_received_sizes(http_client: httpx2.Client, database: Database) -> None:
    declared = post(http_client, event(description="x" * 70_000))
    exact = event(metadata={})
    fits = post(http_client, exact + b" " * (64 * 1024 - len(exact)))
    streamed = http_client.post(
        CREATE, content=(b" " * 1000 for _ in range(100)), headers={"Content-Type": "application/json"}
    )

    assert (declared.status_code, fits.status_code, streamed.status_code) == (413, 200, 413)
    assert error_of(declared) == error_of(streamed) == "the request body must be at most 65536 bytes"
    assert database.business_events.count_documents({}) == 1


def raw(http_client: httpx2.Client, request: bytes) -> bytes:
    """Return the server's response to raw bytes, which no HTTP client would send."""
    with socket.create_connection(("127.0.0.1", http_client.base_url.port or 80), 30) as line:
        with suppress(OSError):  # the server has closed the connection
            line.sendall(request)
        with suppress(ConnectionResetError):
            return line.recv(65_536)
    return b""


HEAD = f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()

RAW: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01", (b"400", b"")),
    "no Host": (b"GET /healthz HTTP/1.0\r\n\r\n", (b"421",)),
    "two Hosts": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", (b"400", b"421", b"200")),
    "a path with invalid bytes": (b"GET /%ff%00%c0%af/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"404",)),
    "a path outside static": (b"GET /static/..%2f..%2fconfig.py HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"404",)),
    "an absolute URL": (b"GET http://evil/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"404", b"200")),
    "an unknown method": (b"BREW /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"401",)),
    "a query with invalid bytes": (
        b"GET /api/get_recent_events?days=%ff&limit=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        (b"422",),
    ),
    "a wrong length": (HEAD + b"Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{}", (b"408",)),
    "a huge length": (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", (b"413", b"400")),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n", (b"400", b"413")),
    "50 MB": (HEAD + b"Content-Length: 50000000\r\n\r\n" + b"x" * 50_000_000, (b"413",)),
    "a broken chunk": (
        HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        (b"400", b""),
    ),
    "smuggling": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (b"400", b"415", b"422")),
    "a token with invalid bytes": (
        f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\n".encode() + b"Authorization: Bearer \xff\xfe\r\n\r\n",
        (b"401", b"400"),
    ),
    "300 kB of headers": (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000 + b"\r\n\r\n",
        (b"400", b"431", b""),
    ),
}


def test_invalid_http_is_rejected_and_the_next_request_is_served(http_client: httpx2.Client) -> None:
    for what, (request, expected) in RAW.items():
        answer = raw(http_client, request)
        assert answer.partition(b"\r\n")[0].split(b" ")[1:2] in [[one] if one else [] for one in expected], (
            what,
            answer,
        )
    assert http_client.get("/healthz").status_code == 200


QUERIES = [("/api/get_recent_events", {"limit": limit}) for limit in ("0", "-1", "1e9", "x", "9" * 5000, "", "NaN")] + [
    ("/api/get_recent_events", {"days": "0"}),
    ("/api/get_recent_events", {"days": "36501"}),
    ("/api/get_recent_events", {"type": CANARY}),
    ("/api/get_recent_events", {"cursor": "1.2.3"}),
    ("/api/get_recent_events", {"cursor": '{"$gt": ""}'}),
    ("/api/get_historical_data", {"from": "2026-02-30"}),
    ("/api/get_historical_data", {"from": "2026-01-01T24:00"}),
    ("/api/get_historical_data", {"to": "0000-01-01"}),
    ("/api/get_historical_data", {"to": "10000-01-01"}),
    ("/api/get_historical_data", {"to": "1700000000"}),
    ("/api/get_historical_data", {"period_type": "hourly"}),
    ("/api/get_mrr_movements", {"cursor": "-1"}),
    ("/api/get_mrr_movements", {"cursor": "9" * 16}),
    ("/api/get_dead_letters", {"state": "any"}),
    ("/api/export_historical_data", {"format": "exe"}),
]


def test_errors_of_invalid_queries_name_the_parameter(http_client: httpx2.Client) -> None:
    for path, query in QUERIES:
        answer = http_client.get(path, params=query)
        assert answer.status_code == 422, (query, answer.text)
        assert error_of(answer).startswith(f"{next(iter(query))}: ")


ENDS: list[tuple[str, dict[str, str]]] = [
    ("/api/get_historical_data", {"from": "0001-01-01", "to": "9999-12-31"}),
    ("/api/get_historical_data", {"from": "9999-12-31", "to": "0001-01-01", "cursor": "0001-01-01"}),
    ("/api/get_historical_data", {"to": "0001-01-01"}),
    ("/api/get_mrr_movements", {"from": "0001-01-01", "to": "9999-12-31", "cursor": "9" * 15}),
    ("/api/export_historical_data", {"from": "0001-01-01", "to": "9999-12-31", "format": "csv"}),
    ("/api/export_historical_data", {"from": "9999-12-31", "to": "0001-01-01", "format": "excel"}),
    ("/api/get_recent_events", {"days": "36500", "limit": "1000", "cursor": "9999999999999.999999"}),
    ("/api/get_gaps", {"cursor": "0.0"}),
]


def test_the_limits_of_dates_and_numbers_are_accepted(http_client: httpx2.Client) -> None:
    for path, query in ENDS:
        assert http_client.get(path, params=query).status_code == 200, query


def test_writing_days_without_a_row_or_a_ledger_is_rejected(http_client: httpx2.Client) -> None:
    for day in ("0001-01-01", "9999-12-31", "2026-03-29"):
        assert http_client.post("/api/update_historical_notes", json={"date": day, "notes": "x"}).status_code == 404
        assert http_client.post("/api/save_daily_analytics", json={"date": day}).status_code == 503  # no checkpoint yet


def test_a_wrong_method_and_a_wrong_path_have_the_same_error_format(http_client: httpx2.Client) -> None:
    for answer, expected in (
        (http_client.get(CREATE), 405),
        (http_client.delete("/api/get_gaps"), 405),
        (http_client.get("/x"), 404),
    ):
        assert answer.status_code == expected
        error_of(answer)


def test_no_response_contains_a_secret(serve: Serve) -> None:
    with serve() as http_client:
        answers = [http_client.get(path) for path in ("/metrics", "/openapi.json", "/docs", "/readyz", f"/{TOKEN}")]
        answers.append(http_client.post(CREATE, json={TOKEN: TOKEN}, headers=BEARER))

    assert not [answer.url for answer in answers if TOKEN in answer.text]
