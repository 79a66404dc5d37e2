"""The HTTP server's listening socket; opening it does not load uvicorn."""

import errno
import socket

from daemon.config.schema import Http
from daemon.errors import ConfigurationError, Unavailable
from daemon.runtime import logs

log = logs.get("http")


def listen(config: Http) -> socket.socket:
    """Return a bound socket.

    Raises ConfigurationError if the port cannot be bound, and Unavailable if the address is not local: it may still
    appear (a VPN, a DHCP lease).
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise Unavailable(
                f"http.host: {config.host} is not (yet) an address of this machine; "
                "set CHATELLO_HTTP__HOST or [http] host to a local address"
            ) from None
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"http.port: port {config.port} is used by another program; "
                "stop it, or set CHATELLO_HTTP__PORT or [http] port to a free port"
            ) from None
        raise ConfigurationError(
            f"http.port: cannot listen on {config.host}:{config.port} ({error.strerror}); "
            "set CHATELLO_HTTP__PORT or [http] port to a free port"
        ) from None
    # accepted sockets inherit it; without it responses wait 40 ms
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
