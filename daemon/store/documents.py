"""Conversion of events, ledger lines and totals to documents and back. Pure: no connection, no clock."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from daemon.mongo.collections import SOURCE_NAME, event_id
from daemon.mongo.types import Document
from rules import business_days
from rules.model.changes import LicenseValue
from rules.model.events import Event
from rules.model.ledger import Movement, MovementKind, PlanTotals, Reason, Totals


def event_document(event: Event) -> Document:
    """Return a business event in the dashboard's format. `amount` is in euros, as a double.

    Fields without a value are left out, because the dashboard's "save today" fails on a null.
    """
    document = {
        "_id": event_id(event.key),
        "event_type": event.type.value,
        "event_date": event.at,
        "customer_id": event.customer_id,
        "license_id": event.license_id,
        "plan_name": event.plan_name,
        "amount": None if event.amount_cents is None else event.amount_cents / 100,
        "currency": event.currency,
        "description": event.description,
        "auto_generated": True,
        "metadata": {**event.metadata, "source": SOURCE_NAME, **_origin(event), "key": event.key},
        "processed": False,
        "created_at": event.at,
    }
    return {name: value for name, value in document.items() if value is not None}


def _origin(event: Event) -> Document:
    """Move the dashboard's own `source` (a license entered by hand) to `origin`, because `source` names the daemon."""
    return {"origin": event.metadata["source"]} if "source" in event.metadata else {}


def movement_document(movement: Movement, seq: int, day: date) -> Document:
    """Return a ledger line; its `_id` is its position in the ledger, counted from 1 without gaps."""
    return {
        "_id": seq,
        "at": movement.at,
        "day": business_days.stored(day),
        "kind": movement.kind.value,
        "reason": movement.reason.value,
        "customer_id": movement.customer_id,
        "license_id": movement.license_id,
        "plan_id": movement.plan_id,
        "count": movement.count,
        "mrr_cents": movement.mrr_cents,
        "one_time_cents": movement.one_time_cents,
        "customers": movement.customers,
        "paying_customers": movement.paying_customers,
        "subscribers": movement.subscribers,
        "active_licenses": movement.active_licenses,
        "licenses": movement.licenses,
        "before": license_value_document(movement.before),
        "after": license_value_document(movement.after),
        "customer_mrr": list(movement.customer_mrr),
        "cause": movement.cause,
    }


def movement_of(document: Mapping[str, Any]) -> Movement:
    before, after = document["customer_mrr"]
    return Movement(
        at=document["at"],
        kind=MovementKind(document["kind"]),
        reason=Reason(document["reason"]),
        cause=document["cause"],
        customer_id=document["customer_id"],
        license_id=document["license_id"],
        plan_id=document["plan_id"],
        mrr_cents=document["mrr_cents"],
        one_time_cents=document["one_time_cents"],
        customers=document["customers"],
        paying_customers=document["paying_customers"],
        subscribers=document["subscribers"],
        active_licenses=document["active_licenses"],
        licenses=document["licenses"],
        before=license_value_of(document["before"]),
        after=license_value_of(document["after"]),
        customer_mrr=(before, after),
        count=document.get("count", 1),
    )


def license_value_document(value: LicenseValue | None) -> Document | None:
    if value is None:
        return None
    return {
        "plan_id": value.plan_id,
        "active": value.active,
        "mrr_cents": value.mrr_cents,
        "paid": value.paid,
    }


def license_value_of(document: Mapping[str, Any] | None) -> LicenseValue | None:
    if document is None:
        return None
    return LicenseValue(document["plan_id"], document["active"], document["mrr_cents"], document["paid"])


def totals_document(totals: Totals) -> Document:
    return {
        "customers": totals.customers,
        "paying_customers": totals.paying_customers,
        "subscribers": totals.subscribers,
        "active_licenses": totals.active_licenses,
        "mrr_cents": totals.mrr_cents,
        "one_time_cents": totals.one_time_cents,
        "by_plan": [
            {
                "plan_id": plan_id,
                "licenses": plan.licenses,
                "active": plan.active,
                "mrr_cents": plan.mrr_cents,
                "one_time_cents": plan.one_time_cents,
            }
            for plan_id, plan in totals.by_plan.items()
        ],
    }


def totals_of(document: Mapping[str, Any]) -> Totals:
    plans = {
        plan["plan_id"]: PlanTotals(plan["licenses"], plan["active"], plan["mrr_cents"], plan["one_time_cents"])
        for plan in document["by_plan"]
    }
    return Totals(
        document["customers"],
        document["paying_customers"],
        document["active_licenses"],
        document["mrr_cents"],
        document["one_time_cents"],
        document["subscribers"],
        plans,
    )
