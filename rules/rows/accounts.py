"""An account: a number as a sum over the movements of some business days, carried forward where it is a balance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rules.model.changes import DocId
from rules.model.ledger import Movement, MovementKind, Totals

Share = Callable[[Movement], int]
"""What one movement adds to an account."""


class Unit(StrEnum):
    COUNT = "count"
    CENTS = "cents"


class Line(NamedTuple):
    """One movement's part in an account."""

    movement: Movement
    amount: int


@dataclass(slots=True)
class Account:
    """A sum over the movements of the business days from `first` to `last`; no days where `last` is before `first`.

    `carried` takes what stood before from the totals of that moment; None for what begins with nothing. Of the lines
    the first `shown` are kept, the others counted.
    """

    name: str
    unit: Unit
    first: date
    last: date
    share: Share
    carried: Callable[[Totals], int] | None = None
    shown: int = 100
    before: int = 0
    lines: list[Line] = field(default_factory=list)
    untold: int = 0
    total: int = 0

    def open(self, totals: Totals) -> None:
        """Carry forward from the totals as `first` began."""
        self.before = self.total = self.carried(totals) if self.carried else 0

    def add(self, movement: Movement, _day: date) -> None:
        if amount := self.share(movement):
            self._book(Line(movement, amount))

    def close(self) -> None:
        """All movements were added."""

    def _book(self, line: Line) -> None:
        self.total += line.amount
        if len(self.lines) < self.shown:
            self.lines.append(line)
        else:
            self.untold += 1


@dataclass(slots=True)
class CrossingAccount(Account):
    """Customers that began a day on one side of no MRR and ended it on the other; told by their last crossing."""

    counts: Callable[[int, bool], bool] = lambda net, first: False
    crossed: dict[tuple[date, DocId], tuple[int, bool, Movement]] = field(default_factory=dict)

    def add(self, movement: Movement, day: date) -> None:
        if movement.subscribers and movement.kind is not MovementKind.OPENING:
            net, first, _ = self.crossed.get((day, movement.customer_id), (0, False, movement))
            first = first or movement.kind is MovementKind.NEW
            self.crossed[day, movement.customer_id] = (net + movement.subscribers, first, movement)

    def close(self) -> None:
        for net, first, last in self.crossed.values():
            if self.counts(net, first):
                self._book(Line(last, 1))
