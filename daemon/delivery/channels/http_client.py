"""HTTP client for one server: a kept connection, no redirects, bounded in time and size.

`http.client` is used, because a request must end after a total time, which needs the socket: common HTTP libraries only
limit the time of each read.
"""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPMessage
from threading import Thread
from typing import NamedTuple
from urllib.parse import urlsplit

from daemon.config.addresses import is_private
from daemon.delivery.channels.deadline import Deadline
from daemon.errors import ChatelloError

MAX_ANSWER_BYTES = 64 * 1024
ADDRESS_FILTER = (
    "the address filter of the systemd unit does not allow {host}; "
    "add IPAddressAllow= to a drop-in (systemctl edit chatello-analytics)"
)


class RequestFailed(ChatelloError):
    """There was no complete answer; the text has the host, but no path and no secret."""


class Answer(NamedTuple):
    """Status, headers and the first 64 kB of the body of an answer."""

    status: int
    headers: HTTPMessage
    body: bytes


class HttpClient:
    """Sends one request at a time to the server of `url`. `cancel` may be called from another thread.

    Raises RequestFailed if the URL, which may come from a redirect, is not valid.
    """

    def __init__(self, url: str, seconds: float = 15) -> None:
        try:
            parts = urlsplit(url)
            self.host = parts.hostname or ""
            self._connection = _Connection(self.host, parts.port, is_encrypted=parts.scheme == "https")
        except (ValueError, HTTPException):
            raise RequestFailed("the address is not a valid URL; check host and port") from None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._seconds = seconds

    def request(self, method: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send a request and return the answer. Raises RequestFailed."""
        with Deadline(self._seconds) as deadline, self._translated(deadline):
            self._connection.deadline = deadline
            is_kept = self._connection.sock is not None
            try:
                return self._exchange(method, headers, body)
            except (ConnectionError, ssl.SSLError):
                if not is_kept or deadline.is_over:
                    raise
                self.close()  # the server closed the kept connection between two requests
                return self._exchange(method, headers, body)

    def _exchange(self, method: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        connection = self._connection
        if connection.sock is not None:
            connection.deadline.watch(connection.sock)
        connection.request(method, self._target, body, dict(headers))
        response = connection.getresponse()
        content = response.read(MAX_ANSWER_BYTES)
        if not response.isclosed():
            self.close()  # a longer answer: the rest is not read
        connection.deadline.remaining()  # a body without a length ends as well when the deadline shuts the socket down
        return Answer(response.status, response.headers, content)

    @contextmanager
    def _translated(self, deadline: Deadline) -> Iterator[None]:
        try:
            yield
        except (OSError, HTTPException, UnicodeError) as error:
            self.close()
            too_late = deadline.is_over or isinstance(error, TimeoutError)
            late = f"no complete answer from {self.host} within {self._seconds:g} s"
            raise RequestFailed(late if too_late else _sentence(error, self.host)) from None

    def probe(self) -> None:
        """Open and close a connection without sending a request. Raises RequestFailed."""
        with Deadline(self._seconds) as deadline, self._translated(deadline):
            self._connection.deadline = deadline
            self._connection.connect()
        self.close()

    def cancel(self) -> None:
        """End a running request; it raises RequestFailed."""
        self._connection.deadline.end()

    def close(self) -> None:
        self._connection.close()


class _Connection(HTTPConnection):
    """A connection that is opened within a deadline; without encryption only to private addresses."""

    def __init__(self, host: str, port: int | None, *, is_encrypted: bool) -> None:
        self.default_port = 443 if is_encrypted else 80
        super().__init__(host, port or self.default_port)
        self._context = ssl.create_default_context() if is_encrypted else None
        self.deadline = Deadline(0)

    def connect(self) -> None:
        addresses = _look_up(self.host, self.port, self.deadline)
        if self._context is None:
            addresses = [address for address in addresses if is_private(address)]
            if not addresses:
                raise OSError(f"http:// is accepted only for private addresses, and {self.host} has none; use https://")
        self.sock = _first_connected(addresses, self.port, self.deadline)
        self.deadline.watch(self.sock)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            # the handshake waits until the deadline watches the encrypted socket
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.deadline.watch(self.sock)
            self.sock.do_handshake()


def _look_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """Return the addresses of a host; in a thread, because a name lookup has no time limit."""
    Thread(target=_put_addresses, args=(host, port, deadline.addresses.put), daemon=True).start()
    found = deadline.addresses.get()  # at the latest when the deadline ends
    if isinstance(found, OSError):
        raise found
    return found


def _put_addresses(host: str, port: int, put: Callable[[list[str] | OSError], None]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        put([str(address[0]) for *_family, address in found])
    except UnicodeError:
        put(socket.gaierror("not a valid host name"))
    except OSError as error:
        put(error)


def _first_connected(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    problem = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=deadline.remaining())
        except OSError as error:
            problem = error
    raise problem


def _sentence(error: Exception, host: str) -> str:
    """Return one sentence about a failed request, without text of the server."""
    match error:
        case socket.gaierror():
            return f"cannot resolve the host name {host}; check the name and this machine's DNS"
        case ssl.SSLCertVerificationError():
            return f"the TLS certificate of {host} is not valid: {error.verify_message}"
        case ssl.SSLError():
            return f"cannot open a TLS connection to {host}: {error.reason or 'connection closed'}"
        case PermissionError():
            return ADDRESS_FILTER.format(host=host)
        case ConnectionRefusedError():
            return f"{host} refuses the connection; check the port, and that the receiver is running"
        case ConnectionError():
            return f"{host} closed the connection without an answer"
        case OSError():
            return f"cannot connect to {host}: {error.strerror or error}"
    return f"{host} does not answer in valid HTTP"
