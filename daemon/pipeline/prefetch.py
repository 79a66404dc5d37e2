"""Looks up what the next batch will need of the mirror while the present one is decided on: the two overlap.

What is found is as old as the moment the look began: whatever was under way then, or decided since, goes before it.
"""

import threading
from collections.abc import Sequence

from daemon.errors import ChatelloError
from daemon.store.mirror.reader import MirrorReader
from rules.model.changes import Change
from rules.model.decision import Decision, Mirror


class Prefetch:
    """One look ahead, begun at once, in a thread of its own."""

    def __init__(self, reader: MirrorReader, changes: Sequence[Change], under_way: Decision | None) -> None:
        self.newer = Decision()
        """The states decided since; only these are kept."""
        if under_way is not None:
            self.note(under_way)
        self._found: Mirror | None = None
        self._thread = threading.Thread(target=self._look, args=(reader, changes), name="foresight", daemon=True)
        self._thread.start()

    def note(self, decision: Decision) -> None:
        """Something was decided on meanwhile."""
        self.newer.customers.update(decision.customers)
        self.newer.licenses.update(decision.licenses)
        self.newer.payments.update(decision.payments)

    def sources(self) -> tuple[Decision | Mirror, ...]:
        """Where states are to be taken from, the newest first; what is in none of them has to be looked up."""
        self._thread.join()
        return (self.newer,) if self._found is None else (self.newer, self._found)

    def _look(self, reader: MirrorReader, changes: Sequence[Change]) -> None:
        try:
            self._found = reader.load(changes, Mirror())
        except ChatelloError:
            return  # whoever needs it looks itself, and hears the same where it lasts


class Prefetcher:
    """The looks ahead of a pipeline: the one its batch in hand was prepared by, and the one for the batch behind it."""

    def __init__(self, reader: MirrorReader) -> None:
        self.reader = reader
        self._present: Prefetch | None = None
        self._next: Prefetch | None = None
        self._waiting: Sequence[Change] = ()

    def turn(self, waiting: Sequence[Change]) -> None:
        """The next batch is in hand; `waiting` is what comes behind it."""
        self._present, self._next = self._next, None
        self._waiting = waiting

    def sources(self, under_way: Decision | None) -> tuple[Decision | Mirror, ...]:
        """What is known of the mirror's states without asking, or will be stored shortly; the newest first."""
        if self._present is not None:
            return self._present.sources()
        return () if under_way is None else (under_way,)

    def look(self, under_way: Decision | None) -> None:
        """Begin to look up what is waiting, once."""
        if self._waiting:
            self._next = Prefetch(self.reader, self._waiting, under_way)
            self._waiting = ()

    def note(self, decision: Decision) -> None:
        """Something was decided on: no look ahead knows of it."""
        for sight in (self._present, self._next):
            if sight is not None:
                sight.note(decision)
