"""Expected contents of a database, computed from the source collections without the code under test."""

from collections import Counter
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from daemon import clock
from daemon.mongo.types import Database

NUMBERS = ("customers", "paying_customers", "subscribers", "active_licenses", "mrr_cents")


def recount(db: Database, at: datetime | None = None) -> dict[str, int]:
    """Return the totals of the source collections as of `at` (default: now)."""
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
    """Return the running totals of the checkpoint, {} before the first start."""
    checkpoint = db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    found = checkpoint.get("totals", {})
    return {name: found[name] for name in NUMBERS if name in found}


def ledger_sums(db: Database) -> dict[str, int]:
    """Return the sums of all movements in the ledger."""
    result = dict.fromkeys(NUMBERS, 0)
    for movement in db.analytics_ledger.find():
        for name in NUMBERS:
            result[name] += movement[name]
    return result


def events(db: Database) -> Counter[tuple[str, Any]]:
    """Return the number of events by type and license (or customer)."""
    found = db.business_events.find({}, {"event_type": 1, "license_id": 1, "customer_id": 1})
    return Counter((e["event_type"], e.get("license_id") or e.get("customer_id")) for e in found)


def assert_ledger_consistent(db: Database) -> None:
    """Assert that ledger, running totals and a recount of the source agree, and that ledger numbers are contiguous.

    The source is recounted as of the daemon's time: a license may expire between its last check and ours.
    """
    expected = recount(db, checked_instant(db))

    assert totals(db) == expected
    assert ledger_sums(db) == expected
    numbers = [movement["_id"] for movement in db.analytics_ledger.find({}, {"_id": 1}).sort("_id", 1)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert_mirror_agrees(db)


def checked_instant(db: Database) -> datetime:
    """Return the instant of the totals: the checkpoint's cluster time (whole seconds) or the newest movement."""
    checkpoint = db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}
    newest = db.analytics_ledger.find_one({}, sort=[("at", -1)])
    reached: datetime = checkpoint["cluster_time"].as_datetime()
    return max(reached, newest["at"]) if newest else reached


def assert_mirror_agrees(db: Database) -> None:
    """Assert that each mirrored customer holds the sums of its mirrored licenses."""
    sums: dict[Any, list[int]] = {}
    for license in db.analytics_mirror.find({"_id.k": "licenses", "worth": {"$ne": None}}):
        value = license["worth"]
        entry = sums.setdefault(license["fields"].get("customer_id"), [0, 0, 0])
        entry[0] += value["mrr_cents"]
        entry[1] += value["active"]
        entry[2] += value["paid"]
    for customer in db.analytics_mirror.find({"_id.k": "customers"}):
        found = [customer["mrr_cents"], customer["active_licenses"], customer["paid_licenses"]]
        assert found == sums.get(customer["_id"]["id"], [0, 0, 0]), customer


def missing_and_duplicated(db: Database) -> tuple[set[Any], set[Any]]:
    """Return the ids of customers and licenses without a creation event, and those with more than one.

    A license that replaces another one is recorded as a change of plan.
    """
    counts = events(db)
    for replacement in db.business_events.find({"metadata.previous_license": {"$exists": True}}):
        counts["license_created", replacement["license_id"]] += not counts["license_created", replacement["license_id"]]
    missing: set[Any] = set()
    duplicated: set[Any] = set()
    for kind, collection in (("new_customer", "customers"), ("license_created", "licenses")):
        ids = {document["_id"] for document in db[collection].find({}, {"_id": 1})}
        missing |= {doc_id for doc_id in ids if counts[kind, doc_id] == 0}
        duplicated |= {doc_id for (found, doc_id), count in counts.items() if found == kind and count > 1}
    return missing, duplicated


def assert_each_event_once(db: Database) -> None:
    """Assert exactly one creation event for each customer and license."""
    missing, duplicated = missing_and_duplicated(db)

    assert not missing, f"without an event: {missing}"
    assert not duplicated, f"with several events: {duplicated}"


def assert_each_payment_once(db: Database) -> None:
    """Assert one event per transaction and outcome, where payments are used, and none derived from a license."""
    recorded: Counter[tuple[str, Any]] = Counter()
    for event in db.business_events.find({"event_type": {"$regex": "^payment_"}}):
        assert "transaction_id" in event["metadata"], f"derived from a license: {event['metadata']['key']}"
        recorded[event["event_type"], event["metadata"]["transaction_id"]] += 1
    expected: Counter[tuple[str, Any]] = Counter()
    for payment in db.payments.find():
        paid = payment["status"] in ("completed", "refunded")
        expected["payment_completed", payment["transaction_id"]] |= paid
        expected["payment_refunded", payment["transaction_id"]] |= payment["status"] == "refunded"
    found = +recorded - failed_payments(recorded)
    assert found == +expected, f"unexpected: {found - expected}; missing: {expected - found}"


def failed_payments(recorded: Counter[tuple[str, Any]]) -> Counter[tuple[str, Any]]:
    """Return the failed payments, which may have been settled since: at most one for each transaction."""
    found = Counter({key: count for key, count in recorded.items() if key[0] == "payment_failed"})
    assert not found or max(found.values()) == 1
    return found


def assert_each_fact_once_in_the_outbox(db: Database) -> None:
    """Assert that the facts of the outbox that were not withdrawn are those of the stored events, each once.

    An external event may have the id of the own event that it replaced, so external events are only counted. So may
    the event of a payment document: the id of the payment that was inferred from its license.
    """
    entries = [entry for found in db.analytics_outbox.find().sort("_id", 1) for entry in found["entries"]]
    standing, gone = set[str](), set[str]()
    for entry in entries:
        known = entry["id"].removesuffix(".withdrawn")
        if entry["type"] == "event.recorded":
            assert known not in standing | gone, f"{entry} is repeated"
            standing.add(known)
        elif entry["type"] == "event.withdrawn":
            assert known in standing, f"{entry} was never recorded"
            standing.remove(known)
            gone.add(known)
    stored = list(db.business_events.find({}, {"metadata.source": 1, "metadata.payment_id": 1}))
    sources = {str(event["_id"]): event["metadata"] for event in stored if "payment_id" not in event["metadata"]}
    own = {known for known, metadata in sources.items() if metadata.get("source") == "chatello-analytics"}
    assert own <= standing, f"never delivered: {own - standing}"
    assert len(standing) == len(stored), (len(standing), len(stored))
