"""Webhooks against real receivers: signatures, answers, limits of time and size, encryption."""

import base64
import json
import os
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPMessage
from queue import SimpleQueue

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError

from daemon import clock
from daemon.delivery.channels.http_client import Answer, HttpClient, RequestFailed
from daemon.delivery.channels.outcome import OutcomeKind
from daemon.delivery.channels.webhook import WebhookSender, outcome
from tests.daemon.delivery.conftest import raw_server, read_request

OLD, NEW = (f"whsec_{base64.b64encode(os.urandom(32)).decode()}" for _ in range(2))
BODY = json.dumps({"data": {"customer_name": "Nuñez 🎉"}}, ensure_ascii=False).encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


opened: list[WebhookSender] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close the senders of a test."""
    yield
    while opened:
        opened.pop().close()


def sender(url: int | str, *secrets: str) -> WebhookSender:
    """Return a sender to a URL, or to a port of this machine."""
    made = WebhookSender(url if isinstance(url, str) else f"http://127.0.0.1:{url}/hook?x=1", secrets or (NEW,))
    opened.append(made)
    return made


def test_a_request_is_verified_by_the_library_with_each_of_two_secrets(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST", query_string="x=1").respond_with_data("grazie")
    sent = sender(httpserver.port, NEW, OLD).send("day-2026-11-21.r2.9f3ac1d20b77", BODY)
    request, _ = httpserver.log[0]

    assert (sent.kind, sent.status, sent.answer) == (OutcomeKind.DELIVERED, 200, "grazie")
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(request.get_data(), dict(request.headers)) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(request.get_data() + b" ", dict(request.headers))
    assert request.get_data() == BODY
    assert request.headers["webhook-id"] == "day-2026-11-21.r2.9f3ac1d20b77"
    assert request.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["User-Agent"].startswith("chatello-analytics/")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, OutcomeKind.DELIVERED),
        (204, OutcomeKind.DELIVERED),
        (301, OutcomeKind.FAILED),
        (400, OutcomeKind.REFUSED),
        (401, OutcomeKind.FAILED),
        (404, OutcomeKind.FAILED),
        (410, OutcomeKind.GONE),
        (413, OutcomeKind.REFUSED),
        (415, OutcomeKind.REFUSED),
        (422, OutcomeKind.REFUSED),
        (429, OutcomeKind.FAILED),
        (500, OutcomeKind.FAILED),
        (599, OutcomeKind.FAILED),
    ],
)
def test_the_status_of_the_answer_decides(httpserver: HTTPServer, status: int, kind: OutcomeKind) -> None:
    httpserver.expect_request("/hook").respond_with_data("canary", status, headers={"Location": "/canary"})
    sent = sender(httpserver.port).send("id", BODY)

    assert (sent.kind, sent.status) == (kind, status)
    assert "canary" not in sent.problem
    assert len(httpserver.log) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("Thu, 26 Nov 2026 10:00:30 GMT", 30),
        ("Thu, 26 Nov 2026 10:00:30", 30),
        ("Thu, 26 Nov 1990 10:00:00 GMT", 0),
        ("-5", 0),
        ("soon", 0),
        ("9" * 500, 0),
        ("", 0),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_otherwise_ignored(value: str, seconds: float) -> None:
    headers = HTTPMessage()
    headers["Retry-After"] = value

    assert outcome(Answer(503, headers, b""), datetime(2026, 11, 26, 10, tzinfo=UTC)).retry_after_seconds == seconds


def test_one_connection_is_kept_and_replaced_when_the_receiver_has_closed_it() -> None:
    ports: list[int] = []

    def two_answers(connected: socket.socket) -> None:
        for _ in range(2):
            if read_request(connected):
                ports.append(connected.getpeername()[1])
                connected.sendall(OK)

    with raw_server(two_answers) as port:
        hook = sender(port)
        kinds = [hook.send(str(number), BODY).kind for number in range(5)]

    assert kinds == [OutcomeKind.DELIVERED] * 5
    assert sorted(Counter(ports).values()) == [1, 2, 2]


def dribble(connected: socket.socket) -> None:
    read_request(connected)
    for byte in OK * 100:
        connected.sendall(bytes([byte]))
        time.sleep(0.1)


def endless_headers(connected: socket.socket) -> None:
    read_request(connected)
    connected.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connected.sendall(b"X-More: 1\r\n")
        time.sleep(0.05)


def body_without_end(connected: socket.socket) -> None:
    read_request(connected)
    connected.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connected.sendall(b"x")
        time.sleep(0.05)


def silence(connected: socket.socket) -> None:
    read_request(connected)
    time.sleep(60)


@pytest.mark.parametrize("answer", [dribble, endless_headers, body_without_end, silence])
@pytest.mark.parametrize("is_encrypted", [False, True])
@pytest.mark.usefixtures("_trusted")
def test_a_slow_receiver_is_cut_off_after_the_total_time(
    answer: Callable[[socket.socket], None], is_encrypted: bool, tls_server: ssl.SSLContext
) -> None:
    with raw_server(answer, context=tls_server if is_encrypted else None) as port:
        scheme = "https" if is_encrypted else "http"
        hook = sender(f"{scheme}://localhost:{port}/")
        hook._client._seconds = 0.7
        begun = clock.monotonic()
        sent = hook.send("id", BODY)

    assert sent.kind is OutcomeKind.FAILED
    assert sent.problem in (
        "no complete answer from localhost within 0.7 s",
        "localhost does not answer in valid HTTP",  # more than 100 headers
    )
    assert clock.monotonic() - begun < 2


def test_a_receiver_that_never_answers_the_tls_handshake_is_cut_off() -> None:
    with raw_server(lambda connected: time.sleep(60)) as port, pytest.raises(RequestFailed, match=r"within 0\.5 s"):
        HttpClient(f"https://localhost:{port}/", 0.5).request("GET", {})


def test_a_name_lookup_without_an_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def never(*_given: object, **_options: object) -> list[object]:
        released.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    begun = clock.monotonic()
    with pytest.raises(RequestFailed, match=r"no complete answer from host\.example within 0\.5 s"):
        HttpClient("https://host.example/", 0.5).request("GET", {})
    released.set()

    assert clock.monotonic() - begun < 2


def test_a_running_request_can_be_cancelled_from_another_thread() -> None:
    asked: SimpleQueue[bytes] = SimpleQueue()

    def waiting(connected: socket.socket) -> None:
        asked.put(read_request(connected))
        time.sleep(60)

    with raw_server(waiting) as port:
        hook = sender(port)

        def cancel_when_asked() -> None:
            asked.get()
            hook.cancel()

        threading.Thread(target=cancel_when_asked, daemon=True).start()
        begun = clock.monotonic()

        assert hook.send("id", BODY).kind is OutcomeKind.FAILED
        assert clock.monotonic() - begun < 5


def test_of_a_huge_answer_at_most_64_kb_are_read() -> None:
    sent = 0

    def huge(connected: socket.socket) -> None:
        nonlocal sent
        read_request(connected)
        connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            sent += connected.send(b"x" * 65536)

    with raw_server(huge) as port:
        hook = sender(port)

        assert [hook.send(str(number), BODY).kind for number in range(2)] == [OutcomeKind.DELIVERED] * 2
        assert sent < 50_000_000, "only what the buffers of both sockets hold"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "127.0.0.1 closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2 canary\r\n", "127.0.0.1 does not answer in valid HTTP"),
        (b"HTTP/1.1 99999 canary\r\n\r\n", "127.0.0.1 does not answer in valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n", "127.0.0.1 does not answer in valid HTTP"),
        (b"HTTP/1.1 200 " + b"A" * 70_000, "127.0.0.1 does not answer in valid HTTP"),
    ],
)
def test_an_answer_that_is_not_http_is_a_failure_in_one_sentence(answer: bytes, sentence: str) -> None:
    def wrong(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(answer)

    with raw_server(wrong) as port:
        sent = sender(port).send("id", BODY)

    assert (sent.kind, sent.problem) == (OutcomeKind.FAILED, sentence)


def test_no_listener_and_no_such_host_are_failures_without_the_path() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    refused = sender(f"http://127.0.0.1:{port}/canary").send("id", BODY)
    unknown = sender("https://nowhere.invalid/canary").send("id", BODY)
    strange = sender(f"https://{'a' * 70}.invalid/canary").send("id", BODY)

    assert refused.problem.startswith("127.0.0.1 refuses the connection")
    assert unknown.problem.startswith("cannot resolve the host name nowhere.invalid")
    assert strange.problem.startswith("cannot resolve the host name aaa")
    assert "canary" not in repr((refused, unknown, strange))


def test_plain_http_never_connects_to_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_options: [address])
    monkeypatch.setattr(socket, "create_connection", lambda *_given, **_options: pytest.fail("connected"))
    sent = sender("http://n8n.example/hook").send("id", BODY)

    assert "http:// is accepted only for private addresses" in sent.problem


def test_the_address_filter_of_the_unit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object, **_options: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "create_connection", refuse)
    sent = sender("http://127.0.0.1:1/hook").send("id", BODY)

    assert "address filter of the systemd unit" in sent.problem
    assert "IPAddressAllow=" in sent.problem


def answering(connected: socket.socket) -> None:
    while read_request(connected):
        connected.sendall(OK)


def test_a_certificate_must_be_valid(tls_server: ssl.SSLContext) -> None:
    with raw_server(answering, context=tls_server) as port:
        sent = sender(f"https://localhost:{port}/").send("id", BODY)

    assert sent.kind is OutcomeKind.FAILED
    assert sent.problem == "the TLS certificate of localhost is not valid: self-signed certificate"


@pytest.mark.usefixtures("_trusted")
def test_a_trusted_certificate_is_accepted_for_its_host_only(tls_server: ssl.SSLContext) -> None:
    with raw_server(answering, context=tls_server) as port:
        right = sender(f"https://localhost:{port}/")
        wrong = sender(f"https://127.0.0.1:{port}/")

        assert [right.send(str(number), BODY).kind for number in range(3)] == [OutcomeKind.DELIVERED] * 3
        assert "not valid for '127.0.0.1'" in wrong.send("id", BODY).problem


def test_an_unsafe_header_value_never_reaches_the_wire(httpserver: HTTPServer) -> None:
    with pytest.raises(ValueError, match="Invalid header value"):
        sender(httpserver.port).send("a\r\nX-Injected: 1", BODY)

    assert httpserver.log == []
