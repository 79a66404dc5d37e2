"""Rates: the worked examples of their definitions, and None for undefined ones."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rules.model.ledger import MovementKind
from rules.revenue import rates
from rules.revenue.day_sums import DaySums, KindSum
from rules.revenue.rates import Rates, Start

AMOUNTS = st.integers(0, 10**9)


def sums(new: int = 0, expansion: int = 0, contraction: int = 0, churn: int = 0, reactivation: int = 0) -> DaySums:
    """Return sums with these amounts in cents; all arguments are positive."""
    amounts = {
        MovementKind.NEW: new,
        MovementKind.EXPANSION: expansion,
        MovementKind.CONTRACTION: -contraction,
        MovementKind.CHURN: -churn,
        MovementKind.REACTIVATION: reactivation,
    }
    return DaySums(by_kind={kind: KindSum(1, cents) for kind, cents in amounts.items() if cents})


def test_chartmoguls_example_of_average_revenue_per_account() -> None:
    assert rates.arpa(100_00 + 100_00 + 300_00 + 500_00 + 500_00, 5) == 300.0


def test_chartmoguls_example_of_mrr_churn_gross_and_net() -> None:
    """$100 at the start, $10 churn, $10 contraction, $10 expansion: 20 % gross, 10 % net."""
    lost = sums(churn=10_00, contraction=10_00, expansion=10_00, new=77_00)

    assert rates.revenue_churn_rate(Start(9, 100_00), lost) == 0.2
    assert rates.net_revenue_retention(Start(9, 100_00), lost) == 0.9


def test_reactivation_counts_for_retention_and_new_business_does_not() -> None:
    assert rates.net_revenue_retention(Start(1, 100_00), sums(reactivation=5_00, new=50_00)) == 1.05


def test_customer_churn_is_relative_to_the_customers_at_the_start() -> None:
    assert rates.customer_churn_rate(Start(8, 1), DaySums(churned_customers=1)) == 0.125
    assert rates.customer_churn_rate(Start(3, 1), DaySums(churned_customers=1)) == 0.333333


def test_the_quick_ratio_is_mrr_won_over_mrr_lost() -> None:
    assert rates.quick_ratio(sums(new=20_00, expansion=7_00, reactivation=1_00, churn=5_00, contraction=2_00)) == 4.0


def test_undefined_rates_are_none() -> None:
    assert rates.arpa(0, 0) is None
    assert rates.of(Start(0, 0), sums(new=10)) == Rates(None, None, None, None)
    assert rates.quick_ratio(sums(churn=10)) == 0.0, "no MRR won gives 0, no MRR lost gives None"


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 1000))
def test_retention_and_gross_churn_agree_and_all_rates_are_finite(
    start: int, expansion: int, contraction: int, churn: int, reactivation: int, subscribers: int
) -> None:
    found = rates.of(
        Start(subscribers, start),
        sums(expansion=expansion, contraction=contraction, churn=churn, reactivation=reactivation),
    )

    assert all(rate is None or abs(rate) < 10**15 for rate in found)
    if expansion == reactivation == 0 and found.revenue_churn_rate is not None:
        assert found.net_revenue_retention is not None
        assert abs(found.net_revenue_retention + found.revenue_churn_rate - 1) < 2e-6


def test_the_rates_of_a_period_are_its_four_rates_in_order() -> None:
    start, lost = Start(10, 100_00), replace(sums(churn=10_00, expansion=5_00, new=25_00), churned_customers=1)

    assert rates.of(start, lost) == Rates(
        customer_churn_rate=0.1, revenue_churn_rate=0.1, net_revenue_retention=0.95, quick_ratio=3.0
    )


def test_one_subscriber_and_one_cent_are_enough_for_a_rate() -> None:
    assert rates.of(Start(1, 1), DaySums()) == Rates(0.0, 0.0, 1.0, None)
