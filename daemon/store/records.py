"""How our values are written as documents and read back. Pure: no connection, no clock.

The mirror keeps one document per source document, `_id: {k: collection, id: source _id}`, so that a range of
`_id` is one collection in the source's own `_id` order.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from bson import Decimal128, ObjectId

from daemon.store.names import SOURCE_NAME
from rules import days, lifecycle
from rules.model import (
    CustomerState,
    DocId,
    Event,
    EventType,
    Fields,
    FormerName,
    Lately,
    LicenseState,
    Movement,
    MovementKind,
    Payment,
    PaymentState,
    PaymentStatus,
    Plan,
    PlanState,
    PlanTotals,
    Reason,
    Sighting,
    Source,
    Swing,
    Totals,
    Worth,
)
from rules.settings import Settings

Document = dict[str, Any]


def event_id(key: str) -> ObjectId:
    """The `_id` of the event with this natural key, made of nothing else: a replay collides."""
    return ObjectId(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:12])


def event_document(event: Event) -> Document:
    """A business event in the dashboard's shape. `amount` is in euros, as a double."""
    return {
        "_id": event_id(event.key),
        "event_type": event.type._value_,
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


def _origin(event: Event) -> Document:
    """The dashboard's own `source` mark (a licence entered by hand) moves beside ours."""
    return {"origin": event.metadata["source"]} if "source" in event.metadata else {}


def movement_document(movement: Movement, seq: int, day: date) -> Document:
    """A ledger line; its `_id` is its place in the ledger, counted from 1 without a hole."""
    return {
        "_id": seq,
        "at": movement.at,
        "day": days.stored(day),
        "kind": movement.kind._value_,
        "reason": movement.reason._value_,
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
        "before": worth_document(movement.before),
        "after": worth_document(movement.after),
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
        before=worth_of(document["before"]),
        after=worth_of(document["after"]),
        customer_mrr=(before, after),
        count=document.get("count", 1),
    )


def worth_document(worth: Worth | None) -> Document | None:
    if worth is None:
        return None
    return {
        "plan_id": worth.plan_id,
        "active": worth.active,
        "mrr_cents": worth.mrr_cents,
        "paid": worth.paid,
    }


def worth_of(document: Mapping[str, Any] | None) -> Worth | None:
    if document is None:
        return None
    return Worth(document["plan_id"], document["active"], document["mrr_cents"], document["paid"])


def mirror_id(source: Source, doc_id: object) -> Document:
    return {"k": source.value, "id": doc_id}


def difference(before: Document, after: Document) -> Document:
    """The update that makes one body of a mirror document the other; empty where they are equal.

    Of `fields`, whose names are ours and hold no dot, only what changed is named: that keeps the oplog small.
    """
    changed: Document = {}
    gone: Document = {}
    for name, value in after.items():
        known = before.get(name, _ABSENT)
        if known is not value and known != value:
            if name == "fields":
                _differ_in_fields(known, value, changed, gone)
            else:
                changed[name] = value
    if before.keys() != after.keys():
        gone |= dict.fromkeys(before.keys() - after.keys(), "")
    return _update(changed, gone)


def _update(changed: Document, gone: Document) -> Document:
    if not gone:
        return {"$set": changed} if changed else {}
    return {"$set": changed, "$unset": gone} if changed else {"$unset": gone}


def _differ_in_fields(before: Fields, after: Fields, changed: Document, gone: Document) -> None:
    for name, value in after.items():
        known = before.get(name, _ABSENT)
        if known is not value and known != value:
            changed[f"fields.{name}"] = value
    if before.keys() != after.keys():
        gone |= dict.fromkeys((f"fields.{name}" for name in before.keys() - after.keys()), "")


_ABSENT = object()


def _plain(fields: Fields) -> Document:
    """As a dict, which an encoder takes at once; never altered, as no state is."""
    return fields if type(fields) is dict else dict(fields)


def customer_document(state: CustomerState) -> Document:
    document: Document = {
        "fields": _plain(state.fields),
        "present": state.present,
        "mrr_cents": state.mrr_cents,
        "active_licenses": state.active_licenses,
        "paid_licenses": state.paid_licenses,
        "ever_mrr": state.ever_mrr,
    }
    if state.lately is not None:
        document["lately"] = lately_document(state.lately)
    return document


def lately_document(lately: Lately) -> Document:
    return {
        "ended": swing_document(lately.ended),
        "begun": swing_document(lately.begun),
        "payments": [sighting_document(sighting) for sighting in lately.payments],
    }


_COUNTED = ("present", "mrr_cents", "active_licenses", "paid_licenses", "ever_mrr")
_counted = attrgetter(*_COUNTED)


def customer_difference(before: CustomerState, after: CustomerState) -> Document:
    """The `difference` of their two documents, without making them: most of a batch's updates are of these."""
    pairs = zip(_COUNTED, _counted(before), _counted(after), strict=True)
    changed = {name: now for name, was, now in pairs if was != now}
    gone: Document = {}
    if after.fields is not before.fields:
        _differ_in_fields(before.fields, after.fields, changed, gone)
    if after.lately is not before.lately and after.lately != before.lately:
        if after.lately is None:
            gone["lately"] = ""
        else:
            changed["lately"] = lately_document(after.lately)
    return _update(changed, gone)


def customer_of(document: Mapping[str, Any]) -> CustomerState:
    return CustomerState(
        document["_id"]["id"],
        document["fields"],
        document["present"],
        document["mrr_cents"],
        document["active_licenses"],
        document["paid_licenses"],
        document["ever_mrr"],
        _lately(document.get("lately")),
    )


def _lately(document: Mapping[str, Any] | None) -> Lately | None:
    if document is None:
        return None
    payments = tuple(sighting_of(sighting) for sighting in document["payments"])
    return Lately(swing_of(document["ended"]), swing_of(document["begun"]), payments)


def sighting_document(sighting: Sighting) -> Document:
    always = {
        "at": sighting.at,
        "license_id": sighting.license_id,
        "kind": sighting.kind.value,
        "cents": sighting.cents,
    }
    sides = {name: getattr(sighting, name) for name in ("guess", "payment_key", "by_others", "transaction")}
    return {**always, **{name: value for name, value in sides.items() if value}}


def sighting_of(document: Mapping[str, Any]) -> Sighting:
    return Sighting(**{**document, "kind": EventType(document["kind"])})


def swing_document(swing: Swing | None) -> Document | None:
    if swing is None:
        return None
    worths = {"before": worth_document(swing.before), "after": worth_document(swing.after)}
    return {**swing._asdict(), "kind": swing.kind.value, "reason": swing.reason.value, **worths}


def swing_of(document: Mapping[str, Any] | None) -> Swing | None:
    if document is None:
        return None
    return Swing(
        document["at"],
        document["license_id"],
        MovementKind(document["kind"]),
        Reason(document["reason"]),
        document["key"],
        worth_of(document["before"]),
        worth_of(document["after"]),
    )


def license_document(state: LicenseState) -> Document:
    """`due` stands only on active licences with an end: a sparse index finds the next to expire.

    `good` keeps the fields of the last version understood while a newer one is held.
    """
    document: Document = {
        "fields": _plain(state.fields),
        "worth": worth_document(state.worth),
        "started": state.started,
        "sold": list(state.sold),
    }
    if state.held is not None:
        document["held"] = state.held
        document["good"] = _good(state)
    if due := _due(state):
        document["due"] = due
    return document


def license_difference(before: LicenseState, after: LicenseState) -> Document:
    """The `difference` of their two documents; made without them where neither is held."""
    if before.held is not None or after.held is not None:
        return difference(license_document(before), license_document(after))
    changed: Document = {}
    gone: Document = {}
    if after.fields is not before.fields:
        _differ_in_fields(before.fields, after.fields, changed, gone)
    if after.worth is not before.worth and after.worth != before.worth:
        changed["worth"] = worth_document(after.worth)
    if after.started != before.started:
        changed["started"] = after.started
    if after.sold != before.sold:
        changed["sold"] = list(after.sold)
    was, now = _due(before), _due(after)
    if was != now:
        (changed if now else gone)["due"] = now or ""
    return _update(changed, gone)


def _due(state: LicenseState) -> datetime | None:
    active = state.worth is not None and state.worth.active
    return state.license.expires_at if active and state.license is not None else None


def _good(state: LicenseState) -> Document | None:
    license = state.license
    if license is None:
        return None
    good = {
        "customer_id": license.customer_id,
        "plan_id": license.plan_id,
        "status": license.status.value,
        "expires_at": license.expires_at,
    }
    return good | ({"metadata": state.fields.get("metadata")} if license.is_manual else {})


def license_of(document: Mapping[str, Any], settings: Settings) -> LicenseState:
    held = document.get("held")
    understood = document["fields"] if held is None else document.get("good")
    return LicenseState(
        document["_id"]["id"],
        document["fields"],
        lifecycle.read_license(understood, settings) if understood is not None else None,
        worth_of(document["worth"]),
        document["started"],
        held,
        _sold(document),
    )


def _sold(document: Mapping[str, Any]) -> tuple[DocId, ...]:
    """What earlier versions did not keep: whatever plan a licence that paid is on was sold to it."""
    if "sold" in document:
        return tuple(document["sold"])
    return (document["worth"]["plan_id"],) if document["started"] and document["worth"] else ()


def plan_document(state: PlanState) -> Document:
    plan = state.plan
    return {
        "fields": {name: to_bson(value) for name, value in state.fields.items()},
        "plan": None if plan is None else {**plan._asdict()},
        "present": state.present,
        "held": state.held,
        "former": [name._asdict() for name in state.former],
    }


def plan_difference(before: PlanState, after: PlanState) -> Document:
    return difference(plan_document(before), plan_document(after))


def plan_of(document: Mapping[str, Any]) -> PlanState:
    plan = document["plan"]
    return PlanState(
        document["_id"]["id"],
        decoded_fields(document),
        Plan(**plan) if plan is not None else None,
        document["present"],
        document["held"],
        tuple(FormerName(**name) for name in document.get("former", ())),
    )


def payment_document(state: PaymentState) -> Document:
    """`good` keeps the last version understood while a newer one is held."""
    document: Document = {
        "fields": {name: to_bson(value) for name, value in state.fields.items()},
        "told": [status.value for status in state.told],
    }
    if state.payment is not None:
        document["payment"] = {**state.payment._asdict(), "status": state.payment.status.value}
    if state.held is not None:
        document["held"] = state.held
    return document


def payment_difference(before: PaymentState, after: PaymentState) -> Document:
    return difference(payment_document(before), payment_document(after))


def payment_of(document: Mapping[str, Any]) -> PaymentState:
    payment = document.get("payment")
    return PaymentState(
        document["_id"]["id"],
        decoded_fields(document),
        Payment(**{**payment, "status": PaymentStatus(payment["status"])}) if payment is not None else None,
        tuple(PaymentStatus(status) for status in document["told"]),
        document.get("held"),
    )


def decoded_fields(document: Mapping[str, Any]) -> Fields:
    """The fields of a mirror document of any kind, as the decoder made them."""
    return {name: from_bson(value) for name, value in document["fields"].items()}


def to_bson(value: object) -> object:
    return Decimal128(value) if isinstance(value, Decimal) else value


def from_bson(value: object) -> object:
    return value.to_decimal() if isinstance(value, Decimal128) else value


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


def storable(fields: Fields) -> Document:
    """Fields for a dead letter: whatever they hold, the database takes it."""
    return {name: to_bson(value) for name, value in fields.items()}
