from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.states import PlanState
from rules.revenue.pricing import (
    MAX_CENTS,
    InvalidDocument,
    cents,
    is_unchanged_by_rates,
    per_month,
    read_limit,
    read_plan,
)

RATES = {"USD": Decimal("0.9")}


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (7.99, 799),
        (29, 2900),
        (0, 0),
        (-0.0, 0),
        (0.125, 12),
        (0.135, 14),
        (2.675, 268),
        (1e-9, 0),
        (Decimal("19.99"), 1999),
        (Decimal("0.005"), 0),
        (Decimal("0.015"), 2),
    ],
)
def test_a_price_becomes_cents_once_rounding_half_to_even(price: Any, expected: int) -> None:
    assert cents(price) == expected


@pytest.mark.parametrize(
    "price",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        True,
        "7.99",
        None,
        [7.99],
        {},
        -0.01,
        1e300,
        10**400,
        MAX_CENTS,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_doubtful_price_is_refused_by_name(price: Any) -> None:
    with pytest.raises(InvalidDocument, match=r"^price must be"):
        cents(price)


@given(st.integers(0, 10**9))
def test_every_price_of_whole_cents_survives_being_a_double(amount: int) -> None:
    assert cents(amount / 100) == amount


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        *((word, 1200) for word in ("month", "monthly", " Monthly ")),
        *((word, 100) for word in ("year", "yearly", "annual", "ANNUALLY")),
        *((word, 400) for word in ("quarter", "quarterly")),
        *((word, 200) for word in ("half_year", "semiannual", "semiannually")),
        *((word, 5200) for word in ("week", "weekly")),
        *((12, 100), (3.0, 400), (7, 171), (1200, 1)),
    ],
)
def test_a_billing_period_is_normalized_to_a_month(period: Any, expected: int) -> None:
    assert per_month(1200, period) == expected


def test_a_month_of_a_yearly_price_rounds_half_to_even() -> None:
    assert [per_month(yearly, "year") for yearly in (6, 18, 30)] == [0, 2, 2]


@pytest.mark.parametrize("period", ["", "fortnightly", 0, -1, 1.5, True, 1201, float("nan"), float("inf"), [], {}])
def test_an_unknown_billing_period_is_refused(period: Any) -> None:
    with pytest.raises(InvalidDocument, match=r"^billing_period must be"):
        per_month(1200, period)


def test_a_plan_named_founders_is_a_lifetime_plan_regardless_of_its_flag() -> None:
    plan = read_plan(1, {"name": " Founders ", "price": 29.0, "is_lifetime": False, "lifetime_limit": 500}, {})

    assert (plan.is_lifetime, plan.mrr_cents, plan.price_cents, plan.limit) == (True, 0, 2900, 500)
    assert (plan.name, plan.title) == ("Founders", "Founders")


@pytest.mark.parametrize(("flag", "expected"), [(True, True), (1, True), (1.0, True), (False, False), (None, False)])
def test_a_lifetime_flag_may_be_written_as_a_number(flag: Any, expected: bool) -> None:
    assert read_plan(1, {"name": "p", "price": 1, "is_lifetime": flag}, {}).is_lifetime is expected


@pytest.mark.parametrize("flag", ["true", 2, [], float("nan")])
def test_a_doubtful_lifetime_flag_is_refused(flag: Any) -> None:
    with pytest.raises(InvalidDocument, match=r"^is_lifetime must be"):
        read_plan(1, {"name": "p", "price": 1, "is_lifetime": flag}, {})


@pytest.mark.parametrize("name", [None, "", "  ", 7, "\u202e\u200b"])
def test_a_plan_without_a_readable_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidDocument, match=r"^name must be"):
        read_plan(1, {"name": name, "price": 1}, {})


def test_a_plans_names_are_cleaned() -> None:
    plan = read_plan(1, {"name": "pro\n\u202e", "display_name": "Pro\r\nMAX", "price": 1}, {})

    assert (plan.name, plan.title) == ("pro", "Pro MAX")


def test_sixty_yearly_licenses_are_sixty_times_one_license_in_whole_cents() -> None:
    plan = read_plan(1, {"name": "pro", "price": 99.99, "billing_period": "year"}, {})

    assert 60 * plan.mrr_cents == 49980


@pytest.mark.parametrize("currency", ["EUR", "eur", " Eur ", None])
def test_the_code_of_a_currency_is_read_in_any_case(currency: Any) -> None:
    assert read_plan(1, {"name": "p", "price": 7.99, "currency": currency}, {}).price_cents == 799
    assert read_plan(1, {"name": "p", "price": 7.99, "currency": "usd"}, RATES).price_cents == 719


def test_another_currency_needs_a_rate() -> None:
    dollars = {"name": "p", "price": 7.99, "currency": "USD"}

    assert read_plan(1, dollars, RATES).price_cents == 719
    with pytest.raises(InvalidDocument, match=r"^currency must be"):
        read_plan(1, dollars, {})
    with pytest.raises(InvalidDocument, match=r"^currency must be"):
        read_plan(1, {**dollars, "currency": ["USD"]}, RATES)


@pytest.mark.parametrize("limit", [None, 0, -5, "500", True, float("nan"), float("inf"), [500]])
def test_a_limit_that_is_not_a_positive_number_is_no_limit(limit: Any) -> None:
    assert read_limit(limit) is None


def test_an_error_shows_only_the_beginning_of_a_long_value() -> None:
    with pytest.raises(InvalidDocument) as caught:
        cents("9" * 100_000)

    assert len(str(caught.value)) < 120


DOLLARS = {"name": "pro", "price": 10, "currency": "USD"}


def test_a_plan_in_another_currency_is_changed_by_another_rate_and_by_no_rate() -> None:
    state = PlanState("P", DOLLARS, read_plan("P", DOLLARS, RATES))

    assert is_unchanged_by_rates(state, RATES)
    assert not is_unchanged_by_rates(state, {"USD": Decimal("0.8")})
    assert not is_unchanged_by_rates(state, {})


def test_a_held_plan_is_changed_by_the_rate_that_it_waits_for() -> None:
    state = PlanState("P", DOLLARS, None, held="no rate for USD")

    assert is_unchanged_by_rates(state, {})
    assert not is_unchanged_by_rates(state, RATES)


def test_a_deleted_plan_is_changed_by_no_rate() -> None:
    assert is_unchanged_by_rates(PlanState("P", DOLLARS, None, present=False), RATES)
