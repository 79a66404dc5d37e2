"""What a plan costs and what it adds to MRR: the one rounding rule of the house.

Prices are doubles in the database. They become integer cents here, once, rounding half to even, and
everything after is integer arithmetic.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from rules.model.changes import DocId, Fields, Plan
from rules.model.states import PlanState
from rules.text import MAX_NAME, one_line

MONTHS_PER_PERIOD = {"month": 1, "year": 12}
WEEKS_PER_MONTH = Decimal(52) / Decimal(12)
MAX_CENTS = 10**12
"""Ten billion euros: a price above it is a typing error, and sums stay far from 2**63."""


class InvalidDocument(ValueError):
    """A source document that cannot be understood; the text names the field, its value and what was wanted."""


def cents(value: object, field: str = "price") -> int:
    """A price in the currency's main unit as integer cents; raises Unintelligible for anything doubtful."""
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
    """A price per billing period ("month", "year", "week" or a count of months) as cents per month.

    MRR normalises every subscription to a month; a week counts 52/12 times.
    """
    if period == "week":
        return round_half_even(Decimal(price_cents) * WEEKS_PER_MONTH)
    months = MONTHS_PER_PERIOD.get(period) if isinstance(period, str) else period
    if isinstance(months, float) and months.is_integer():
        months = int(months)
    if isinstance(months, bool) or not isinstance(months, int) or not 0 < months <= 1200:
        raise InvalidDocument(f"billing_period must be month, year, week or a number of months, got {describe(period)}")
    return round_half_even(Decimal(price_cents) / months)


def read_plan(plan_id: DocId, fields: Fields, rates: Mapping[str, Decimal]) -> Plan:
    """The plan a document describes, in EUR cents; raises Unintelligible naming the field at fault."""
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


def is_read_alike(state: PlanState, rates: Mapping[str, Decimal]) -> bool:
    """Whether a plan would be read by these rates as it was before, or as little as before."""
    if not state.present:
        return True
    try:
        return state.held is None and read_plan(state.id, state.fields, rates) == state.plan
    except InvalidDocument:
        return state.held is not None


def in_euro(amount_cents: int, currency: object, rates: Mapping[str, Decimal]) -> int:
    """An amount converted by the configured rate (EUR per unit); raises Unintelligible without one."""
    if currency is None or currency == "EUR":
        return amount_cents
    rate = rates.get(currency) if isinstance(currency, str) else None
    if rate is None:
        raise InvalidDocument(f"currency must be EUR or one with a configured rate, got {describe(currency)}")
    return round_half_even(Decimal(amount_cents) * rate)


def read_flag(value: object, field: str) -> bool:
    """Yes or no; a missing flag is no, and 1 and 0 are what some shells write for it."""
    if value is None or (isinstance(value, bool | int | float) and value in (0, 1)):
        return bool(value)
    raise InvalidDocument(f"{field} must be true or false, got {describe(value)}")


def read_limit(value: object) -> int | None:
    """How many licences of a plan may be sold; anything that is no positive count means no limit."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        return None
    return int(value)


def round_half_even(amount: Decimal) -> int:
    """The one rounding rule: to the cent, half to even."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))


def describe(value: Any) -> str:
    """A value for an error text: its type, and a bounded look at it."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
