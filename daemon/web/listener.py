"""The HTTP server: a socket, and uvicorn in a thread that serves a site until told to stop."""

import errno
import socket

from daemon.config.schema import Http
from daemon.errors import ConfigurationError, Unavailable
from daemon.runtime import logs

log = logs.get("http")


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
