"""Bounded queue between the reader thread and the pipeline, in order.

The pipeline takes what is there: one change when the shop is quiet, a full batch when it is behind. The reader waits
while `limit` items are queued. An error of the reader is raised after everything it had read.
"""

import threading
import time
from collections import deque

from daemon.errors import QueueClosed
from daemon.source.stream import StreamItem

WAIT_SECONDS = 0.05


class ChangeQueue:
    """One producer, one consumer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._items: deque[StreamItem] = deque()
        self._arrived = threading.Event()
        self._closed = threading.Event()
        self._error: BaseException | None = None

    def put(self, item: StreamItem) -> None:
        """Append an item; wait while the queue is full. Raises QueueClosed once the consumer has ended."""
        while len(self._items) >= self.limit:
            if self._closed.wait(WAIT_SECONDS):
                raise QueueClosed
        if self._closed.is_set():
            raise QueueClosed
        self._items.append(item)
        if not self._arrived.is_set():
            self._arrived.set()
            time.sleep(0)  # lets the consumer have the GIL, which this thread would keep for a while

    def fail(self, error: BaseException) -> None:
        """Record the error that ended the reader."""
        self._error = error
        self._arrived.set()

    def get_batch(self, most: int, timeout: float) -> list[StreamItem]:
        """Return up to `most` items in order; wait up to `timeout` seconds for the first.

        Raises the reader's error once everything it had read is taken.
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
        """Return up to `most` next items without removing them."""
        return list(self._items)[:most]

    def close(self) -> None:
        self._closed.set()

    def __len__(self) -> int:
        return len(self._items)
