"""The numbers of a final row that are announced to targets: integers, money in cents. Rates follow from them."""

from collections.abc import Mapping
from typing import Any

from rules.model.facts import Difference
from rules.settings import catalog

_COUNTS = (
    "total_customers",
    "paying_customers",
    "subscribers",
    "active_licenses",
    "new_customers",
    "churned_customers",
    "reactivated_customers",
)
_MONEY = ("mrr", "one_time_revenue")


def numbers(row: Mapping[str, Any]) -> dict[str, int]:
    """Return the announced numbers that a row has."""
    money = {f"{name}_cents": catalog.cents(row.get(name)) for name in _MONEY}
    known = {name: cents for name, cents in money.items() if cents is not None}
    return {**known, **{name: row[name] for name in _COUNTS if isinstance(row.get(name), int)}}


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[Difference, ...]:
    """Return the numbers that differ; one that only one of the two has is None in the other."""
    names = dict.fromkeys((*after, *before))
    return tuple(
        Difference(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )
