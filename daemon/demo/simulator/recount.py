"""A second opinion on the totals: the source collections counted one by one, by the plainest code there is.

Deliberately without anything from `rules`. Knows what a `Dashboard` writes: plans by the month, in euros.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from daemon.mongo.types import Database


def recount(db: Database, at: datetime) -> dict[str, int]:
    """Customers, paying customers, active licences and MRR in cents as of the instant `at`.

    A licence on a plan that does not exist counts for nothing; one whose customer is gone counts as any other.
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
    """Active by status, and `expires_at` is null or later than `at`."""
    end = license.get("expires_at")
    return license.get("status") == "active" and (end is None or aware(end) > at)


def monthly_cents(plan: Mapping[str, Any]) -> int:
    """What one active licence adds to MRR; 0 on a plan for life. Raises ValueError for what no Dashboard writes."""
    if plan.get("currency", "EUR") != "EUR" or plan.get("billing_period", "month") != "month":
        raise ValueError(f"recount knows plans in EUR by the month only, got {plan!r}")
    return 0 if plan.get("is_lifetime") else cents(plan["price"])


def cents(price: float) -> int:
    return int((Decimal(str(price)) * 100).quantize(Decimal(1), ROUND_HALF_EVEN))


def aware(stored: datetime) -> datetime:
    """A stored date whatever the client's `tz_aware` made of it: the database keeps UTC."""
    return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored
