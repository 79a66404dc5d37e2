"""Logging of events that visitors can cause: at most one line a minute of each, so they cannot fill the journal."""

import threading
from typing import Any

from daemon import clock

INTERVAL_SECONDS = 60.0


class LimitedLog:
    """Logger that writes each event at most once in `INTERVAL_SECONDS`; `suppressed` counts the lines left out since.

    `key` distinguishes lines of one event. It must come from a bounded set, never from a request.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._written_at: dict[tuple[str, str], float] = {}
        self._suppressed: dict[tuple[str, str], int] = {}

    def warning(self, event: str, *, key: str = "", **facts: Any) -> None:
        if (suppressed := self._admit((event, key))) is not None:
            self._log.warning(event, **facts, **suppressed)

    def error(self, event: str, *, key: str = "", **facts: Any) -> None:
        if (suppressed := self._admit((event, key))) is not None:
            self._log.error(event, **facts, **suppressed)

    def _admit(self, line: tuple[str, str]) -> dict[str, int] | None:
        """Return the facts to add to a line, or None if it has to be left out."""
        now = clock.monotonic()
        with self._lock:
            if now - self._written_at.get(line, -INTERVAL_SECONDS) < INTERVAL_SECONDS:
                self._suppressed[line] = self._suppressed.get(line, 0) + 1
                return None
            self._written_at[line] = now
            suppressed = self._suppressed.pop(line, 0)
        return {"suppressed": suppressed} if suppressed else {}
