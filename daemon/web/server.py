"""uvicorn in a thread: serves an application on a bound socket until a stop event is set.

uvicorn by default wakes up ten times a second, which was half of the CPU time of an idle daemon. This server wakes up
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
from daemon.runtime.log_limit import LimitedLog
from daemon.web.connections import VisitorProtocol, on_loop_error

log = LimitedLog(logs.get("http"))

BACKLOG = 2048
"""Connections that wait in the kernel; it is limited further by net.core.somaxconn."""
ACCEPTED_AT_ONCE = 8
"""Connections accepted before the open ones are read again: a request is read before many others push it out."""


class ClosableApp(Protocol):
    """ASGI application whose endless responses can be ended."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def close(self) -> None: ...


def serve(app: ClosableApp, listening: socket.socket, stop: threading.Event, opened: threading.Event) -> None:
    """Serve until `stop` is set; set `opened` first. Outside the main thread uvicorn does not handle signals."""
    _log_uvicorn_warnings()
    config = uvicorn.Config(
        app,
        http=VisitorProtocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
        backlog=ACCEPTED_AT_ONCE,
        ws="none",
    )
    opened.set()
    LowWakeupServer(config, stop, app.close).run(sockets=[listening])


class _UvicornWarnings(logging.Handler):
    """Forwards uvicorn's warnings, for example about invalid HTTP, to the daemon's log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("server.warned", key=str(record.msg), problem=record.getMessage())


def _log_uvicorn_warnings() -> None:
    logger = logging.getLogger("uvicorn")
    logger.handlers, logger.propagate = [_UvicornWarnings(logging.WARNING)], False


TICK_SECONDS = 1.0
"""Also the resolution of the `Date` header."""


class LowWakeupServer(uvicorn.Server):
    """Serves until `stop` is set, then calls `close` to end the endless responses."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event, close: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._close = close

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        connections = self.server_state.connections
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: on_loop_error(connections, context))
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(BACKLOG)  # asyncio takes one number for the kernel and for itself

    async def main_loop(self) -> None:
        stopped = asyncio.ensure_future(asyncio.to_thread(self._stop.wait))
        try:
            while not stopped.done():
                await self.on_tick(0)
                await asyncio.wait((stopped,), timeout=TICK_SECONDS)
        finally:
            self._stop.set()  # after an error too: a thread waits for it, and the loop waits for the thread
        self._close()
