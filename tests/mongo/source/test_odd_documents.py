"""Unusual documents in the stream and in a reconciliation: each is applied or held, and verification passes."""

import pytest
from bson import Binary, Code, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from daemon import clock
from daemon.diagnostics.verification import Verification
from daemon.mongo.types import Database
from daemon.store import dead_letters, gaps
from tests import shop

SIGNALLING = Decimal128.from_bid((0x7E << 120).to_bytes(16, "little"))
"""A NaN that raises wherever it is compared."""

UNUSABLE_IDS = ({"org": 1, "n": 2}, True, float("nan"), Code("x"), Code("x", {"a": 1}), DBRef("customers", 1))
USABLE_IDS = (
    *(None, 1, 2.5, Decimal128("4.50"), Decimal128("0.1"), "one", "65f0c0ffee65f0c0ffee65f0", b"x"),
    *(Binary(b"0" * 16, 4), Binary(b"0" * 15, 4), Binary(b"x", 2), MinKey(), MaxKey(), Timestamp(1, 1)),
    *(DatetimeMS(2**60), DatetimeMS(-(2**60))),
)


def write_all(db: Database, plan: ObjectId) -> None:
    """Insert all odd documents; the daemon receives them in one batch or in many."""
    customer = ObjectId()
    db.customers.insert_many([{"_id": odd, "name": "odd"} for odd in (*USABLE_IDS, *UNUSABLE_IDS)])
    db.customers.insert_many([{"name": Decimal128("1.5"), "created_at": Decimal128("NaN")}, {"company": SIGNALLING}])
    db.plans.insert_many([{"name": "odd", "price": price} for price in (SIGNALLING, Decimal128("-1"), MinKey())])
    for name in ("customer_id", "plan_id", "status", "expires_at", "license_key", "created_at"):
        license = {"customer_id": customer, "plan_id": plan, "status": "active", "license_key": name}
        db.licenses.insert_one({**license, name: Decimal128("1")})
    for odd in (*UNUSABLE_IDS, None):
        shop.license(db, customer, plan, _id=odd)
    for name in ("customer_id", "license_id", "status", "amount", "transaction_id", "created_at"):
        payment = {"customer_id": customer, "license_id": ObjectId(), "amount": 7.99, "status": "completed"}
        db.payments.insert_one({**payment, name: Decimal128("1") if name != "amount" else SIGNALLING})
    for wrong in ({"customer_id": [1]}, {"license_id": Decimal128("1")}, {"event_type": Code("payment_failed")}):
        event = {"event_type": "payment_completed", "customer_id": customer, "license_id": ObjectId(), "amount": 1.0}
        db.business_events.insert_one({**event, **wrong})


@pytest.mark.parametrize("batch_size", [1, 800])
def test_no_odd_document_stops_the_daemon_or_fails_the_verification(
    mongo_uri: str, database: Database, batch_size: int
) -> None:
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database, stream={"batch_size": batch_size})
    with shop.running(config):
        write_all(database, plans["pro"])
        last = shop.customer(database, "the last one")
        shop.until(lambda: database.business_events.find_one({"customer_id": last}) is not None, "the last event")
        event_count = database.business_events.count_documents({})
        line_count = database.analytics_ledger.count_documents({})
        gaps.open_gap(database, "requested", "a test", None, clock.now())
        shop.until(lambda: gaps.count_open(database) == 0, "the reconciliation")
        verification = Verification(database, config)

        assert verification.verify_totals().mismatches == []
        assert verification.verify_documents() == []
    assert database.business_events.count_documents({}) == event_count
    assert database.analytics_ledger.count_documents({}) == line_count


def test_a_document_without_a_usable_id_is_a_dead_letter_from_the_first_start_until_it_is_gone(
    mongo_uri: str, database: Database
) -> None:
    database.customers.insert_many([{"_id": {"org": 1}, "name": "A"}, {"name": "B"}])
    with shop.running(shop.config_for(mongo_uri, database)):
        held = [dead_letter["_id"] for dead_letter in dead_letters.held(database)]
        database.customers.delete_one({"_id": {"org": 1}})
        shop.until(lambda: dead_letters.count_held(database) == 0, "the release of the dead letter")

    assert held == [{"k": "customers", "id": "{'org': 1}"}]
