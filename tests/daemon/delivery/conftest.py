"""Receivers on loopback."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Answering = Callable[[socket.socket], None]


@contextmanager
def raw_server(answer: Answering, *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve each connection with `answer` in its own thread; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connected, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connected,), daemon=True).start()

        def serve(connected: socket.socket) -> None:
            with connected:
                try:
                    with context.wrap_socket(connected, server_side=True) if context else connected as secured:
                        answer(secured)
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def read_request(connected: socket.socket) -> bytes:
    """Read one request with a body of a given length; b"" at the end of the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connected.recv(65536)
        if not more:
            return b""
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += connected.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost, in one file with its key."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    output = ("-keyout", str(file), "-out", f"{file}.crt")
    request = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run([*request, *subject, *output], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the certificate, as an administrator does who has an own authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
