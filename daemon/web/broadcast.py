"""Events as they are written, for all clients at once: one change stream while somebody listens, else none.

A client that comes back with the last id it saw is first told what it missed. One that is too slow is let go: it comes
back the same way. What cannot be made up for is said (`reset`), so that nobody believes to have seen everything.
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

MOST_CLIENTS = 20
MOST_WAITING = 200
MOST_MISSED = 1000
MISSED_SECONDS = 5.0
AWAIT_MS = 20
STILL = 3
"""Who waited so often without getting any further is at the end: a stream opened anew says it stands one step ahead."""
AGAIN_SECONDS = 2.0
_TOKEN = re.compile(r"82[0-9A-F]{8,1000}")

log = logs.get("event_feed")


class FeedMessage(NamedTuple):
    """What is told, and where the stream then is. `kind` is business_event, withdrawn, position, reset or quiet."""

    token: str
    kind: str
    document: Document | None = None


class Full(Exception):
    """As many clients as there may be listen already, or the daemon is about to stop."""


class Subscriber:
    """One listener's queue: filled from the feed's thread, emptied in its event loop.

    `token` is where the stream is while nothing waits to be told; "" where that is not known.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_over = False
        self.token = ""
        self._waiting: deque[FeedMessage] = deque()
        self._arrived = asyncio.Event()

    def put(self, told: FeedMessage | None) -> None:
        """From any thread: tell it something, or (None) that it is over."""
        try:
            self.loop.call_soon_threadsafe(self._put, told)
        except RuntimeError:  # its loop is closed: the process ends
            self.is_over = True

    def _put(self, told: FeedMessage | None) -> None:
        if told is not None and told.kind == "quiet":
            self.token = "" if self._waiting else told.token
            return
        self.token = ""
        if told is None or len(self._waiting) >= MOST_WAITING:
            self.is_over = True
        else:
            self._waiting.append(told)
        self._arrived.set()

    async def next(self, seconds: float) -> FeedMessage | None:
        """The next thing told; None after so many seconds without one, and when it is over."""
        if not self._waiting and not self.is_over:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), seconds)
            except TimeoutError:
                return None
        return self._waiting.popleft() if self._waiting and not self.is_over else None


class EventBroadcaster:
    """The feed of one process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._clients: set[Subscriber] = set()
        self._run: _Subscription | None = None
        self.closed = threading.Event()

    def join(self) -> Subscriber:
        """A new listener, told first where the stream stands; raises Full."""
        client = Subscriber()
        with self._lock:
            if self.closed.is_set() or len(self._clients) >= MOST_CLIENTS:
                raise Full
            self._clients.add(client)
            metrics.LISTENERS.set(len(self._clients))
            if self._run is None:
                self._run = _Subscription(self.database, self._publish)
                self._run.start()
            elif self._run.token:
                client.put(FeedMessage(self._run.token, "position"))
        return client

    def leave(self, client: Subscriber) -> None:
        """The last one to leave ends the stream."""
        with self._lock:
            self._clients.discard(client)
            metrics.LISTENERS.set(len(self._clients))
            if not self._clients and self._run is not None:
                self._run.stop.set()
                self._run = None

    def close(self) -> None:
        """Let everybody go, at once and for good."""
        with self._lock:
            self.closed.set()
            if self._run is not None:
                self._run.stop.set()
            for client in self._clients:
                client.put(None)

    def _publish(self, run: "_Subscription", told: FeedMessage) -> None:
        """Tell all, and take note of the position in the same breath: who joins next begins right behind it."""
        with self._lock:
            run.token = told.token and max(run.token, told.token)  # a quiet one may stand a step behind the opening
            if run is self._run:
                for client in self._clients:
                    client.put(told)


class _Subscription:
    """One change stream in a thread of its own, from the first listener to the last."""

    def __init__(self, database: Database, tell: Callable[["_Subscription", FeedMessage], None]) -> None:
        self.database = database
        self.stop = threading.Event()
        self.token = ""
        self._tell = tell
        self._lost = False

    def start(self) -> None:
        threading.Thread(target=self._follow, name="live", daemon=True).start()

    def _follow(self) -> None:
        while not self.stop.is_set():
            began = self.token
            try:
                for heard in store.follow(self.database, began or None, self.stop):
                    self._receive(heard)
            except ChatelloError as problem:
                log.warning("feed.interrupted", problem=str(problem))
                if isinstance(problem, StreamBroken) or self.token == began:  # it would break there again
                    self._lose()
            except Exception as error:
                log.error("feed.failed", problem=f"{type(error).__name__}: {error}", exc_info=True)
                self._lose()
            self.stop.wait(AGAIN_SECONDS)

    def _lose(self) -> None:
        """Give the position up: the next one is now, and whoever listens is told so."""
        self._lost = self._lost or bool(self.token)
        self._tell(self, FeedMessage("", "quiet"))

    def _receive(self, heard: EventFeedItem) -> None:
        if not self.token:
            self._tell(self, FeedMessage(heard.token, "reset" if self._lost else "position"))
            self._lost = False
        self._tell(self, message_of(heard))


def message_of(heard: EventFeedItem) -> FeedMessage:
    if heard.is_quiet:
        return FeedMessage(heard.token, "quiet")
    if heard.document is not None:
        return FeedMessage(heard.token, "business_event", heard.document)
    return FeedMessage(heard.token, "withdrawn", {"_id": heard.deleted})


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def missed(database: Database, after: str, until: str, stop: threading.Event) -> Iterator[FeedMessage]:
    """What was written behind one position and up to another, as it stands now; a reset where that cannot be told."""
    if not is_token(after) or after > until:
        yield FeedMessage(until, "reset")
        return
    began, before, still = clock.monotonic(), "", 0
    try:
        for number, heard in enumerate(store.follow(database, after, stop, await_ms=AWAIT_MS)):
            if heard.token <= until and not heard.is_quiet and (one := store.as_it_stands(database, heard)):
                yield message_of(one)
            still = still + 1 if heard.token == before else 0
            if heard.token >= until or still == STILL:
                return
            if number > MOST_MISSED or clock.monotonic() - began > MISSED_SECONDS:
                break
            before = heard.token
    except ChatelloError as problem:
        log.info("feed.not_resumed", problem=str(problem))
    yield FeedMessage(until, "reset")
