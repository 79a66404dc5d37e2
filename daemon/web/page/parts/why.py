"""An explained number as the page shows it: formula, lines with links, sum and verdict."""

from collections.abc import Mapping
from datetime import date, tzinfo
from typing import Any, NamedTuple

from daemon.diagnostics.explanation import Asked, NumberSource
from daemon.mongo.id_text import shown_id
from daemon.web.page import addresses, texts, why_texts
from rules import business_days
from rules.model.changes import DocId
from rules.model.ledger import Movement
from rules.revenue import rates
from rules.rows import number_names
from rules.rows.accounts import Account, RestOfDay, Unit
from rules.rows.number_values import MRR_SUMS
from rules.settings import italian

PERCENTS = ("customer_churn_rate", "revenue_churn_rate", "net_revenue_retention", "gross_revenue_retention")
MONEY = ("mrr", "arr", "one_time_revenue", "arpa", *MRR_SUMS)

Names = tuple[Mapping[DocId, str], Mapping[DocId, str]]
"""The names of customers and of plans, by id."""
NO_TITLES: Mapping[str, str] = {}


class WhyLine(NamedTuple):
    """One line of an account; `address` leads to what is behind it, "" if nothing is."""

    when: str
    what: str
    who: str
    who_address: str
    plan: str
    amount: str
    address: str = ""


class WhyAccount(NamedTuple):
    """One account with its lines; `start` is None for a sum that starts at zero."""

    name: str
    number: str
    start: WhyLine | None
    lines: list[WhyLine]
    total: str


class Verdict(NamedTuple):
    """Whether the numbers are equal: `text`, why, and the command that shows more, "" if they are."""

    holds: bool
    text: str
    why: str
    command: str = ""


class WhyView:
    """Formats one number for readers. `names` are customers and plans by id, `titles` plans by their key in rows."""

    def __init__(
        self,
        source: NumberSource,
        asked: Asked,
        names: Names,
        zone: tzinfo,
        first_day: date,
        titles: Mapping[str, str],
    ) -> None:
        self.source = source
        self.asked = asked
        self.customers, self.plans = names
        self.zone = zone
        self.first_day = first_day
        self.titles = titles

    # -- the number -----------------------------------------------------------------------------------------

    def value(self, number: Any) -> str:
        """Return a value of the number; a rate of few subscribers as its fraction."""
        field = self.source.question.field
        if field in PERCENTS and number is not None and self.is_small():
            return self.fraction()
        return format_value(field, number)

    def fraction(self) -> str:
        """Return numerator and denominator of a rate; "" for any other number, and for an unknown one."""
        fraction, accounts = self.source.question.fraction, self.source.question.accounts
        if fraction is None or self.source.unknown:
            return ""
        part, whole = _plain(fraction[0], accounts[0].unit), _plain(fraction[1], accounts[-1].unit)
        return why_texts.PART_OF.format(part=part, whole=whole)

    def is_small(self) -> bool:
        subscribers = self.source.subscribers
        return subscribers is not None and subscribers < rates.MIN_SUBSCRIBERS

    def reason(self) -> str:
        """Return why a rate has no value, or none as a percentage; "" otherwise."""
        field = self.source.question.field
        if self.source.unknown:
            return why_texts.TOO_EARLY_FOR_RATE
        if field in PERCENTS and self.source.computed is not None:
            return why_texts.TOO_FEW if self.is_small() else ""
        if self.source.question.fraction is None or self.source.computed is not None:
            return ""
        if field == "quick_ratio":
            return why_texts.NOTHING_LOST
        return why_texts.NO_SUBSCRIBERS if field in ("arpa", "customer_churn_rate") else why_texts.NO_MRR

    def verdict(self) -> Verdict:
        if self.source.adds_up and self.source.matches:
            return Verdict(
                True, why_texts.HOLDS, why_texts.HOLDS_WHY if self.source.is_stored else why_texts.HOLDS_ALONE
            )
        command = why_texts.FAILS_LIVE_COMMAND if self.asked.is_live else why_texts.FAILS_COMMAND
        stored = self.source.computed if self.source.matches else self.source.stored
        shown = italian.DASH if italian.number(stored) is None else self.value(stored)
        why = why_texts.FAILS_WHY.format(stored=shown, made=self.value(self.source.question.answer))
        return Verdict(False, why_texts.FAILS, why, command)

    # -- its accounts ---------------------------------------------------------------------------------------

    def accounts(self) -> list[WhyAccount]:
        if self.source.unknown:
            return []
        return [self._account(account) for account in self.source.question.accounts]

    def _account(self, account: Account) -> WhyAccount:
        lines = [self._skipped(account)] if account.skipped else []
        lines += [self._line(line.movement, line.amount, account) for line in account.lines]
        lines += [self._rest(rest, account) for rest in account.rest.values()]
        start = self._start(account) if account.carried is not None else None
        return WhyAccount(
            name_of(account, self.titles), account.number, start, lines, _plain(account.total, account.unit)
        )

    def _start(self, account: Account) -> WhyLine:
        yesterday = account.first - business_days.ONE_DAY
        number = account.number or account.name.partition(" ")[0]
        address = addresses.why(yesterday, number_names.name_of(number)) if yesterday >= self.first_day else ""
        began = why_texts.BEGAN.format(day=texts.long_day(account.first))
        return WhyLine("", began, "", "", "", _plain(account.before, account.unit), address)

    def _skipped(self, account: Account) -> WhyLine:
        address = addresses.why(account.first, number_names.name_of(account.number), line=self.asked.line)
        return WhyLine("", why_texts.SKIPPED, "", "", "", _signed(account.skipped, account.unit), address)

    def _rest(self, rest: RestOfDay, account: Account) -> WhyLine:
        number = number_names.name_of(account.number)
        address = addresses.why(rest.day, number, line=self.asked.line, skip=rest.skip)
        text = why_texts.REST[rest.number > 1]
        what = text.format(day=texts.long_day(rest.day), count=italian.integer(rest.number))
        return WhyLine("", what, "", "", "", _signed(rest.amount, account.unit), address)

    def _line(self, movement: Movement, amount: int, account: Account) -> WhyLine:
        return movement_line(movement, _signed(amount, account.unit), (self.customers, self.plans), self.zone)


