"""Where a number of a row comes from: for each field the accounts behind it, and the movements that add up to them.

A field is one account, or a formula over some. What the accounts come to is computed from the movements alone, a second
time and another way than the row was: `explain` says so where the two disagree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rules import business_days
from rules.model.changes import DocId
from rules.model.ledger import Movement, MovementKind, Totals
from rules.revenue import day_sums, movements, rates
from rules.revenue.day_sums import MRR_KINDS
from rules.rows.accounts import Account, CrossingAccount, Share, Unit
from rules.rows.periods import Period
from rules.rows.row import NUMBERS

Plans = Mapping[DocId, str]
"""What each plan is called in the period's row."""
Number = float | int | None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one field: its accounts, and how their totals make the number (in the row's own terms)."""

    field: str
    formula: str
    accounts: Sequence[Account]
    result: Callable[[Sequence[int]], Number]

    @property
    def answer(self) -> Number:
        return self.result([account.total for account in self.accounts])


BALANCES: Mapping[str, tuple[str, Unit]] = {
    "total_customers": ("customers", Unit.COUNT),
    "paying_customers": ("paying_customers", Unit.COUNT),
    "subscribers": ("subscribers", Unit.COUNT),
    "active_licenses": ("active_licenses", Unit.COUNT),
    "mrr": ("mrr_cents", Unit.CENTS),
}


def questions(name: str, period: Period, plans: Plans, shown: int) -> Iterator[Question]:
    """The questions a field's name asks: one, or one for each part of a field that has parts; none if it is none."""
    if name in ("revenue_by_plan", "mrr_movements"):
        parts = MRR_KINDS if name == "mrr_movements" else sorted(set(plans.values()))
        for part in parts:
            yield from questions(f"{name}.{part}", period, plans, shown)
        return
    asked = _Asked(period, plans, shown)
    found = asked.balance(name) or asked.sum(name) or asked.ratio(name) or asked.part(name)
    if found is not None:
        yield found


@dataclass(frozen=True, slots=True)
class _Asked:
    """Everything that may be asked about one period."""

    period: Period
    plans: Plans
    shown: int

    # -- numbers that are one account -----------------------------------------------------------------------

    def balance(self, name: str) -> Question | None:
        if name in BALANCES:
            account = self._balance(name, *BALANCES[name])
            return Question(name, "", [account], _plain(account.unit))
        if name == "arr":
            return Question(
                name, "MRR x 12", [self._balance("mrr", "mrr_cents", Unit.CENTS)], lambda n: n[0] * 12 / 100
            )
        return None

    def sum(self, name: str) -> Question | None:
        if name == "new_customers":
            account = self._sum(name, Unit.COUNT, lambda m: _own(m) and int(day_sums.is_new_customer(m)))
        elif name == "one_time_revenue":
            account = self._sum(name, Unit.CENTS, lambda m: _own(m) and m.one_time_cents)
        elif name in BESIDE:
            account = self._sum(name, Unit.COUNT, getattr(day_sums, name))
        elif name == "churned_customers":
            account = self._churned(self.period.first)
        elif name == "reactivated_customers":
            account = self._crossings(name, self.period.first, lambda net, first: net > 0 and not first)
        else:
            return None
        return Question(name, "", [account], _plain(account.unit))

    def part(self, name: str) -> Question | None:
        """A part of a field with parts, such as `mrr_movements.churn.count` or `revenue_by_plan.pro`."""
        whole, _, rest = name.partition(".")
        part, measure = _measured(rest, "amount" if whole == "mrr_movements" else "revenue")
        if whole == "mrr_movements" and part in {kind.value for kind in (*MRR_KINDS, MovementKind.OPENING)}:
            unit = Unit.COUNT if measure == "count" else Unit.CENTS
            return self._one(name, self._sum(name, unit, _of_kind(MovementKind(part), measure)))
        ids = {plan_id for plan_id, name in self.plans.items() if name == part}
        if whole == "revenue_by_plan" and ids:
            return self._one(name, self._plan(name, ids, measure))
        return None

    # -- numbers made of several ----------------------------------------------------------------------------

    def ratio(self, name: str) -> Question | None:
        if name == "arpa":
            accounts = [self._balance(of, *BALANCES[of]) for of in ("mrr", "subscribers")]
            return Question(name, "MRR / subscribers", accounts, lambda n: rates.arpa(n[0], n[1]))
        if name == "customer_churn_rate":
            accounts = [self._churned(self.period.rates_from), self._state("subscribers")]
            return Question(name, "churned customers / subscribers at the start", accounts, _share)
        if name == "revenue_churn_rate":
            accounts = [self._moved("MRR lost", LOST), self._state("mrr")]
            return Question(name, "MRR lost / MRR at the start", accounts, _share)
        if name == "net_revenue_retention":
            accounts = [self._state("mrr"), self._moved("MRR won back", REGAINED), self._moved("MRR lost", LOST)]
            formula = "(MRR at the start + MRR won back - MRR lost) / MRR at the start"
            return Question(name, formula, accounts, lambda n: _share((n[0] + n[1] - n[2], n[0])))
        if name == "quick_ratio":
            accounts = [self._moved("MRR won", WON), self._moved("MRR lost", LOST)]
            return Question(name, "MRR won / MRR lost", accounts, _share)
        return None

    # -- accounts -------------------------------------------------------------------------------------------

    def _one(self, name: str, account: Account) -> Question:
        return Question(name, "", [account], _plain(account.unit))

    def _balance(self, name: str, of: str, unit: Unit) -> Account:
        """What stood before the period, and what each movement added."""
        return Account(
            name,
            unit,
            self.period.first,
            self.period.last,
            lambda movement: int(getattr(movement, of)),
            lambda totals: int(getattr(totals, of)),
            self.shown,
        )

    def _state(self, name: str) -> Account:
        """A balance as the rates' time began."""
        of, unit = BALANCES[name]
        first = self.period.rates_from
        return Account(
            f"{name} at the start",
            unit,
            first,
            first - business_days.ONE_DAY,
            lambda _: 0,
            lambda totals: int(getattr(totals, of)),
            self.shown,
        )

    def _sum(self, name: str, unit: Unit, share: Share, first: date | None = None) -> Account:
        return Account(name, unit, first or self.period.first, self.period.last, share, shown=self.shown)

    def _moved(self, name: str, kinds: Mapping[MovementKind, int]) -> Account:
        """MRR that movements of some kinds moved over the rates' time, each with the sign it counts with."""
        return self._sum(name, Unit.CENTS, lambda m: kinds.get(m.kind, 0) * m.mrr_cents, self.period.rates_from)

    def _churned(self, first: date) -> Account:
        return self._crossings("churned_customers", first, lambda net, _: net < 0)

    def _crossings(self, name: str, first: date, counts: Callable[[int, bool], bool]) -> Account:
        return CrossingAccount(name, Unit.COUNT, first, self.period.last, lambda _: 0, shown=self.shown, counts=counts)

    def _plan(self, name: str, ids: set[DocId], measure: str) -> Account:
        def of(totals: Totals) -> int:
            lines = [line for plan_id, line in totals.by_plan.items() if plan_id in ids]
            return sum(line.active if measure == "count" else line.mrr_cents + line.one_time_cents for line in lines)

        def share(movement: Movement) -> int:
            alone = Totals()
            movements.add(alone, movement)
            return of(alone)

        unit = Unit.COUNT if measure == "count" else Unit.CENTS
        return Account(name, unit, self.period.first, self.period.last, share, of, self.shown)


LOST = {MovementKind.CHURN: -1, MovementKind.CONTRACTION: -1}
REGAINED = {MovementKind.EXPANSION: 1, MovementKind.REACTIVATION: 1}
WON = {MovementKind.NEW: 1, **REGAINED}


BESIDE = ("sales", "cancellations")
"""Sums that a month's note tells and no field of the row holds."""
NAMES = (*NUMBERS, *BESIDE)


def value(row: Mapping[str, Any], name: str) -> Any:
    """What a row says of a field or a part of one; None where it says nothing."""
    whole, _, rest = name.partition(".")
    if not rest:
        return row.get(whole)
    usual = "amount" if whole == "mrr_movements" else "revenue"
    part, measure = _measured(rest, usual)
    found = row.get(whole)
    return found.get(part, {}).get(measure) if isinstance(found, Mapping) else None


def looks_back(name: str) -> bool:
    """Whether a field is a rate, which has no value where it would look back behind the ledger's beginning."""
    return name in rates.Rates._fields


def _own(movement: Movement) -> bool:
    return movement.kind is not MovementKind.OPENING


def _of_kind(kind: MovementKind, measure: str) -> Share:
    if measure == "count":
        return lambda movement: movement.count if movement.kind is kind else 0
    return lambda movement: movement.mrr_cents if movement.kind is kind else 0


def _measured(rest: str, usual: str) -> tuple[str, str]:
    """A part's name and what of it is meant, the number or the money; plan names hold no dot."""
    part, dot, measure = rest.rpartition(".")
    return (part, measure) if dot and measure in ("count", usual) else (rest, usual)


def _plain(unit: Unit) -> Callable[[Sequence[int]], Number]:
    return (lambda numbers: numbers[0]) if unit is Unit.COUNT else (lambda numbers: numbers[0] / 100)


def _share(numbers: Sequence[int]) -> Number:
    return round(numbers[0] / numbers[1], rates.PLACES) if numbers[1] > 0 else None
