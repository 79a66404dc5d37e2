"""Provenance of a row's numbers: the accounts of each field and the movements that add up to them.

A field is one account or a formula over several. The accounts are computed only from the movements, independently of
the row: `explain` reports any difference between the two.
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
"""The name of each plan in the period's row, by plan id."""
Number = float | int | None


@dataclass(frozen=True, slots=True)
class Question:
    """The derivation of one field: its accounts and the function that combines their totals.

    `formula` is the function in words, "" for a single account. `answer` has the units of the row (money in euros).
    """

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
    """Yield the question of a field, one question per part for a field with parts, none for an unknown name."""
    if name in ("revenue_by_plan", "mrr_movements"):
        parts = MRR_KINDS if name == "mrr_movements" else sorted(set(plans.values()))
        for part in parts:
            yield from questions(f"{name}.{part}", period, plans, shown)
        return
    factory = _QuestionFactory(period, plans, shown)
    found = factory.balance(name) or factory.sum(name) or factory.ratio(name) or factory.part(name)
    if found is not None:
        yield found


@dataclass(frozen=True, slots=True)
class _QuestionFactory:
    """Builds the questions about one period; each method returns None for a name that is not its own."""

    period: Period
    plans: Plans
    shown: int

    # -- numbers with one account ---------------------------------------------------------------------------

    def balance(self, name: str) -> Question | None:
        if name in BALANCES:
            account = self._balance_account(name, *BALANCES[name])
            return Question(name, "", [account], _as_number(account.unit))
        if name == "arr":
            return Question(
                name, "MRR x 12", [self._balance_account("mrr", "mrr_cents", Unit.CENTS)], lambda n: n[0] * 12 / 100
            )
        return None

    def sum(self, name: str) -> Question | None:
        if name == "new_customers":
            account = self._sum_account(
                name, Unit.COUNT, lambda m: _is_not_opening(m) and int(day_sums.is_new_customer(m))
            )
        elif name == "one_time_revenue":
            account = self._sum_account(name, Unit.CENTS, lambda m: _is_not_opening(m) and m.one_time_cents)
        elif name in NOTE_SUMS:
            account = self._sum_account(name, Unit.COUNT, getattr(day_sums, name))
        elif name == "churned_customers":
            account = self._churned_account(self.period.first)
        elif name == "reactivated_customers":
            account = self._crossing_account(name, self.period.first, lambda net, first: net > 0 and not first)
        else:
            return None
        return Question(name, "", [account], _as_number(account.unit))

    def part(self, name: str) -> Question | None:
        """Return the question of a part such as `mrr_movements.churn.count` or `revenue_by_plan.pro`."""
        whole, _, rest = name.partition(".")
        part, measure = _split_measure(rest, "amount" if whole == "mrr_movements" else "revenue")
        if whole == "mrr_movements" and part in {kind.value for kind in (*MRR_KINDS, MovementKind.OPENING)}:
            unit = Unit.COUNT if measure == "count" else Unit.CENTS
            return self._single_account(name, self._sum_account(name, unit, _of_kind(MovementKind(part), measure)))
        ids = {plan_id for plan_id, name in self.plans.items() if name == part}
        if whole == "revenue_by_plan" and ids:
            return self._single_account(name, self._plan_account(name, ids, measure))
        return None

    # -- numbers with several accounts ----------------------------------------------------------------------

    def ratio(self, name: str) -> Question | None:
        if name == "arpa":
            accounts = [self._balance_account(of, *BALANCES[of]) for of in ("mrr", "subscribers")]
            return Question(name, "MRR / subscribers", accounts, lambda n: rates.arpa(n[0], n[1]))
        if name == "customer_churn_rate":
            accounts = [self._churned_account(self.period.rates_from), self._start_balance("subscribers")]
            return Question(name, "churned customers / subscribers at the start", accounts, _ratio)
        if name == "revenue_churn_rate":
            accounts = [self._mrr_account("MRR lost", LOST), self._start_balance("mrr")]
            return Question(name, "MRR lost / MRR at the start", accounts, _ratio)
        if name == "net_revenue_retention":
            accounts = [
                self._start_balance("mrr"),
                self._mrr_account("MRR won back", REGAINED),
                self._mrr_account("MRR lost", LOST),
            ]
            formula = "(MRR at the start + MRR won back - MRR lost) / MRR at the start"
            return Question(name, formula, accounts, lambda n: _ratio((n[0] + n[1] - n[2], n[0])))
        if name == "quick_ratio":
            accounts = [self._mrr_account("MRR won", WON), self._mrr_account("MRR lost", LOST)]
            return Question(name, "MRR won / MRR lost", accounts, _ratio)
        return None

    # -- accounts -------------------------------------------------------------------------------------------

    def _single_account(self, name: str, account: Account) -> Question:
        return Question(name, "", [account], _as_number(account.unit))

    def _balance_account(self, name: str, of: str, unit: Unit) -> Account:
        """Return the account of a balance: its value before the period and the amount of each movement."""
        return Account(
            name,
            unit,
            self.period.first,
            self.period.last,
            lambda movement: int(getattr(movement, of)),
            lambda totals: int(getattr(totals, of)),
            self.shown,
        )

    def _start_balance(self, name: str) -> Account:
        """Return the account of a balance at the start of the days that the rates cover; it has no movements."""
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

    def _sum_account(self, name: str, unit: Unit, share: Share, first: date | None = None) -> Account:
        return Account(name, unit, first or self.period.first, self.period.last, share, shown=self.shown)

    def _mrr_account(self, name: str, kinds: Mapping[MovementKind, int]) -> Account:
        """Return the account of the MRR moved over the days that the rates cover; `kinds` maps a kind to its sign."""
        return self._sum_account(name, Unit.CENTS, lambda m: kinds.get(m.kind, 0) * m.mrr_cents, self.period.rates_from)

    def _churned_account(self, first: date) -> Account:
        return self._crossing_account("churned_customers", first, lambda net, _: net < 0)

    def _crossing_account(self, name: str, first: date, counts: Callable[[int, bool], bool]) -> Account:
        return CrossingAccount(name, Unit.COUNT, first, self.period.last, lambda _: 0, shown=self.shown, counts=counts)

    def _plan_account(self, name: str, ids: set[DocId], measure: str) -> Account:
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


