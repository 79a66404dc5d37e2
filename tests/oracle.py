"""What must be true of a database, computed anew from the source collections, without any code under test."""

from collections import Counter
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from daemon import clock
from daemon.mongo.types import Database

NUMBERS = ("customers", "paying_customers", "subscribers", "active_licenses", "mrr_cents")


def recount(db: Database, at: datetime | None = None) -> dict[str, int]:
    """The totals of the source collections as of `at` (now by default), by the plainest code there is."""
    instant = at or clock.now()
    plans = {plan["_id"]: plan for plan in db.plans.find()}
    active = [
        (license, plans[license["plan_id"]])
        for license in db.licenses.find()
        if license.get("status") == "active"
        and (license.get("expires_at") is None or license["expires_at"] > instant)
        and license.get("plan_id") in plans
    ]
    return {
        "customers": db.customers.count_documents({}),
        "paying_customers": len({license["customer_id"] for license, plan in active if plan["price"] > 0}),
        "subscribers": len({license["customer_id"] for license, plan in active if is_recurring(plan)}),
        "active_licenses": len(active),
        "mrr_cents": sum(cents(plan) for _, plan in active if not plan.get("is_lifetime")),
    }


def is_recurring(plan: dict[str, Any]) -> bool:
    return plan["price"] > 0 and not plan.get("is_lifetime")


def cents(plan: dict[str, Any]) -> int:
    return int((Decimal(str(plan["price"])) * 100).quantize(Decimal(1), ROUND_HALF_EVEN))


def totals(db: Database) -> dict[str, int]:
    """The running totals of the checkpoint; {} before the first start."""
    checkpoint = db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    found = checkpoint.get("totals", {})
    return {name: found[name] for name in NUMBERS if name in found}


def ledger_sums(db: Database) -> dict[str, int]:
    """What every movement ever written adds up to."""
    result = dict.fromkeys(NUMBERS, 0)
    for movement in db.analytics_ledger.find():
        for name in NUMBERS:
            result[name] += movement[name]
    return result


def events(db: Database) -> Counter[tuple[str, Any]]:
    """How often each type was told of each licence (or customer)."""
    found = db.business_events.find({}, {"event_type": 1, "license_id": 1, "customer_id": 1})
    return Counter((e["event_type"], e.get("license_id") or e.get("customer_id")) for e in found)


def assert_books_balance(db: Database) -> None:
    """Law 2: ledger = running totals = a recount of the source; and the ledger has no hole and no double.

    The source is recounted as of the daemon's own time: a licence may end between its last look and ours.
    """
    expected = recount(db, looked_at(db))

    assert totals(db) == expected
    assert ledger_sums(db) == expected
    places = [movement["_id"] for movement in db.analytics_ledger.find({}, {"_id": 1}).sort("_id", 1)]
    assert places == list(range(1, len(places) + 1))
    assert_mirror_agrees(db)


def looked_at(db: Database) -> datetime:
    """The instant the books are kept to: the checkpoint's cluster time (whole seconds), or the newest movement."""
    checkpoint = db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    newest = db.analytics_ledger.find_one({}, sort=[("at", -1)])
    passed: datetime = checkpoint["cluster_time"].as_datetime()
    return max(passed, newest["at"]) if newest else passed


def assert_mirror_agrees(db: Database) -> None:
    """Each mirrored customer carries exactly what its mirrored licences add up to."""
    sums: dict[Any, list[int]] = {}
    for license in db.analytics_mirror.find({"_id.k": "licenses", "worth": {"$ne": None}}):
        worth = license["worth"]
        entry = sums.setdefault(license["fields"].get("customer_id"), [0, 0, 0])
        entry[0] += worth["mrr_cents"]
        entry[1] += worth["active"]
        entry[2] += worth["paid"]
    for customer in db.analytics_mirror.find({"_id.k": "customers"}):
        found = [customer["mrr_cents"], customer["active_licenses"], customer["paid_licenses"]]
        assert found == sums.get(customer["_id"]["id"], [0, 0, 0]), customer


def wrongly_told(db: Database) -> tuple[set[Any], set[Any]]:
    """Customers and licences whose creation was never told, and those whose creation was told more than once.

    A licence that took another one's place is told as the change of plan it is.
    """
    told = events(db)
    for swapped in db.business_events.find({"metadata.previous_license": {"$exists": True}}):
        told["license_created", swapped["license_id"]] += not told["license_created", swapped["license_id"]]
    missing: set[Any] = set()
    doubled: set[Any] = set()
    for kind, collection in (("new_customer", "customers"), ("license_created", "licenses")):
        ids = {document["_id"] for document in db[collection].find({}, {"_id": 1})}
        missing |= {doc_id for doc_id in ids if told[kind, doc_id] == 0}
        doubled |= {doc_id for (told_kind, doc_id), count in told.items() if told_kind == kind and count > 1}
    return missing, doubled


def assert_each_event_once(db: Database) -> None:
    """Every customer and licence document has its creation told exactly once."""
    missing, doubled = wrongly_told(db)

    assert not missing, f"never told: {missing}"
    assert not doubled, f"told more than once: {doubled}"


def assert_each_payment_once(db: Database) -> None:
    """Where payments are used: each transaction is told once for what it came to, and no licence stands for one."""
    told: Counter[tuple[str, Any]] = Counter()
    for event in db.business_events.find({"event_type": {"$regex": "^payment_"}}):
        assert "transaction_id" in event["metadata"], f"a licence stands for a payment: {event['metadata']['key']}"
        told[event["event_type"], event["metadata"]["transaction_id"]] += 1
    expected: Counter[tuple[str, Any]] = Counter()
    for payment in db.payments.find():
        paid = payment["status"] in ("completed", "refunded")
        expected["payment_completed", payment["transaction_id"]] |= paid
        expected["payment_refunded", payment["transaction_id"]] |= payment["status"] == "refunded"
    stands = +told - failed(told)
    assert stands == +expected, (
        f"told but not expected: {stands - expected}; expected but not told: {expected - stands}"
    )


def failed(told: Counter[tuple[str, Any]]) -> Counter[tuple[str, Any]]:
    """Failures may have been settled since: at most one for each transaction."""
    found = Counter({key: count for key, count in told.items() if key[0] == "payment_failed"})
    assert not found or max(found.values()) == 1
    return found
