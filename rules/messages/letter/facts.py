"""What the letter of a month is composed from; `daemon.web.page.parts.letter` reads it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from rules.model.ledger import MovementKind
from rules.settings import italian, letter_texts
from rules.settings.catalog import cents

NUMBERS: Mapping[MovementKind, str] = {
    MovementKind.NEW: "movimenti.nuovo",
    MovementKind.REACTIVATION: "movimenti.ritorno",
    MovementKind.EXPANSION: "movimenti.espansione",
    MovementKind.CONTRACTION: "movimenti.contrazione",
    MovementKind.CHURN: "movimenti.abbandono",
}
"""The kinds of movement by their names in addresses (a test compares them with `rules.rows.number_names`)."""


class Day(NamedTuple):
    """What a day contributed: its change of MRR, and customers."""

    day: date
    mrr_cents: int
    new: int = 0
    lost: int = 0


class LimitedSale(NamedTuple):
    """The licenses of a limited plan that the month sold, and those that were left at its end."""

    plan: str
    sold: int
    left: int


class MonthFacts(NamedTuple):
    """What happened in a month.

    `row` has the numbers of the month, `before` those at the end of the month before ({}: unknown). `plans` are the
    titles of recurring plans by their key in the row. `status` says what is incomplete. `milestones`, `marks`,
    `corrections` and `gaps` are whole lines.
    """

    first: date
    row: Mapping[str, Any]
    before: Mapping[str, Any] = {}
    is_running: bool = False
    is_best: bool = False
    status: str = ""
    plans: Mapping[str, str] = {}
    limited: Sequence[LimitedSale] = ()
    days: Sequence[Day] = ()
    milestones: Sequence[str] = ()
    marks: Sequence[str] = ()
    corrections: Sequence[str] = ()
    gaps: Sequence[str] = ()
    proof: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether the ledger starts within the month."""
        return self.row.get("measured_from") is not None


def movements(row: Mapping[str, Any]) -> dict[MovementKind, int] | None:
    """Return the signed cents of the five kinds, in the order of the waterfall; None if the row does not have them."""
    stored = row.get("mrr_movements")
    if not isinstance(stored, Mapping):
        return None
    found = {kind: _amount(stored.get(kind.value)) for kind in letter_texts.MOVEMENTS}
    known = {kind: amount for kind, amount in found.items() if amount is not None}
    return known if len(known) == len(found) else None


def subscribers_at_start(facts: MonthFacts) -> int | None:
    """Return the subscribers at the end of the month before; None if unknown."""
    known = italian.number(facts.before.get("subscribers"))
    return None if known is None else round(known)


def _amount(stored: object) -> int | None:
    return cents(stored.get("amount")) if isinstance(stored, Mapping) else None


def start_and_end(facts: MonthFacts) -> tuple[int, int] | None:
    """Return the MRR at both ends: the end is the row's, the start is the end minus the movements. None if unknown."""
    end, moved = cents(facts.row.get("mrr")), movements(facts.row)
    if end is None:
        return None
    start = end - sum(moved.values()) if moved is not None else cents(facts.before.get("mrr"))
    return None if start is None else (start, end)
