"""Independent count of the totals from the source collections, document by document.

Deliberately uses nothing from `rules`. Supports only what a `Dashboard` writes: monthly plans in euros.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from daemon.mongo.types import Database


def recount(db: Database, at: datetime) -> dict[str, int]:
    """Return `customers`, `paying_customers`, `active_licenses` and `mrr_cents` at the time `at`.

    A license on a missing plan is not counted; one of a deleted customer is counted.
    """
    plans = {plan["_id"]: plan for plan in db.plans.find()}
    active = [found for found in db.licenses.find() if is_active(found, at) and found["plan_id"] in plans]
    result = {
        "customers": sum(1 for _ in db.customers.find({}, {"_id": 1})),
        "paying_customers": 0,
        "active_licenses": len(active),
        "mrr_cents": 0,
    }
    paying = set()
    for license in active:
        plan = plans[license["plan_id"]]
        result["mrr_cents"] += monthly_cents(plan)
        if plan["price"] > 0:
            paying.add(license["customer_id"])
    return result | {"paying_customers": len(paying)}


def is_active(license: Mapping[str, Any], at: datetime) -> bool:
    """Whether the status is active and `expires_at` is null or later than `at`."""
    end = license.get("expires_at")
    return license.get("status") == "active" and (end is None or aware(end) > at)


def monthly_cents(plan: Mapping[str, Any]) -> int:
    """Return the MRR of one active license; 0 on a lifetime plan. Raises ValueError for other currencies or periods."""
    if plan.get("currency", "EUR") != "EUR" or plan.get("billing_period", "month") != "month":
        raise ValueError(f"recount supports only monthly plans in EUR, got {plan!r}")
    return 0 if plan.get("is_lifetime") else cents(plan["price"])


def cents(price: float) -> int:
    return int((Decimal(str(price)) * 100).quantize(Decimal(1), ROUND_HALF_EVEN))


def aware(stored: datetime) -> datetime:
    """Return a stored date with its zone, UTC, whatever the client's `tz_aware` is."""
    return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored
