"""Conversion of states to mirror documents and back, and the updates between two states. Pure.

The mirror has one document per source document, `_id: {k: collection, id: source _id}`, so that a range of `_id` is
one collection in the source's own `_id` order.
"""

from collections.abc import Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

from bson import Decimal128
from bson.max_key import MaxKey
from bson.min_key import MinKey

from daemon.mongo.types import Document
from daemon.store.documents import license_value_document, license_value_of
from daemon.store.mirror.recent import recent_document, recent_of
from rules import name_search, text
from rules.handlers import license_documents
from rules.model.changes import DocId, Fields, License, Payment, PaymentStatus, Plan, Source
from rules.model.documents import AMOUNTS
from rules.model.states import CustomerState, FormerName, LicenseState, PaymentState, PlanState
from rules.settings.settings import Settings


def mirror_id(source: Source, doc_id: object) -> Document:
    return {"k": source.value, "id": doc_id}


def ids_of(source: Source) -> Document:
    """Return the condition on the `_id` of the mirror's documents of one source collection."""
    return {"$gte": mirror_id(source, MinKey()), "$lte": mirror_id(source, MaxKey())}


def difference(before: Document, after: Document) -> Document:
    """Return the update from one mirror document (without `_id`) to another; empty if they are equal.

    Of `fields`, whose names contain no dot, it sets only the changed ones, which keeps the oplog small.
    """
    changed: Document = {}
    unset: Document = {}
    for name, value in after.items():
        known = before.get(name, _ABSENT)
        if known is not value and known != value:
            if name == "fields":
                _differ_in_fields(known, value, changed, unset)
            else:
                changed[name] = value
    if before.keys() != after.keys():
        unset |= dict.fromkeys(before.keys() - after.keys(), "")
    return _update(changed, unset)


def _update(changed: Document, unset: Document) -> Document:
    if not unset:
        return {"$set": changed} if changed else {}
    return {"$set": changed, "$unset": unset} if changed else {"$unset": unset}


def _differ_in_fields(before: Fields, after: Fields, changed: Document, unset: Document) -> None:
    for name, value in after.items():
        known = before.get(name, _ABSENT)
        if known is not value and known != value:
            changed[f"fields.{name}"] = value
    if before.keys() != after.keys():
        unset |= dict.fromkeys((f"fields.{name}" for name in before.keys() - after.keys()), "")


_ABSENT = object()
MANUAL = "is_manual"
"""Field of the last valid version of a license; the documents that are mirrored have no such field."""


def _plain(fields: Fields) -> Document:
    """Return the fields as a dict, which the BSON encoder handles fastest; it must not be changed, like all states."""
    return fields if type(fields) is dict else dict(fields)


def sort_name(fields: Fields) -> str:
    """Return what a customer with these fields is sorted by in lists."""
    return name_search.sort_key(text.customer_name(fields))


def customer_document(state: CustomerState) -> Document:
    document: Document = {
        "fields": _plain(state.fields),
        "sort_name": sort_name(state.fields),
        "present": state.present,
        "mrr_cents": state.mrr_cents,
        "active_licenses": state.active_licenses,
        "paid_licenses": state.paid_licenses,
        "ever_mrr": state.ever_mrr,
    }
    if state.recent is not None:
        document["lately"] = recent_document(state.recent)
    if state.deleted:
        document["deleted"] = True
    return document


_COUNTED = ("present", "mrr_cents", "active_licenses", "paid_licenses", "ever_mrr")
_counted = attrgetter(*_COUNTED)


def customer_difference(before: CustomerState, after: CustomerState) -> Document:
    """Return the `difference` of two documents without building them: most updates of a batch are of customers."""
    pairs = zip(_COUNTED, _counted(before), _counted(after), strict=True)
    changed = {name: now for name, was, now in pairs if was != now}
    unset: Document = {}
    if after.fields is not before.fields:
        _differ_in_fields(before.fields, after.fields, changed, unset)
        if (key := sort_name(after.fields)) != sort_name(before.fields):
            changed["sort_name"] = key
    if after.deleted != before.deleted:
        changed["deleted"] = after.deleted
    if after.recent is not before.recent and after.recent != before.recent:
        if after.recent is None:
            unset["lately"] = ""
        else:
            changed["lately"] = recent_document(after.recent)
    return _update(changed, unset)