NOTE_SUMS = ("sales", "cancellations")
"""Sums that a month's note shows and no field of the row holds."""
NAMES = (*NUMBERS, *NOTE_SUMS)


def value(row: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field, or of a part of one, in a row; None if the row does not have it."""
    whole, _, rest = name.partition(".")
    if not rest:
        return row.get(whole)
    usual = "amount" if whole == "mrr_movements" else "revenue"
    part, measure = _split_measure(rest, usual)
    found = row.get(whole)
    return found.get(part, {}).get(measure) if isinstance(found, Mapping) else None


def is_rate(name: str) -> bool:
    """Return whether a field is a rate; a rate is None if it would need days before the ledger's start."""
    return name in rates.Rates._fields


def _is_not_opening(movement: Movement) -> bool:
    return movement.kind is not MovementKind.OPENING


def _of_kind(kind: MovementKind, measure: str) -> Share:
    if measure == "count":
        return lambda movement: movement.count if movement.kind is kind else 0
    return lambda movement: movement.mrr_cents if movement.kind is kind else 0


def _split_measure(rest: str, usual: str) -> tuple[str, str]:
    """Return the name of a part and the measure (the count or the money); plan names contain no dot."""
    part, dot, measure = rest.rpartition(".")
    return (part, measure) if dot and measure in ("count", usual) else (rest, usual)


def _as_number(unit: Unit) -> Callable[[Sequence[int]], Number]:
    return (lambda numbers: numbers[0]) if unit is Unit.COUNT else (lambda numbers: numbers[0] / 100)


def _ratio(numbers: Sequence[int]) -> Number:
    return round(numbers[0] / numbers[1], rates.PLACES) if numbers[1] > 0 else None
