"""The numbers of a final row that are announced to targets: integers, money in cents. Rates follow from them."""

from collections.abc import Mapping
from typing import Any

from rules.model.facts import Difference

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
    cents = {f"{name}_cents": round(row[name] * 100) for name in _MONEY if isinstance(row.get(name), int | float)}
    return {**cents, **{name: row[name] for name in _COUNTS if isinstance(row.get(name), int)}}


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[Difference, ...]:
    """Return the numbers that differ; one that only one of the two has is None in the other."""
    names = dict.fromkeys((*after, *before))
    return tuple(
        Difference(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )
