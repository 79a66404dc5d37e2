"""Values of numbers in a row by their name: fields, parts of fields, and numbers that follow from the stored ones."""

from collections.abc import Mapping
from typing import Any

from rules.model.ledger import MovementKind
from rules.revenue import rates
from rules.revenue.day_sums import DaySums
from rules.rows.row import NUMBERS

Number = float | int | None

LOST = {MovementKind.CHURN: -1, MovementKind.CONTRACTION: -1}
REGAINED = {MovementKind.EXPANSION: 1, MovementKind.REACTIVATION: 1}
WON = {MovementKind.NEW: 1, **REGAINED}
MRR_SUMS: Mapping[str, tuple[str, Mapping[MovementKind, int]]] = {
    "mrr_lost": ("MRR lost", LOST),
    "mrr_won_back": ("MRR won back", REGAINED),
    "mrr_won": ("MRR won", WON),
}
"""Sums of movements that rates are made of; no field of the row holds them."""
BALANCES = (
    *("mrr", "arr", "arpa", "total_customers", "paying_customers", "subscribers", "active_licenses"),
    "revenue_by_plan",
)
GROSS_RETENTION = "gross_revenue_retention"
"""1 - revenue churn rate; no field of the row holds it."""

NOTE_SUMS = ("sales", "cancellations")
"""Sums that a month's note shows and no field of the row holds."""
NAMES = (*NUMBERS, *NOTE_SUMS)


def unstored_numbers(sums: DaySums) -> dict[str, Number]:
    """Return the sums of a period that no field of the row holds."""
    mrr = {name: sum(sign * sums.mrr_of(kind) for kind, sign in kinds.items()) for name, (_, kinds) in MRR_SUMS.items()}
    return {name: getattr(sums, name) for name in NOTE_SUMS} | {name: cents / 100 for name, cents in mrr.items()}


def value(row: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field, or of a part of one, in a row; None if the row does not have it."""
    if name == GROSS_RETENTION:
        return gross_retention(row.get("revenue_churn_rate"))
    whole, _, rest = name.partition(".")
    if not rest:
        return row.get(whole)
    usual = "amount" if whole == "mrr_movements" else "revenue"
    part, measure = split_measure(rest, usual)
    found = row.get(whole)
    return found.get(part, {}).get(measure) if isinstance(found, Mapping) else None


def stored_field(name: str) -> str:
    """Return the field of a row that holds a number, or that the number follows from."""
    return "revenue_churn_rate" if name == GROSS_RETENTION else name.partition(".")[0]


def is_rate(name: str) -> bool:
    """Return whether a field is a rate; a rate is None if it would need days before the ledger's start."""
    return name in rates.Rates._fields or name == GROSS_RETENTION


def needs_sums(name: str) -> bool:
    """Return whether a field follows from sums of days; the others are balances at the end of a period."""
    return name.partition(".")[0] not in BALANCES


def gross_retention(revenue_churn: Any) -> Any:
    """Return 1 minus the revenue churn rate; any other value than a number unchanged."""
    return round(1 - revenue_churn, rates.PLACES) if isinstance(revenue_churn, float) else revenue_churn


def split_measure(rest: str, usual: str) -> tuple[str, str]:
    """Return the name of a part and the measure (the count or the money); plan names contain no dot."""
    part, dot, measure = rest.rpartition(".")
    return (part, measure) if dot and measure in ("count", usual) else (rest, usual)
