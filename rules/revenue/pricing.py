"""Prices of plans and their MRR, with the only rounding rule.

Prices are doubles in the database. They are converted to integer cents here, once, rounding half to even; all later
arithmetic uses integers.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from rules.model.changes import DocId, Fields, Plan
from rules.model.states import PlanState
from rules.text import MAX_NAME, one_line

MONTHS_PER_PERIOD = {
    **dict.fromkeys(("month", "monthly"), 1),
    **dict.fromkeys(("quarter", "quarterly"), 3),
    **dict.fromkeys(("half_year", "semiannual", "semiannually"), 6),
    **dict.fromkeys(("year", "yearly", "annual", "annually"), 12),
}
WEEKLY = ("week", "weekly")
WEEKS_PER_MONTH = Decimal(52) / Decimal(12)
MAX_CENTS = 10**12
"""Ten billion euros: a higher price is a typing error, and sums stay far below 2**63."""


class InvalidDocument(ValueError):
    """A source document that cannot be parsed; the message has the field, the requirement and the value."""


def cents(value: object, field: str = "price") -> int:
    """Return a price in the currency's main unit as integer cents.

    Raises InvalidDocument for anything but a number from 0 to MAX_CENTS / 100.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InvalidDocument(f"{field} must be a number, got {describe(value)}")
    try:
        amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        result = int((amount * 100).quantize(Decimal(1), ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError, OverflowError):
        raise InvalidDocument(f"{field} must be a finite amount, got {describe(value)}") from None
    if not 0 <= result <= MAX_CENTS:
        raise InvalidDocument(f"{field} must be between 0 and {MAX_CENTS // 100}, got {describe(value)}")
    return result


def per_month(price_cents: int, period: object) -> int:
    """Return a price per billing period (a word such as "yearly", or a number of months) as cents per month.

    MRR normalizes all subscriptions to a month; a month has 52/12 weeks. Each license counts in whole cents, so that
    sums over licenses and customers are exact. Raises InvalidDocument for other periods.
    """
    word = period.strip().lower() if isinstance(period, str) else None
    if word in WEEKLY:
        return round_half_even(Decimal(price_cents) * WEEKS_PER_MONTH)
    months = period if word is None else MONTHS_PER_PERIOD.get(word)
    if isinstance(months, float) and months.is_integer():
        months = int(months)
    if isinstance(months, bool) or not isinstance(months, int) or not 0 < months <= 1200:
        wanted = "week, month, quarter, half_year, year or a number of months"
        raise InvalidDocument(f"billing_period must be {wanted}, got {describe(period)}")
    return round_half_even(Decimal(price_cents) / months)


def read_plan(plan_id: DocId, fields: Fields, rates: Mapping[str, Decimal]) -> Plan:
    """Parse a plan document into a plan in EUR cents; raises InvalidDocument with the invalid field."""
    name = one_line(fields.get("name"), MAX_NAME)
    if not name:
        raise InvalidDocument(f"name must be a text, got {describe(fields.get('name'))}")
    price = in_euro(cents(fields.get("price")), fields.get("currency"), rates)
    is_lifetime = read_flag(fields.get("is_lifetime"), "is_lifetime") or name.lower() == "founders"
    period = fields.get("billing_period")
    monthly = 0 if is_lifetime else per_month(price, "month" if period is None else period)
    return Plan(
        id=plan_id,
        name=name,
        title=one_line(fields.get("display_name"), MAX_NAME) or name.capitalize(),
        price_cents=price,
        mrr_cents=monthly,
        is_lifetime=is_lifetime,
        limit=read_limit(fields.get("lifetime_limit")),
    )


def is_unchanged_by_rates(state: PlanState, rates: Mapping[str, Decimal]) -> bool:
    """Return whether parsing a plan with these rates gives the same plan, or is still impossible."""
    if not state.present:
        return True
    try:
        plan = read_plan(state.id, state.fields, rates)
    except InvalidDocument:
        return state.held is not None
    return state.held is None and plan == state.plan


def in_euro(amount_cents: int, currency: object, rates: Mapping[str, Decimal]) -> int:
    """Return an amount converted to EUR cents by the configured rate; raises InvalidDocument without a rate."""
    code = currency.strip().upper() if isinstance(currency, str) else currency
    if code is None or code == "EUR":
        return amount_cents
    rate = rates.get(code) if isinstance(code, str) else None
    if rate is None:
        raise InvalidDocument(f"currency must be EUR or one with a configured rate, got {describe(currency)}")
    return round_half_even(Decimal(amount_cents) * rate)


def read_flag(value: object, field: str) -> bool:
    """Parse a boolean field: a missing one is False; some shells write 1 and 0. Raises InvalidDocument."""
    if value is None or (isinstance(value, bool | int | float) and value in (0, 1)):
        return bool(value)
    raise InvalidDocument(f"{field} must be true or false, got {describe(value)}")


def read_limit(value: object) -> int | None:
    """Return the maximum number of licenses of a plan; anything but a positive number means no limit."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        return None
    return int(value)


def round_half_even(amount: Decimal) -> int:
    """Round to an integer (cents), half to even."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))


def describe(value: Any) -> str:
    """Return the type and at most 60 characters of a value, for error messages."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