def customer_of(document: Mapping[str, Any]) -> CustomerState:
    return CustomerState(
        document["_id"]["id"],
        document["fields"],
        document["present"],
        document["mrr_cents"],
        document["active_licenses"],
        document["paid_licenses"],
        document["ever_mrr"],
        recent_of(document.get("lately")),
        document.get("deleted", False),
    )


def license_document(state: LicenseState) -> Document:
    """Return a license as a mirror document.

    `due` is set only for active licenses with an end: a sparse index finds the next to expire. `good` contains the
    fields of the last valid version while a newer one is held.
    """
    document: Document = {
        "fields": _plain(state.fields),
        "worth": license_value_document(state.value),
        "started": state.started,
        "sold": list(state.sold),
    }
    if state.held is not None:
        document["held"] = state.held
    if state.deleted:
        document["present"] = False
    if state.held is not None or state.deleted:
        document["good"] = _last_valid(state)
    if state.ends_at is not None:
        document["due"] = state.ends_at
    return document


def license_difference(before: LicenseState, after: LicenseState) -> Document:
    """Return the `difference` of two documents, without building them if neither is held."""
    if before.held is not None or after.held is not None or before.deleted or after.deleted:
        return difference(license_document(before), license_document(after))
    changed: Document = {}
    unset: Document = {}
    if after.fields is not before.fields:
        _differ_in_fields(before.fields, after.fields, changed, unset)
    if after.value is not before.value and after.value != before.value:
        changed["worth"] = license_value_document(after.value)
    if after.started != before.started:
        changed["started"] = after.started
    if after.sold != before.sold:
        changed["sold"] = list(after.sold)
    if after.ends_at is None and before.ends_at is not None:
        unset["due"] = ""
    elif after.ends_at != before.ends_at:
        changed["due"] = after.ends_at
    return _update(changed, unset)


def _last_valid(state: LicenseState) -> Document | None:
    license = state.license
    if license is None:
        return None
    good = {
        "customer_id": license.customer_id,
        "plan_id": license.plan_id,
        "status": license.status.value,
        "expires_at": license.expires_at,
    }
    return good | ({MANUAL: True} if license.is_manual else {})


def license_of(document: Mapping[str, Any], settings: Settings) -> LicenseState:
    held, deleted = document.get("held"), not document.get("present", True)
    valid = document.get("good") if held is not None or deleted else document["fields"]
    return LicenseState(
        document["_id"]["id"],
        document["fields"],
        _license(valid, settings) if valid is not None else None,
        license_value_of(document["worth"]),
        document["started"],
        held,
        _sold(document),
        deleted,
    )


def _license(valid: Mapping[str, Any], settings: Settings) -> License:
    license = license_documents.read_license(valid, settings)
    return license._replace(is_manual=True) if valid.get(MANUAL) else license


def _sold(document: Mapping[str, Any]) -> tuple[DocId, ...]:
    """Return the plans sold to a license; documents of earlier versions lack them, so a paid license's plan counts."""
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
    """Return a payment as a mirror document; `payment` is the last valid version while a newer one is held."""
    document: Document = {
        "fields": {name: to_bson(value) for name, value in state.fields.items()},
        "told": [status.value for status in state.emitted],
    }
    if state.payment is not None:
        document["payment"] = {**state.payment._asdict(), "status": state.payment.status.value}
    if state.held is not None:
        document["held"] = state.held
    if state.deleted:
        document["present"] = False
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
        not document.get("present", True),
    )


def decoded_fields(document: Mapping[str, Any]) -> Fields:
    """Return the fields of a mirror document of any kind, as the decoder produced them."""
    return {name: from_bson(value) if name in AMOUNTS else value for name, value in document["fields"].items()}


def to_bson(value: object) -> object:
    return Decimal128(value) if isinstance(value, Decimal) else value


def from_bson(value: object) -> object:
    return value.to_decimal() if isinstance(value, Decimal128) else value


def storable(fields: Fields) -> Document:
    """Return fields as BSON types, for a dead letter."""
    return {name: to_bson(value) for name, value in fields.items()}
