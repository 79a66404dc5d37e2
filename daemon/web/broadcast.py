"""Live event feed: one change stream for all subscribers, open only while there is at least one.

A client that reconnects with its last event id first receives what it missed. A client that reads too slowly is
disconnected and resumes the same way. If events may be missing, it receives a `reset` message.
"""

import asyncio
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from daemon import clock
from daemon.errors import ChatelloError, StreamBroken
from daemon.mongo.types import Database, Document
from daemon.runtime import logs, metrics
from daemon.store import events as store
from daemon.store.events import EventFeedItem

MAX_SUBSCRIBERS = 20
MAX_QUEUED = 200
MAX_MISSED = 1000
CATCH_UP_SECONDS = 5.0
AWAIT_MS = 20
MAX_STEPS_WITHOUT_PROGRESS = 3
"""After so many steps at the same token the end is reached: a newly opened stream reports a token one step ahead."""
REOPEN_SECONDS = 2.0
_TOKEN = re.compile(r"82[0-9A-F]{8,1000}")

log = logs.get("event_feed")


class FeedMessage(NamedTuple):
    """A message and the stream's resume token after it.

    `kind` is business_event, withdrawn, position, reset or quiet; `quiet` only moves the token.
    """

    token: str
    kind: str
    document: Document | None = None


class TooManySubscribers(Exception):
    """The number of subscribers is at its limit, or the daemon is about to stop."""


class Subscriber:
    """Bounded queue of one client: filled from the stream's thread, read in the client's event loop.

    `token` is the stream's resume token while the queue is empty; "" while it is not known.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_closed = False
        self.token = ""
        self._queue: deque[FeedMessage] = deque()
        self._arrived = asyncio.Event()

    def put(self, message: FeedMessage | None) -> None:
        """Queue a message, or close the subscriber (None). Safe from any thread."""
        try:
            self.loop.call_soon_threadsafe(self._put, message)
        except RuntimeError:  # its loop is closed: the process ends
            self.is_closed = True

    def _put(self, message: FeedMessage | None) -> None:
        if message is not None and message.kind == "quiet":
            self.token = "" if self._queue else message.token
            return
        self.token = ""
        if message is None or len(self._queue) >= MAX_QUEUED:
            self.is_closed = True
        else:
            self._queue.append(message)
        self._arrived.set()

    async def next(self, seconds: float) -> FeedMessage | None:
        """Return the next message; None if none arrives within `seconds` or the subscriber is closed."""
        if not self._queue and not self.is_closed:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), seconds)
            except TimeoutError:
                return None
        return self._queue.popleft() if self._queue and not self.is_closed else None


class EventBroadcaster:
    """Publishes the messages of one change stream to all subscribers of this process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._subscribers: set[Subscriber] = set()
        self._stream: _StreamThread | None = None
        self.closed = threading.Event()

    def subscribe(self) -> Subscriber:
        """Add a subscriber; its first message is the stream's position. Raises TooManySubscribers."""
        subscriber = Subscriber()
        with self._lock:
            if self.closed.is_set() or len(self._subscribers) >= MAX_SUBSCRIBERS:
                raise TooManySubscribers
            self._subscribers.add(subscriber)
            metrics.LISTENERS.set(len(self._subscribers))
            if self._stream is None:
                self._stream = _StreamThread(self.database, self._publish)
                self._stream.start()
            elif self._stream.token:
                subscriber.put(FeedMessage(self._stream.token, "position"))
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a subscriber; without subscribers the change stream is closed."""
        with self._lock:
            self._subscribers.discard(subscriber)
            metrics.LISTENERS.set(len(self._subscribers))
            if not self._subscribers and self._stream is not None:
                self._stream.stop.set()
                self._stream = None

    def close(self) -> None:
        """Disconnect all subscribers and accept no new ones."""
        with self._lock:
            self.closed.set()
            if self._stream is not None:
                self._stream.stop.set()
            for subscriber in self._subscribers:
                subscriber.put(None)

    def _publish(self, stream: "_StreamThread", message: FeedMessage) -> None:
        """Send a message to all and set the stream's token under one lock: a new subscriber starts right after it."""
        with self._lock:
            # a quiet message may carry a token one step before that of the opening
            stream.token = message.token and max(stream.token, message.token)
            if stream is self._stream:
                for subscriber in self._subscribers:
                    subscriber.put(message)


class _StreamThread:
    """Reads one change stream in its own thread, reopening it after errors until `stop` is set."""

    def __init__(self, database: Database, publish: Callable[["_StreamThread", FeedMessage], None]) -> None:
        self.database = database
        self.stop = threading.Event()
        self.token = ""
        self._publish = publish
        self._lost_position = False

    def start(self) -> None:
        threading.Thread(target=self._follow, name="event_feed", daemon=True).start()

    def _follow(self) -> None:
        while not self.stop.is_set():
            try:
                for item in store.follow(self.database, self.token or None, self.stop):
                    self._receive(item)
            except ChatelloError as problem:
                log.warning("feed.interrupted", problem=str(problem))
                if isinstance(problem, StreamBroken):  # it would fail there again
                    self._drop_position()
            except Exception as error:
                log.error("feed.failed", problem=f"{type(error).__name__}: {error}", exc_info=True)
                self._drop_position()
            self.stop.wait(REOPEN_SECONDS)

    def _drop_position(self) -> None:
        """Restart from now at the next opening; subscribers then receive a reset."""
        self._lost_position = self._lost_position or bool(self.token)
        self._publish(self, FeedMessage("", "quiet"))

    def _receive(self, item: EventFeedItem) -> None:
        if not self.token:
            self._publish(self, FeedMessage(item.token, "reset" if self._lost_position else "position"))
            self._lost_position = False
        self._publish(self, message_from(item))


def message_from(item: EventFeedItem) -> FeedMessage:
    if item.is_quiet:
        return FeedMessage(item.token, "quiet")
    if item.document is not None:
        return FeedMessage(item.token, "business_event", item.document)
    return FeedMessage(item.token, "withdrawn", {"_id": item.deleted})


def is_resume_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def catch_up(database: Database, after: str, until: str, stop: threading.Event) -> Iterator[FeedMessage]:
    """Yield the events written after one token and up to another, in their current state.

    Ends with a reset if `after` is not a valid token, if the events are too many (`MAX_MISSED`) or take too long
    (`CATCH_UP_SECONDS`) to read, or if the database fails.
    """
    if not is_resume_token(after) or after > until:
        yield FeedMessage(until, "reset")
        return
    began, previous_token, unchanged = clock.monotonic(), "", 0
    try:
        for number, item in enumerate(store.follow(database, after, stop, await_ms=AWAIT_MS)):
            if item.token <= until and not item.is_quiet and (current := store.current_version(database, item)):
                yield message_from(current)
            unchanged = unchanged + 1 if item.token == previous_token else 0
            if item.token >= until or unchanged == MAX_STEPS_WITHOUT_PROGRESS:
                return
            if number > MAX_MISSED or clock.monotonic() - began > CATCH_UP_SECONDS:
                break
            previous_token = item.token
    except ChatelloError as problem:
        log.info("feed.not_resumed", problem=str(problem))
    yield FeedMessage(until, "reset")
