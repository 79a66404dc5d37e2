"""Accounts: a number of a row as a sum over ledger movements, carried forward where it is a balance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rules.model.changes import DocId
from rules.model.ledger import Movement, MovementKind, Totals

Share = Callable[[Movement], int]
"""Returns the amount that one movement adds to an account."""


class Unit(StrEnum):
    COUNT = "count"
    CENTS = "cents"


class AccountLine(NamedTuple):
    """One movement and the amount that it adds to an account."""

    movement: Movement
    amount: int


@dataclass(slots=True)
class Account:
    """A sum over the movements of the business days from `first` to `last`; empty if `last` is before `first`.

    `carried` reads the opening balance from the totals at the start of `first`; None for an account that starts at 0.
    The first `shown` lines are kept in `lines`; `omitted` counts the others.
    """

    name: str
    unit: Unit
    first: date
    last: date
    share: Share
    carried: Callable[[Totals], int] | None = None
    shown: int = 100
    before: int = 0
    lines: list[AccountLine] = field(default_factory=list)
    omitted: int = 0
    total: int = 0

    def open(self, totals: Totals) -> None:
        """Set the opening balance from the totals at the start of `first`."""
        self.before = self.total = self.carried(totals) if self.carried else 0

    def add(self, movement: Movement, _day: date) -> None:
        if amount := self.share(movement):
            self._book(AccountLine(movement, amount))

    def close(self) -> None:
        """Complete the account after the last movement."""

    def _book(self, line: AccountLine) -> None:
        self.total += line.amount
        if len(self.lines) < self.shown:
            self.lines.append(line)
        else:
            self.omitted += 1


@dataclass(slots=True)
class CrossingAccount(Account):
    """The number of customers whose MRR went from zero to positive, or the reverse, between start and end of a day.

    The line of a customer is its last such movement of the day. `counts` receives the customer's net change in
    subscribers over the day and whether the day includes its first MRR ever.
    """

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
                self._book(AccountLine(last, 1))
