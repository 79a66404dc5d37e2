"""Supervision of the process's threads: if one ends, all end, and the first error is the process's."""

import threading
import time
from collections.abc import Callable

from daemon import clock
from daemon.runtime import logs

JOIN_SECONDS = 9.0
"""Below the ten seconds from SIGTERM to exit that we and systemd's TimeoutStopSec promise."""

POLL_SECONDS = 0.2

log = logs.get("supervisor")


class ThreadSupervisor:
    """Starts threads and waits for them. `stop` is set by a signal or by the first thread that ends."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.error: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the end of any thread ends the process
            self._end(name, error)
            return
        self._end(name, None if self.stop.is_set() else RuntimeError(f"the {name} thread ended unexpectedly"))

    def _end(self, name: str, error: BaseException | None) -> None:
        if error is not None and self.error is None:
            self.error = error
            log.error("thread.ended", thread=name, problem=f"{type(error).__name__}: {error}")
        self.stop.set()

    def wait(self) -> None:
        """Return after `stop` is set and every thread has ended or had its time; raise the first error.

        Only this thread, the main one, runs signal handlers, and the kernel may deliver a signal to any thread: while
        this one sleeps in a lock it never wakes up (seen in 4 of 90 stops on a busy machine). Nor may it hold the
        event's own lock when a signal arrives. So it polls.
        """
        while not self.stop.is_set():
            time.sleep(POLL_SECONDS)
        deadline = clock.monotonic() + JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - clock.monotonic()))
        if self.error is not None:
            raise self.error
