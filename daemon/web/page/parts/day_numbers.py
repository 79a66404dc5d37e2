"""The numbers of a day: each with its explanation, and what was first reported of an amended row."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from daemon.web.page import addresses
from daemon.web.page.parts import why
from rules.revenue.day_sums import MRR_KINDS
from rules.rows import number_names, number_values
from rules.settings import italian

FIELDS = (
    *("mrr", "arr", "total_customers", "paying_customers", "subscribers", "active_licenses", "arpa"),
    *("new_customers", "churned_customers", "reactivated_customers", "one_time_revenue"),
    *(f"mrr_movements.{kind}.amount" for kind in MRR_KINDS),
)
"""Without rates: a percentage alone, without its fraction, is not shown."""


class DayNumber(NamedTuple):
    """One number; `reported` is its first version, "" where that is the same."""

    name: str
    value: str
    address: str
    reported: str


def numbers(
    row: Mapping[str, Any], day: date, titles: Mapping[str, str], *, is_explained: bool, line: int | None
) -> Iterator[DayNumber]:
    """Yield the numbers that a row has, those of plans last; `line` is the ledger line of an open day.

    `titles` are the names of plans by key.
    """
    first = row.get("first_reported")
    plans = row.get("revenue_by_plan")
    parts = [f"revenue_by_plan.{plan}" for plan in plans if plan] if isinstance(plans, Mapping) else []
    for field in (*FIELDS, *(f"{plan}.revenue" for plan in parts), *(f"{plan}.count" for plan in parts)):
        value = number_values.value(row, field)
        if italian.number(value) is None:
            continue
        before = number_values.value(first, field) if isinstance(first, Mapping) else None
        is_other = italian.number(before) is not None and before != value
        yield DayNumber(
            why.field_name(field, titles),
            why.format_value(field, value),
            addresses.why(day, number_names.name_of(field), line=line) if is_explained else "",
            why.format_value(field, before) if is_other else "",
        )
