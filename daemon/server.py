"""The HTTP server: a socket, and uvicorn in a thread that serves a site until told to stop."""

import errno
import logging
import socket
import threading
from typing import TYPE_CHECKING, Protocol

from daemon import logs
from daemon.config import Http
from daemon.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

MOST_CONNECTIONS = 200
"""Beyond it uvicorn answers 503 by itself; memory stays bounded."""

log = logs.get("http")


class Site(Protocol):
    """An application whose endless answers can be ended."""

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None: ...

    def close(self) -> None: ...


def listen(config: Http) -> socket.socket:
    """The bound socket; raises ConfigurationError when the port cannot be had.

    An address that is not this machine's may still come (a VPN's, a lease of DHCP): that is Unavailable.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise Unavailable(
                f"http.host: {config.host} is no address of this machine, or not yet; "
                "set CHATELLO_HTTP__HOST or [http] host to one that is"
            ) from None
        raise ConfigurationError(
            f"http.port: cannot listen on {config.host}:{config.port} ({error.strerror}); "
            "set CHATELLO_HTTP__PORT or [http] port to a free one"
        ) from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it; else answers wait 40 ms
    return listening


def serve(site: Site, listening: socket.socket, stop: threading.Event, opened: threading.Event) -> None:
    """Serve until told to stop, `opened` from now on; in a thread of its own uvicorn leaves signals alone.

    Headers of proxies are not believed: who asks is who is connected.
    """
    import uvicorn  # noqa: PLC0415 - loaded by the thread that serves, while the others begin

    from daemon.patient import PatientServer  # noqa: PLC0415 - the same

    _hear_complaints()
    config = uvicorn.Config(
        site,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        ws="none",
    )
    opened.set()
    PatientServer(config, stop, site.close).run(sockets=[listening])


class _Complaints(logging.Handler):
    """What uvicorn warns of (requests that are no HTTP, say) as a line of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("server.complained", problem=record.getMessage())


def _hear_complaints() -> None:
    uvicorns = logging.getLogger("uvicorn")
    uvicorns.handlers, uvicorns.propagate = [_Complaints(logging.WARNING)], False
