"""Everything a stranger may send, byte by byte over a real socket: never a 500, never an echo, always the one shape."""

import gzip
import json
import socket
from contextlib import suppress
from typing import Any

import httpx

from daemon.mongo.types import Database
from daemon.web.api.events import METADATA
from tests.web.conftest import BEARER, TOKEN, Doors

CREATE = "/api/create_business_event"
CANARY = "kanarienvogel"


def post(door: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    return door.post(CREATE, content=body, headers={"Content-Type": "application/json", **headers})


def event(**more: Any) -> bytes:
    return json.dumps({"event_type": "partnership", "description": CANARY, **more}).encode()


def with_raw(value: str, field: str = "amount") -> bytes:
    """An event with a value that json.dumps would not write."""
    return event()[:-1] + f', "{field}": {value}}}'.encode()


BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 422),
    "no JSON": (CANARY.encode(), 400),
    "NaN": (with_raw("NaN"), 400),
    "Infinity": (with_raw("-Infinity"), 400),
    "a number beyond all": (with_raw("1e400"), 422),
    "lone surrogate": (with_raw(r'"\ud800"', "plan_name"), 400),
    "lone surrogate in a key": (with_raw(r'{"\udfff": 1}', "metadata"), 400),
    "a pair of surrogates": (with_raw(r'"\ud83d\ude00"', "plan_name"), 200),
    "as deep as the body is long": (b"[" * 60_000, 400),
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
    "12 bytes as id": (event(customer_id="abcdefghijkl"), 200),
    "upper-case id": (event(customer_id="65F0C0FFEE65F0C0FFEE65F0"), 200),
    "a number as id": (event(customer_id=1), 422),
    "an id with markup": (event(customer_id="<script>"), 422),
    "an endless id": (event(customer_id="a" * 1000), 422),
    "a list": (b"[]", 422),
    "a text": (b'"x"', 422),
    "null": (b"null", 422),
    "true as amount": (event(amount=True), 422),
    "a text as amount": (event(amount="12,50"), 422),
    "a list as amount": (event(amount=[1]), 422),
    "an amount beyond reason": (event(amount=1e300), 422),
    "a negative amount": (event(amount=-7.99), 200),
    "invisible": (event(description="\u200b\u202e"), 422),
    "bidi": (event(description=f"{CANARY}\u202e"), 200),
    "markup": (event(description="<script>alert(1)</script>"), 200),
    "too long a text": (event(description="x" * 1001), 422),
    "what forms and scripts send for nothing": (
        event(customer_id="", license_id="", plan_name="", amount=None, currency=None, metadata=None, event_date=None),
        200,
    ),
    "an empty text in metadata": (event(metadata={"url": "", "list": [""], "object": {"x": ""}}), 200),
    "too deep metadata": (event(metadata={"a": {"b": {"c": 1}}}), 422),
    "too much metadata": (event(metadata={f"k{n}": n for n in range(51)}), 422),
    "a type of ours alone": (event(event_type="license_expired"), 422),
    "an unknown field": (event(**{CANARY: 1}), 422),
    "a field missing": (b'{"event_type": "partnership"}', 422),
    "a currency that is none": (event(currency="euro"), 422),
    "a date as number": (event(event_date=1_700_000_000), 422),
    "the hour that summer time skips": (event(event_date="2026-03-29T02:30:00+01:00"), 200),
    "year 0": (event(event_date="0000-01-01T00:00:00Z"), 422),
    "beyond the calendar by its zone": (event(event_date="9999-12-31T23:59:59-12:00"), 409),
}


def refused(answer: httpx.Response) -> str:
    """The one shape; and nothing of what was sent in it."""
    found = answer.json()
    assert list(found) == ["success", "error"] and found["success"] is False
    assert CANARY not in answer.text and "<script" not in answer.text
    assert 0 < len(found["error"]) < 1000
    error: str = found["error"]
    return error


def test_every_odd_body_is_taken_or_refused_as_it_deserves(door: httpx.Client, database: Database) -> None:
    for what, (body, expected) in BODIES.items():
        answer = post(door, body)
        assert answer.status_code == expected, (what, answer.text)
        if expected != 200:
            refused(answer)
    taken = sum(1 for _, expected in BODIES.values() if expected == 200)
    assert database.business_events.count_documents({}) == taken


def test_what_is_nothing_is_stored_as_nothing(door: httpx.Client, database: Database) -> None:
    for body, _ in (BODIES["what forms and scripts send for nothing"], (event(), 200)):
        assert post(door, body, **{"Idempotency-Key": "once"}).status_code == 200

    [stored] = database.business_events.find()
    assert [stored[name] for name in ("customer_id", "license_id", "plan_name", "amount")] == [None] * 4
    assert (stored["currency"], stored["metadata"]) == ("EUR", {"source": "api"})


def test_metadata_that_is_refused_is_told_what_was_wanted(door: httpx.Client) -> None:
    odds: list[Any] = [{"a.b": 1}, {"a": {"b": {"c": 1}}}, [], {"a": "x" * 1001}]
    told = {refused(post(door, event(metadata=odd))) for odd in odds}

    assert told == {f"metadata: {METADATA}"}


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


