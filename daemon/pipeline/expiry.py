"""Ends of licenses that no write reports: when the next one is due, and which licenses end by an instant."""

from datetime import datetime

from daemon.store.mirror.reader import MirrorReader
from rules.model.changes import Change, Operation, Source
from rules.model.decision import Decision
from rules.model.states import LicenseState

MAX_DUE = 1000
"""Licenses that end are applied in steps of this many, so that a transaction stays small."""


class LicenseExpiry:
    """Knows an instant at or before the next end of a license, without a query per batch."""

    def __init__(self, reader: MirrorReader) -> None:
        self.reader = reader
        self._next_due = reader.next_due()

    def is_due(self, instant: datetime) -> bool:
        """Return whether a license may end by `instant`."""
        return self._next_due is not None and self._next_due <= instant

    def due(self, instant: datetime) -> list[LicenseState]:
        """Return the first `MAX_DUE` licenses that end by `instant`, soonest first."""
        return self.reader.due(instant, MAX_DUE)

    def all_due(self, instant: datetime) -> list[LicenseState] | None:
        """Return all licenses that end by `instant`; None if they are more than `MAX_DUE`."""
        due = self.reader.due(instant, MAX_DUE + 1)
        return due if len(due) <= MAX_DUE else None

    def note(self, decision: Decision) -> None:
        """Take the ends into account that a decision brings."""
        ends = [state.ends_at for state in decision.licenses.values() if state and state.ends_at]
        if ends:
            self._next_due = min([*ends, self._next_due] if self._next_due else ends)

    def refresh(self) -> None:
        """Read the next end from the mirror; only correct once every decision is committed."""
        self._next_due = self.reader.next_due()


def tick(due: list[LicenseState]) -> Change | None:
    """Return the change that lets time pass until the last of these licenses ends; None if none does."""
    until = due[-1].license.expires_at if due and due[-1].license else None
    return None if until is None else Change(Source.CLOCK, Operation.TICK, None, until, "")
