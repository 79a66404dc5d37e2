"""Ids of facts."""

from datetime import date

from rules.model.facts import row_fact_id

DAY = date(2026, 11, 21)


def test_the_id_of_a_row_has_its_period_its_revision_and_a_hash_of_its_numbers() -> None:
    period, _, digest = row_fact_id(DAY, 0, {"mrr": 1}).partition(".")

    assert period == "day-2026-11-21"
    assert row_fact_id(DAY, 2, {"mrr": 1}) == f"day-2026-11-21.r2.{digest}"
    assert row_fact_id(DAY, 0, {"mrr": 1}, month=True) == f"month-2026-11.{digest}"
    assert row_fact_id(DAY, 0, {"mrr": 2}) != row_fact_id(DAY, 0, {"mrr": 1})


def test_the_order_of_the_numbers_does_not_matter() -> None:
    assert row_fact_id(DAY, 0, {"a": 1, "b": 2}) == row_fact_id(DAY, 0, {"b": 2, "a": 1})
