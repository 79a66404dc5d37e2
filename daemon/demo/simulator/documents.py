"""Documents as the dashboard and its API write them. Pure functions that return one document."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bson import ObjectId

from daemon.mongo.types import Document

MANUAL_EMAIL = "manual@chatello.io"
MANUAL_SOURCE = "manual_insert"
FOUNDERS_LIMIT = 500
TERM = timedelta(days=30)


class Offer(NamedTuple):
    """One plan of the dashboard; `price` in euros per month."""

    name: str
    title: str
    price: float
    is_lifetime: bool
    daily_requests: int


OFFERS = (
    Offer("starter", "Starter", 2.99, False, 100),
    Offer("pro", "Pro", 7.99, False, 1_000),
    Offer("agency", "Agency", 19.99, False, 10_000),
    Offer("founders", "Founders Deal", 29.0, True, 1_000),
)


def plan(plan_id: ObjectId, offer: Offer, now: datetime) -> Document:
    return {
        "_id": plan_id,
        "name": offer.name,
        "display_name": offer.title,
        "price": offer.price,
        "currency": "EUR",
        "is_lifetime": offer.is_lifetime,
        "lifetime_limit": FOUNDERS_LIMIT if offer.is_lifetime else None,
        "is_active": True,
        "daily_request_limit": offer.daily_requests,
        "monthly_request_limit": offer.daily_requests * 30,
        "created_at": now,
    }


def customer(customer_id: ObjectId, name: str, email: str, now: datetime) -> Document:
    """Return a customer with the five fields that the dashboard writes."""
    return {
        "_id": customer_id,
        "name": name,
        "email": email,
        "created_at": now,
        "paddle_customer_id": None,
        "metadata": {},
    }


def api_customer(document: Document, local: datetime) -> Document:
    """Return the same customer as the API writes it: all fields and naive local times."""
    company = document["name"]
    return document | {"company": company, "status": "active", "created_at": local, "updated_at": local}


def license(license_id: ObjectId, key: str, customer_id: ObjectId, plan: Document, now: datetime) -> Document:
    """Return a new active license with a term of 30 days, or without an end on a lifetime plan."""
    return {
        "_id": license_id,
        "license_key": key,
        "customer_id": customer_id,
        "plan_id": plan["_id"],
        "status": "active",
        "domain": None,
        "activated_at": now,
        "expires_at": None if plan["is_lifetime"] else now + TERM,
        "last_check": None,
        "last_verified": None,
        "usage_count": 0,
        "metadata": {},
        "created_at": now,
        "updated_at": now,
    }


def payment(payment_id: ObjectId, license: Document, amount: float, status: str, now: datetime) -> Document:
    return {
        "_id": payment_id,
        "customer_id": license["customer_id"],
        "license_id": license["_id"],
        "amount": amount,
        "currency": "EUR",
        "status": status,
        "provider": "paddle",
        "transaction_id": f"txn_{payment_id}",
        "created_at": now,
    }


def usage(usage_id: ObjectId, license_id: ObjectId, tokens: int, local: datetime) -> Document:
    return {
        "_id": usage_id,
        "license_id": license_id,
        "endpoint": "/api/chat",
        "tokens_used": tokens,
        "created_at": local,
    }


def event(event_id: ObjectId, kind: str, description: str, now: datetime, facts: Mapping[str, Any]) -> Document:
    """Return a business event; `facts` are further fields of its type."""
    blank: Document = {
        "_id": event_id,
        "event_type": kind,
        "event_date": now,
        "customer_id": None,
        "license_id": None,
        "plan_name": None,
        "amount": None,
        "currency": "EUR",
        "description": description,
        "auto_generated": True,
        "metadata": {},
        "processed": False,
        "created_at": now,
    }
    return blank | dict(facts)


class Numbers(NamedTuple):
    """Numbers of a row, counted as the dashboard does: every active license is a "paying customer"; MRR in euros."""

    total_customers: int
    paying_customers: int
    mrr: float
    new_customers: int
    churned_customers: int
    revenue_by_plan: dict[str, dict[str, float | int]]


def row(day: datetime, numbers: Numbers, notes: str, auto_events: list[Document], now: datetime) -> Document:
    """Return a row of `historical_analytics` with only the dashboard's fields."""
    return {
        "date": day,
        "period_type": "daily",
        "total_customers": numbers.total_customers,
        "paying_customers": numbers.paying_customers,
        "mrr": numbers.mrr,
        "arr": round(numbers.mrr * 12, 2),
        "new_customers": numbers.new_customers,
        "churned_customers": numbers.churned_customers,
        "notes": notes,
        "revenue_by_plan": numbers.revenue_by_plan,
        "auto_events": auto_events,
        "created_at": now,
        "updated_at": now,
    }
