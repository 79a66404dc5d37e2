"""uvicorn in a thread: serves a site on a bound socket until a stop event is set.

By itself uvicorn wakes up ten times a second, which was half of the CPU time of an idle daemon. This server wakes up
once a second, and at once when it is stopped.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Protocol

import uvicorn
from starlette.types import Receive, Scope, Send

from daemon.runtime import logs

log = logs.get("http")

MOST_CONNECTIONS = 200
"""Beyond it uvicorn answers 503 by itself; memory stays bounded."""


class ClosableApp(Protocol):
    """An application whose endless answers can be ended."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def close(self) -> None: ...


def serve(site: ClosableApp, listening: socket.socket, stop: threading.Event, opened: threading.Event) -> None:
    """Serve until told to stop, `opened` from now on; in a thread of its own uvicorn leaves signals alone.

    Headers of proxies are not believed: who asks is who is connected.
    """
    _log_uvicorn_warnings()
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
    LowWakeupServer(config, stop, site.close).run(sockets=[listening])


class _UvicornWarnings(logging.Handler):
    """What uvicorn warns of (requests that are no HTTP, say) as a line of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("server.warned", problem=record.getMessage())


def _log_uvicorn_warnings() -> None:
    uvicorns = logging.getLogger("uvicorn")
    uvicorns.handlers, uvicorns.propagate = [_UvicornWarnings(logging.WARNING)], False


TICK_SECONDS = 1.0
"""The `Date` of answers is renewed as often."""


class LowWakeupServer(uvicorn.Server):
    """Serves until `stop` is set; `close` then ends the answers that would never end."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event, close: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._close = close

    async def main_loop(self) -> None:
        stopped = asyncio.ensure_future(asyncio.to_thread(self._stop.wait))
        try:
            while not stopped.done():
                await self.on_tick(0)
                await asyncio.wait((stopped,), timeout=TICK_SECONDS)
        finally:
            self._stop.set()  # whatever ended this, a thread still waits for it, and the loop for the thread
        self._close()
