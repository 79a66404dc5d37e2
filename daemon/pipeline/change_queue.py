"""The hand-over between the reader and the pipeline: ordered, bounded, and never older than it must be.

The pipeline takes whatever is there, one change when the shop is quiet and a full batch when it is behind; the
reader waits when `limit` items are waiting already. A reader's error comes out behind everything it had read.
"""

import threading
import time
from collections import deque

from daemon.source.stream import StreamItem

WAIT_SECONDS = 0.05


class Closed(Exception):
    """The inbox was closed: nobody takes any more."""


class ChangeQueue:
    """One reader puts, one pipeline takes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._items: deque[StreamItem] = deque()
        self._arrived = threading.Event()
        self._closed = threading.Event()
        self._error: BaseException | None = None

    def put(self, heard: StreamItem) -> None:
        """Hand over one item; waits while the inbox is full, raises Closed once nobody takes any more."""
        while len(self._items) >= self.limit:
            if self._closed.wait(WAIT_SECONDS):
                raise Closed
        if self._closed.is_set():
            raise Closed
        self._items.append(heard)
        if not self._arrived.is_set():
            self._arrived.set()
            time.sleep(0)  # the taker waits for it, and for Python's lock, which this thread would hold for a while

    def fail(self, error: BaseException) -> None:
        """The reader ended with this error."""
        self._error = error
        self._arrived.set()

    def get_batch(self, most: int, timeout: float) -> list[StreamItem]:
        """Up to `most` items in order, waiting up to `timeout` seconds for the first.

        Raises the reader's error when everything it had read is taken.
        """
        if not self._items and self._error is None:
            self._arrived.clear()
            if not self._items and self._error is None:
                self._arrived.wait(timeout)
        taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
        if not taken and self._error is not None:
            raise self._error
        return taken

    def peek(self, most: int) -> list[StreamItem]:
        """The next items, up to `most`, left where they are."""
        return list(self._items)[:most]

    def close(self) -> None:
        self._closed.set()

    def __len__(self) -> int:
        return len(self._items)
