"""The connections of the HTTP server: their number is limited, and no visitor can hold one without a request.

A connection waits while its visitor has to act: send the rest of a request, or read the response. One more than the
limit closes the connection that has waited longest, so a probe always gets in; one whose bytes have arrived, but are
not read yet, is closed last. Requests at work are limited elsewhere
(`middleware.request_limits`, `broadcast.MAX_SUBSCRIBERS`) to less than the number of connections.
"""

import asyncio
import errno
import resource
import select
from collections.abc import Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from daemon import clock
from daemon.runtime import logs
from daemon.runtime.log_limit import LimitedLog

MAX_CONNECTIONS = 100
MIN_CONNECTIONS = 8
OTHER_DESCRIPTORS = 64
"""Reserved for the connections to the database and for files."""
HEAD_SECONDS = 10.0
"""Maximum wait for the head of a request, from the opening of the connection or the previous response."""
AT_WORK = (h11.SEND_RESPONSE, h11.SEND_BODY)
OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

log = LimitedLog(logs.get("http"))


def connection_limit() -> int:
    """Return the maximum number of connections: fewer where the process may open few descriptors (LimitNOFILE)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, soft - OTHER_DESCRIPTORS))


class VisitorProtocol(H11Protocol):
    """One connection. `waiting_since` is the time at which its visitor last had to act."""

    waiting_since = 0.0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()
        limit = connection_limit()
        if len(self.connections) > limit:
            log.warning("connections.exhausted", problem=f"more than {limit} connections")
            close_longest_waiting(self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_head_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_head()

    def pause_writing(self) -> None:
        self.waiting_since = clock.monotonic()
        super().pause_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP instead of a request at work; if the response has begun, close the connection."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.abort()

    def is_waiting(self) -> bool:
        """Whether the visitor has to act: no whole request is at work, or its response is not read."""
        is_sending = self.conn.their_state is h11.SEND_BODY
        return self.conn.our_state not in AT_WORK or is_sending or self.flow.write_paused

    def has_unread(self) -> bool:
        """Whether bytes of the visitor are in the socket: a crowd can come in before the first of it is read."""
        arrived = select.poll()
        arrived.register(self.transport.get_extra_info("socket"), select.POLLIN)
        return bool(arrived.poll(0))

    def abort(self) -> None:
        """Close the connection without sending what is left; its descriptor is free after the current callback."""
        self.connections.discard(self)
        self.transport.abort()

    def _expect_head(self) -> None:
        self.waiting_since = clock.monotonic()
        self._cancel_head_timer()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._close_without_head)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()

    def _close_without_head(self) -> None:
        if self.conn.our_state in AT_WORK:
            return
        if self.transport.get_write_buffer_size():
            self._expect_head()
        else:
            self.abort()


def close_longest_waiting(connections: Iterable[Any]) -> None:
    """Close the connection that has waited longest for its visitor, if any waits."""
    waiting = [one for one in connections if one.is_waiting()]
    if waiting:
        min(waiting, key=lambda one: (one.has_unread(), one.waiting_since)).abort()


def on_loop_error(connections: Iterable[Any], context: dict[str, Any]) -> None:
    """Handle an error of the event loop: without free descriptors close a connection, so that the next one gets in."""
    error = context.get("exception")
    problem = f"{context['message']}: {error}"
    if isinstance(error, OSError) and error.errno in OUT_OF_DESCRIPTORS:
        log.warning("connections.exhausted", key="descriptors", problem=problem)
        close_longest_waiting(connections)
    else:
        log.error("connection.failed", problem=problem, exc_info=error)
