"""Provenance of a row's numbers: the accounts of each field and the movements that add up to them.

A field is one account or a formula over several. The accounts are computed only from the movements, independently of
the row: `explain` reports any difference between the two.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rules import business_days
from rules.model.changes import DocId
from rules.model.ledger import MovementKind
from rules.revenue import rates
from rules.revenue.day_sums import MRR_KINDS
from rules.rows.accounts import Account, CrossingAccount, Unit
from rules.rows.number_values import GROSS_RETENTION, MRR_SUMS, NOTE_SUMS, Number, gross_retention, split_measure
from rules.rows.periods import Period
from rules.rows.shares import ACTIVITY, PlanShare, Share

Plans = Mapping[DocId, str]
"""The name of each plan in the period's row, by plan id."""


@dataclass(frozen=True, slots=True)
class Question:
    """The derivation of one field: its accounts and the function that combines their totals.

    `formula` is the function in words, "" for a single account. `answer` has the units of the row (money in euros).
    `parts` returns numerator and denominator of a rate.
    """

    field: str
    formula: str
    accounts: Sequence[Account]
    result: Callable[[Sequence[int]], Number]
    parts: Callable[[Sequence[int]], tuple[int, int]] | None = None

    @property
    def answer(self) -> Number:
        return self.result([account.total for account in self.accounts])

    @property
    def fraction(self) -> tuple[int, int] | None:
        """Numerator and denominator of a rate, in the units of its accounts; None for any other number."""
        return self.parts([account.total for account in self.accounts]) if self.parts else None


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
            return self._single_account(name, self._balance_account(name, *BALANCES[name]))
        if name == "arr":
            return Question(
                name, "MRR x 12", [self._balance_account("mrr", "mrr_cents", Unit.CENTS)], lambda n: n[0] * 12 / 100
            )
        return None

    def sum(self, name: str) -> Question | None:
        if name == "new_customers":
            account = self._sum_account(name, Unit.COUNT, Share(name, ACTIVITY))
        elif name == "one_time_revenue":
            account = self._sum_account(name, Unit.CENTS, Share("one_time_cents", ACTIVITY))
        elif name in NOTE_SUMS:
            account = self._sum_account(name, Unit.COUNT, Share(name))
        elif name == "churned_customers":
            account = self._churned_account(self.period.first)
        elif name == "reactivated_customers":
            account = self._crossing_account(name, self.period.first, lambda net, first: net > 0 and not first)
        elif name in MRR_SUMS:
            account = self._mrr_account(name, self.period.first)
        else:
            return None
        return Question(name, "", [account], _as_number(account.unit))

    def part(self, name: str) -> Question | None:
        """Return the question of a part such as `mrr_movements.churn.count` or `revenue_by_plan.pro`."""
        whole, _, rest = name.partition(".")
        part, measure = split_measure(rest, "amount" if whole == "mrr_movements" else "revenue")
        if whole == "mrr_movements" and part in {kind.value for kind in (*MRR_KINDS, MovementKind.OPENING)}:
            unit, of = (Unit.COUNT, "count") if measure == "count" else (Unit.CENTS, "mrr_cents")
            return self._single_account(name, self._sum_account(name, unit, Share(of, {MovementKind(part): 1})))
        ids = frozenset(plan_id for plan_id, name in self.plans.items() if name == part)
        if whole == "revenue_by_plan" and ids:
            return self._single_account(name, self._plan_account(name, ids, measure))
        return None

    # -- numbers with several accounts ----------------------------------------------------------------------

    def ratio(self, name: str) -> Question | None:
        if name == "arpa":
            accounts = [self._balance_account(of, *BALANCES[of]) for of in ("mrr", "subscribers")]
            return Question(name, "MRR / subscribers", accounts, lambda n: rates.arpa(n[0], n[1]), _first_two)
        if name == "customer_churn_rate":
            accounts = [self._churned_account(self.period.rates_from), self._start_balance("subscribers")]
            return Question(name, "churned customers / subscribers at the start", accounts, _ratio, _first_two)
        if name == "revenue_churn_rate":
            accounts = [self._mrr_account("mrr_lost"), self._start_balance("mrr")]
            return Question(name, "MRR lost / MRR at the start", accounts, _ratio, _first_two)
        if name == "quick_ratio":
            accounts = [self._mrr_account("mrr_won"), self._mrr_account("mrr_lost")]
            return Question(name, "MRR won / MRR lost", accounts, _ratio, _first_two)
        return self._retention(name)

    def _retention(self, name: str) -> Question | None:
        if name == "net_revenue_retention":
            accounts = [self._start_balance("mrr"), self._mrr_account("mrr_won_back"), self._mrr_account("mrr_lost")]
            formula = "(MRR at the start + MRR won back - MRR lost) / MRR at the start"
            return Question(name, formula, accounts, lambda n: _ratio(_kept(n)), _kept)
        if name == GROSS_RETENTION:
            accounts = [self._start_balance("mrr"), self._mrr_account("mrr_lost")]
            formula = "(MRR at the start - MRR lost) / MRR at the start"
            return Question(name, formula, accounts, _gross_retention, lambda n: (n[0] - n[1], n[0]))
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
            Share(of),
            lambda totals: int(getattr(totals, of)),
            self.shown,
            number=name,
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
            Share(of),
            lambda totals: int(getattr(totals, of)),
            self.shown,
            number=name,
        )

    def _sum_account(self, name: str, unit: Unit, share: Share, first: date | None = None) -> Account:
        return Account(name, unit, first or self.period.first, self.period.last, share, shown=self.shown, number=name)

    def _mrr_account(self, number: str, first: date | None = None) -> Account:
        """Return the account of the MRR moved over the days that the rates cover, or since `first`."""
        name, kinds = MRR_SUMS[number]
        account = self._sum_account(name, Unit.CENTS, Share("mrr_cents", kinds), first or self.period.rates_from)
        account.number = number
        return account

    def _churned_account(self, first: date) -> Account:
        return self._crossing_account("churned_customers", first, lambda net, _: net < 0)

    def _crossing_account(self, name: str, first: date, counts: Callable[[int, bool], bool]) -> Account:
        return CrossingAccount(
            name,
            Unit.COUNT,
            first,
            self.period.last,
            Share("subscribers", ACTIVITY),
            shown=self.shown,
            number=name,
            counts=counts,
        )

    def _plan_account(self, name: str, ids: frozenset[DocId], measure: str) -> Account:
        share = PlanShare(ids, counts=measure == "count")
        unit = Unit.COUNT if share.counts else Unit.CENTS
        return Account(name, unit, self.period.first, self.period.last, share, share.of, self.shown, number=name)


def _as_number(unit: Unit) -> Callable[[Sequence[int]], Number]:
    return (lambda numbers: numbers[0]) if unit is Unit.COUNT else (lambda numbers: numbers[0] / 100)


def _ratio(numbers: Sequence[int]) -> Number:
    return round(numbers[0] / numbers[1], rates.PLACES) if numbers[1] > 0 else None


def _first_two(numbers: Sequence[int]) -> tuple[int, int]:
    return numbers[0], numbers[1]


def _kept(numbers: Sequence[int]) -> tuple[int, int]:
    """Return MRR kept and MRR at the start, from MRR at the start, won back and lost."""
    return numbers[0] + numbers[1] - numbers[2], numbers[0]


def _gross_retention(numbers: Sequence[int]) -> Number:
    """Return 1 minus the revenue churn rate, from MRR at the start and MRR lost."""
    churn = _ratio((numbers[1], numbers[0]))
    return None if churn is None else gross_retention(churn)
