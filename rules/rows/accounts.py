"""Accounts: a number of a row as a sum over ledger movements, carried forward where it is a balance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rules.model.changes import DocId
from rules.model.ledger import Movement, MovementKind, Totals
from rules.revenue import day_sums

Share = Callable[[Movement], int]
"""Returns the amount that one movement adds to an account."""


class Unit(StrEnum):
    COUNT = "count"
    CENTS = "cents"


class AccountLine(NamedTuple):
    """One movement, the amount that it adds to an account, and its business day."""

    movement: Movement
    amount: int
    day: date


class RestOfDay(NamedTuple):
    """Lines of one day that are not listed: their number and sum. `skip` lines of that day come before them."""

    day: date
    skip: int
    number: int
    amount: int


@dataclass(slots=True)
class Account:
    """A sum over the movements of the business days from `first` to `last`; empty if `last` is before `first`.

    `carried` reads the opening balance from the totals at the start of `first`; None for an account that starts at 0.
    `lines` holds `shown` lines after the first `skip`; `rest` has the later ones by day, `omitted` is their number.
    Movements whose field `nonzero` is 0 add nothing ("": any may add). `number` is the name under which the share of
    one day is explained; "" for a balance that has no movements.
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
    skip: int = 0
    skipped: int = 0
    booked: int = 0
    rest: dict[date, RestOfDay] = field(default_factory=dict)
    number: str = ""
    nonzero: str = ""

    def open(self, totals: Totals) -> None:
        """Set the opening balance from the totals at the start of `first`."""
        self.before = self.total = self.carried(totals) if self.carried else 0

    def add(self, movement: Movement, day: date) -> None:
        if amount := self.share(movement):
            self._book(AccountLine(movement, amount, day))

    def close(self) -> None:
        """Complete the account after the last movement."""

    def _book(self, line: AccountLine) -> None:
        self.total += line.amount
        self.booked += 1
        if self.booked <= self.skip:
            self.skipped += line.amount
        elif len(self.lines) < self.shown:
            self.lines.append(line)
        else:
            self.omitted += 1
            self._omit(line)

    def _omit(self, line: AccountLine) -> None:
        skip = self.skip + sum(shown.day == line.day for shown in self.lines)
        _, skip, number, amount = self.rest.get(line.day, RestOfDay(line.day, skip, 0, 0))
        self.rest[line.day] = RestOfDay(line.day, skip, number + 1, amount + line.amount)


@dataclass(slots=True)
class CrossingAccount(Account):
    """The number of customers whose MRR went from zero to positive, or the reverse, between start and end of a day.

    The line of a customer is its last such movement of the day. `counts` receives the customer's net change in
    subscribers over the day and whether the day includes its first MRR ever. A customer whose MRR moved to or from
    another customer that day does not count.
    """

    counts: Callable[[int, bool], bool] = lambda net, first: False
    crossed: dict[tuple[date, DocId], tuple[int, bool, Movement]] = field(default_factory=dict)
    moved: set[tuple[date, DocId]] = field(default_factory=set)

    def add(self, movement: Movement, day: date) -> None:
        if not movement.subscribers or movement.kind is MovementKind.OPENING:
            return
        key = (day, movement.customer_id)
        net, first, _ = self.crossed.get(key, (0, False, movement))
        self.crossed[key] = (net + movement.subscribers, first or movement.kind is MovementKind.NEW, movement)
        if day_sums.is_neutral_move(movement):
            self.moved.add(key)

    def close(self) -> None:
        for key, (net, first, last) in self.crossed.items():
            if key not in self.moved and self.counts(net, first):
                self._book(AccountLine(last, 1, key[0]))
