"""Accounts: a number of a row as a sum over ledger movements, carried forward where it is a balance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rules.model.changes import DocId
from rules.model.ledger import Movement, MovementKind, Totals
from rules.revenue import day_sums
from rules.rows.shares import PlanShare, Share


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


class DayShare(NamedTuple):
    """What the lines of one day add to an account: their number and sum."""

    day: date
    number: int
    amount: int


@dataclass(slots=True)
class Account:
    """A sum over the movements of the business days from `first` to `last`; empty if `last` is before `first`.

    `carried` reads the opening balance from the totals at the start of `first`; None for an account that starts at 0.
    `lines` holds `shown` lines after the first `skip`; `rest` has the later ones by day, `omitted` is their number.
    `number` is the name under which the share of one day is explained; "" for a balance that has no movements.
    """

    name: str
    unit: Unit
    first: date
    last: date
    share: Share | PlanShare
    carried: Callable[[Totals], int] | None = None
    shown: int = 100
    before: int = 0
    lines: list[AccountLine] = field(default_factory=list)
    omitted: int = 0
    total: int = 0
    skip: int = 0
    skipped: int = 0
    booked: int = 0
    booked_on: dict[date, int] = field(default_factory=dict)
    rest: dict[date, RestOfDay] = field(default_factory=dict)
    number: str = ""

    def open(self, totals: Totals) -> None:
        """Set the opening balance from the totals at the start of `first`."""
        self.before = self.total = self.carried(totals) if self.carried else 0

    def add(self, movement: Movement, day: date) -> None:
        if amount := self.share(movement):
            self._book(AccountLine(movement, amount, day))

    def close(self) -> None:
        """Complete the account after the last movement of a day."""

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= self.shown

    def lists(self, share: DayShare) -> bool:
        """Return whether lines of a day have to be listed."""
        return not self.is_full and self.booked + share.number > self.skip

    def book_day(self, share: DayShare) -> None:
        """Add a day, or what is left of it, without its lines."""
        if share.number <= 0:
            return
        before = self._advance(share.day, share.number)
        self.total += share.amount
        if self.booked <= self.skip:
            self.skipped += share.amount
        else:
            self._omit(before, share)

    def _book(self, line: AccountLine) -> None:
        before = self._advance(line.day, 1)
        self.total += line.amount
        if self.booked <= self.skip:
            self.skipped += line.amount
        elif not self.is_full:
            self.lines.append(line)
        else:
            self._omit(before, DayShare(line.day, 1, line.amount))

    def _advance(self, day: date, number: int) -> int:
        """Count lines of a day; return how many of that day came before them. The lines of a day come together."""
        before = self.booked_on.get(day, 0)
        self.booked_on = {day: before + number}
        self.booked += number
        return before

    def _omit(self, before: int, share: DayShare) -> None:
        self.omitted += share.number
        _, skip, number, amount = self.rest.get(share.day, RestOfDay(share.day, before, 0, 0))
        self.rest[share.day] = RestOfDay(share.day, skip, number + share.number, amount + share.amount)


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
        self.crossed.clear()
