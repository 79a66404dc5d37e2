"""Time limit of a whole request: a socket's own time limit is per read, so a slow sender could extend it for ever."""

import socket
from queue import SimpleQueue
from threading import Lock, Timer
from types import TracebackType
from typing import Self

from daemon import clock


class Deadline:
    """Shuts the watched socket down after `seconds`, or when `end` is called by another thread."""

    def __init__(self, seconds: float) -> None:
        self._ends = clock.monotonic() + seconds
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self.is_over = False
        self.addresses: SimpleQueue[list[str] | OSError] = SimpleQueue()
        """Receives the result of a name lookup, or TimeoutError when the time is over."""
        self._timer = Timer(seconds, self.end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def remaining(self) -> float:
        """Return the seconds that are left. Raises TimeoutError if none are."""
        seconds = self._ends - clock.monotonic()
        if self.is_over or seconds <= 0:
            raise TimeoutError
        return seconds

    def watch(self, connected: socket.socket) -> None:
        """Watch this socket from now on. Raises TimeoutError if the time is over."""
        with self._lock:
            self._socket = connected
            connected.settimeout(self.remaining())

    def end(self) -> None:
        """End the request now; its thread gets an error from the socket."""
        with self._lock:
            self.is_over = True
            self.addresses.put(TimeoutError())
            if self._socket is not None:
                shut_down(self._socket)


def shut_down(connected: socket.socket) -> None:
    """End the connection for a thread that waits on it. Unlike SSLSocket.shutdown this leaves the TLS state alone."""
    try:
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
    except OSError:
        return  # closed already
