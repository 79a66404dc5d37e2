"""Looks up what the next batch will need of the mirror while the present one is decided on: the two overlap.

What it finds is as old as the moment it began: whatever was under way then, or decided since, goes before it.
"""

import threading
from collections.abc import Sequence

from daemon.errors import ChatelloError
from daemon.store.mirror import MirrorReader
from rules.mirror import Decision, Mirror
from rules.model import Change


class Foresight:
    """One look ahead, begun at once, in a thread of its own."""

    def __init__(self, reader: MirrorReader, changes: Sequence[Change], under_way: Decision | None) -> None:
        self.newer = Decision()
        """The states decided since; only these are kept."""
        if under_way is not None:
            self.note(under_way)
        self._found: Mirror | None = None
        self._thread = threading.Thread(target=self._look, args=(reader, list(changes)), name="foresight", daemon=True)
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

    def _look(self, reader: MirrorReader, changes: list[Change]) -> None:
        try:
            self._found = reader.load(changes, Mirror())
        except ChatelloError:
            return  # whoever needs it looks itself, and hears the same where it lasts
