"""The announced numbers of a row that another program may have written."""

import math

import pytest

from rules.rows import announced


@pytest.mark.parametrize("impossible", [math.nan, math.inf, 1.797e308, 1e17, "7.99", True, None])
def test_an_impossible_amount_is_left_out(impossible: object) -> None:
    assert announced.numbers({"mrr": impossible, "total_customers": 1}) == {"total_customers": 1}
    assert announced.numbers({"mrr": 217.7, "one_time_revenue": 199}) == {
        "mrr_cents": 21770,
        "one_time_revenue_cents": 19900,
    }
