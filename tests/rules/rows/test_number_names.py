"""Every number of a row has one name for the page and the API, and the name leads back to it."""

import pytest

from rules.revenue.day_sums import MRR_KINDS
from rules.rows.number_names import FIELDS, field_of, name_of
from rules.rows.number_values import NAMES

PARTED = ("mrr_movements", "revenue_by_plan")
FIELDS_OF_ROWS = [
    *(name for name in NAMES if name not in PARTED),
    *(f"mrr_movements.{kind}.{measure}" for kind in (*MRR_KINDS, "opening") for measure in ("count", "amount")),
    *("revenue_by_plan.pro.revenue", "revenue_by_plan.pro.count", "revenue_by_plan.Founders Deal.revenue"),
]


@pytest.mark.parametrize("field", FIELDS_OF_ROWS)
def test_each_number_of_a_row_has_a_name_that_leads_back_to_it(field: str) -> None:
    assert field_of(name_of(field)) == field


@pytest.mark.parametrize("number", [*FIELDS, "movimenti.nuovo", "movimenti.abbandono.numero", "piano.pro"])
def test_each_name_stands_for_one_field(number: str) -> None:
    assert name_of(field_of(number) or "") == number


@pytest.mark.parametrize("number", ["", "MRR", "total_customers", "movimenti", "movimenti.churn", "piano.", "altro.x"])
def test_an_unknown_name_stands_for_nothing(number: str) -> None:
    assert field_of(number) is None
