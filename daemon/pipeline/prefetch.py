"""Prefetch of the mirror states that the next batch needs, while the present one is decided.

The states are as old as the start of the read: decisions pending then or made since take precedence.
"""

import threading
from collections.abc import Sequence

from daemon.errors import ChatelloError
from daemon.store.mirror.reader import MirrorReader
from rules.model.changes import Change
from rules.model.decision import Decision, Mirror


class Prefetch:
    """One read, started at once in a thread of its own."""

    def __init__(self, reader: MirrorReader, changes: Sequence[Change], pending: Decision | None) -> None:
        self.newer = Decision()
        """The states decided since the start; nothing else of a decision is kept."""
        if pending is not None:
            self.note(pending)
        self._found: Mirror | None = None
        self._thread = threading.Thread(target=self._read, args=(reader, changes), name="prefetch", daemon=True)
        self._thread.start()

    def note(self, decision: Decision) -> None:
        """Add a decision made since the start."""
        self.newer.customers.update(decision.customers)
        self.newer.licenses.update(decision.licenses)
        self.newer.payments.update(decision.payments)

    def sources(self) -> tuple[Decision | Mirror, ...]:
        """Wait for the read and return where to take states from, newest first; others are still to be read."""
        self._thread.join()
        return (self.newer,) if self._found is None else (self.newer, self._found)

    def _read(self, reader: MirrorReader, changes: Sequence[Change]) -> None:
        try:
            self._found = reader.load(changes, Mirror())
        except ChatelloError:
            return  # the batch reads the states itself, and raises the error if it persists


class Prefetcher:
    """The two prefetches of a pipeline: for the batch in hand and for the next one."""

    def __init__(self, reader: MirrorReader) -> None:
        self.reader = reader
        self._present: Prefetch | None = None
        self._next: Prefetch | None = None
        self._waiting: Sequence[Change] = ()

    def advance(self, waiting: Sequence[Change]) -> None:
        """Start on the next batch; `waiting` are the changes after it."""
        self._present, self._next = self._next, None
        self._waiting = waiting

    def sources(self, pending: Decision | None) -> tuple[Decision | Mirror, ...]:
        """Return the states that are known without a read, newest first."""
        if self._present is not None:
            return self._present.sources()
        return () if pending is None else (pending,)

    def start(self, pending: Decision | None) -> None:
        """Start the prefetch for the waiting changes, once."""
        if self._waiting:
            self._next = Prefetch(self.reader, self._waiting, pending)
            self._waiting = ()

    def note(self, decision: Decision) -> None:
        """Add a decision that neither prefetch can have read."""
        for prefetch in (self._present, self._next):
            if prefetch is not None:
                prefetch.note(decision)
