"""Visitors that hold connections: idle, half-sent and unread ones, over real sockets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HALF_SENT = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half: "


@contextmanager
def connections(port: int, count: int, sent: bytes = b"", receive_buffer: int = 0) -> Iterator[list[socket.socket]]:
    """Open connections, send these bytes on each, and keep them open."""
    opened: list[socket.socket] = []
    try:
        opened.extend(connect(port, sent, receive_buffer) for _ in range(count))
        yield opened
    finally:
        for one in opened:
            one.close()


def connect(port: int, sent: bytes = b"", receive_buffer: int = 0) -> socket.socket:
    line = socket.socket()
    line.settimeout(20)
    if receive_buffer:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    line.connect(("127.0.0.1", port))
    with suppress(OSError):  # already closed by the server
        line.sendall(sent)
    return line


def is_open(line: socket.socket) -> bool:
    """Return whether the server has not closed a connection that has sent nothing whole."""
    line.setblocking(False)
    try:
        return line.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def response(port: int, sent: bytes) -> bytes:
    """Return everything that the server sends until it closes the connection."""
    received = b""
    with connect(port, sent) as line, suppress(ConnectionResetError):
        while part := line.recv(65_536):
            received += part
    return received