def movement_line(movement: Movement, amount: str, names: Names, zone: tzinfo) -> WhyLine:
    who, (customers, plans) = movement.customer_id, names
    values = [value.plan_id for value in (movement.before, movement.after) if value is not None]
    plan_ids = values or ([] if movement.plan_id is None else [movement.plan_id])
    return WhyLine(
        f"{movement.at.astimezone(zone):%d/%m/%Y %H:%M}",
        f"{why_texts.KINDS[movement.kind]}: {why_texts.REASONS[movement.reason]}",
        "" if who is None else customers.get(who) or why_texts.UNNAMED,
        "" if who is None else addresses.customer(who) if who in customers else addresses.events(cliente=shown_id(who)),
        " → ".join(dict.fromkeys(plans.get(plan_id, texts.PLAN_UNKNOWN) for plan_id in plan_ids)),
        amount,
    )


def format_value(field: str, number: Any) -> str:
    """Return the value of a field, or of a part of one, as readers write it; a dash if it is not a number."""
    if field in PERCENTS:
        return italian.percent(number)
    if field == "quick_ratio":
        return italian.decimal(number)
    is_money = field in MONEY or ("." in field and not field.endswith(".count"))
    return italian.euro(number) if is_money else italian.integer(number)


def name_of(account: Account, titles: Mapping[str, str] = NO_TITLES) -> str:
    known = why_texts.NAMES.get(account.number) or why_texts.NAMES.get(account.name)
    return known or field_name(account.name, titles)


def field_name(field: str, titles: Mapping[str, str] = NO_TITLES) -> str:
    """Return the Italian name of a field or of a part of one; `titles` are the names of plans by key."""
    whole, _, part = field.partition(".")
    if whole == "mrr_movements":
        kind, _, measure = part.partition(".")
        text = why_texts.NUMBER_OF_MOVEMENTS if measure == "count" else why_texts.MOVEMENTS_OF
        return text.format(kind=next(name.lower() for one, name in why_texts.KINDS.items() if one.value == kind))
    if whole == "revenue_by_plan":
        key = part.removesuffix(".revenue").removesuffix(".count")
        plan = titles.get(key, key)
        return (why_texts.PLAN_LICENSES if part.endswith(".count") else why_texts.PLAN_REVENUE).format(plan=plan)
    return why_texts.NAMES[field]


def _plain(number: int, unit: Unit) -> str:
    return italian.cents(number) if unit is Unit.CENTS else italian.integer(number)


def _signed(number: int, unit: Unit) -> str:
    return italian.signed_cents(number) if unit is Unit.CENTS else italian.signed(number)