def test_odd_headers_are_refused(door: httpx.Client) -> None:
    for headers, expected in HEADERS:
        answer = post(door, event(), **headers)
        assert answer.status_code == expected, headers
        if expected != 200:
            refused(answer)


def test_a_gzip_bomb_is_never_unpacked(door: httpx.Client) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)

    assert len(bomb) < 64 * 1024
    assert post(door, bomb, **{"Content-Encoding": "gzip"}).status_code == 415


def test_a_body_is_measured_as_it_comes_whatever_it_says(door: httpx.Client, database: Database) -> None:
    told = post(door, event(description="x" * 70_000))
    exact = event(metadata={})
    fits = post(door, exact + b" " * (64 * 1024 - len(exact)))
    streamed = door.post(
        CREATE, content=(b" " * 1000 for _ in range(100)), headers={"Content-Type": "application/json"}
    )

    assert (told.status_code, fits.status_code, streamed.status_code) == (413, 200, 413)
    assert refused(told) == refused(streamed) == "wanted at most 65536 bytes"
    assert database.business_events.count_documents({}) == 1


def raw(door: httpx.Client, request: bytes) -> bytes:
    """What the server answers to bytes that no HTTP client would send."""
    with socket.create_connection(("127.0.0.1", door.base_url.port or 80), 30) as line:
        with suppress(OSError):  # it closed already
            line.sendall(request)
        with suppress(ConnectionResetError):
            return line.recv(65_536)
    return b""


HEAD = f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()

RAW: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01", (b"400", b"")),
    "no Host": (b"GET /healthz HTTP/1.0\r\n\r\n", (b"421",)),
    "two Hosts": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", (b"400", b"421", b"200")),
    "a path of bytes": (b"GET /%ff%00%c0%af/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"404",)),
    "a path out of static": (b"GET /static/..%2f..%2fconfig.py HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"404",)),
    "an absolute address": (b"GET http://evil/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"404", b"200")),
    "a strange method": (b"BREW /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", (b"401",)),
    "a query of bytes": (
        b"GET /api/get_recent_events?days=%ff&limit=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        (b"422",),
    ),
    "a lying length": (HEAD + b"Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{}", (b"408",)),
    "an endless length": (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", (b"413", b"400")),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n", (b"400", b"413")),
    "50 MB": (HEAD + b"Content-Length: 50000000\r\n\r\n" + b"x" * 50_000_000, (b"413",)),
    "a broken chunk": (
        HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        (b"400", b""),
    ),
    "smuggling": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (b"400", b"415", b"422")),
    "bytes as token": (
        f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\n".encode() + b"Authorization: Bearer \xff\xfe\r\n\r\n",
        (b"401", b"400"),
    ),
    "300 kB of headers": (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000 + b"\r\n\r\n",
        (b"400", b"431", b""),
    ),
}


def test_what_is_no_proper_http_is_refused_and_the_next_one_is_served(door: httpx.Client) -> None:
    for what, (request, expected) in RAW.items():
        answer = raw(door, request)
        assert answer.partition(b"\r\n")[0].split(b" ")[1:2] in [[one] if one else [] for one in expected], (
            what,
            answer,
        )
    assert door.get("/healthz").status_code == 200


QUERIES = [
    ("/api/get_recent_events", {"limit": limit}) for limit in ("0", "-1", "1e9", "1001", "x", "9" * 5000, "", "NaN")
] + [
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


def test_odd_queries_are_told_what_was_wanted(door: httpx.Client) -> None:
    for path, query in QUERIES:
        answer = door.get(path, params=query)
        assert answer.status_code == 422, (query, answer.text)
        assert refused(answer).startswith(f"{next(iter(query))}: ")


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


def test_the_ends_of_the_calendar_and_of_all_numbers_are_answered(door: httpx.Client) -> None:
    for path, query in ENDS:
        assert door.get(path, params=query).status_code == 200, query


def test_days_at_the_ends_of_the_calendar_are_no_days_of_ours(door: httpx.Client) -> None:
    for day in ("0001-01-01", "9999-12-31", "2026-03-29"):
        assert door.post("/api/update_historical_notes", json={"date": day, "notes": "x"}).status_code == 404
        assert door.post("/api/save_daily_analytics", json={"date": day}).status_code == 503  # nothing taken over yet


def test_the_wrong_method_and_the_wrong_address_have_the_one_shape(door: httpx.Client) -> None:
    for answer, expected in ((door.get(CREATE), 405), (door.delete("/api/get_gaps"), 405), (door.get("/x"), 404)):
        assert answer.status_code == expected
        refused(answer)


def test_secrets_are_in_no_answer(doors: Doors) -> None:
    with doors() as door:
        answers = [door.get(path) for path in ("/metrics", "/openapi.json", "/docs", "/readyz", f"/{TOKEN}")]
        answers.append(door.post(CREATE, json={TOKEN: TOKEN}, headers=BEARER))

    assert not [answer.url for answer in answers if TOKEN in answer.text]
