"""All mirror states of a small shop in memory, so that a change alone costs no read of the mirror.

They are those of the last decision, and belong to one pipeline: whatever else changes the mirror (another leader, an
erasure, a setback) makes a new pipeline, which reads them again.
"""

from typing import TypeVar

from daemon.store.mirror.reader import MirrorReader
from rules.model.changes import DocId
from rules.model.decision import Decision, Mirror

State = TypeVar("State")

MAX_STATES = 5000
"""Some 2,000 licenses, their customers and payments: about 7 MB. A larger shop is read from the database."""


class StateMemory:
    """The states of every customer, license and payment, or none of them."""

    def __init__(self, reader: MirrorReader) -> None:
        self.states: Mirror | None = reader.all_states(MAX_STATES)
        """None if there are more than `MAX_STATES`."""

    def note(self, decision: Decision) -> None:
        """Take over what was decided; forget everything once the shop is too large."""
        if self.states is None:
            return
        _note(self.states.customers, decision.customers)
        _note(self.states.licenses, decision.licenses)
        _note(self.states.payments, decision.payments)
        if len(self.states.customers) + len(self.states.licenses) + len(self.states.payments) > MAX_STATES:
            self.states = None


def _note(known: dict[DocId, State | None], decided: dict[DocId, State | None]) -> None:
    known.update(decided)
    for doc_id in [doc_id for doc_id, state in decided.items() if state is None]:
        del known[doc_id]
