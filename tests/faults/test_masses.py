"""A hundred thousand deletions or updates in bounded memory, and a deleted plan with active licenses."""

from pathlib import Path

import pytest
from bson import ObjectId

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import measurements, shop
from tests.faults.injection import (
    assert_nothing_lost_or_duplicated,
    wait_until_consistent,
    wait_until_ready,
)
from tests.oracle import assert_ledger_consistent, events, ledger_sums, recount, totals

FLOOD = 100_000
PATIENCE_SECONDS = 400
"""An idle machine needs about thirty."""
UNLIMITED = {"CHATELLO_TIME__LIVE_ROW_SECONDS": "5", "CHATELLO_RECONCILIATION__MAX_DELETED": str(FLOOD)}
"""So that all deletions are applied without approval."""
IN_FLIGHT_MB = 40
"""Above the peak after the first start: four batches queued, one in decide, one in commit."""


def peak_mb(daemon: shop.Process) -> float:
    """Return the peak resident memory (proc(5), VmHWM)."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flood", ["updates", "deletes"])
def test_a_hundred_thousand_changes_are_processed_in_bounded_memory(
    brittle: EmbeddedMongo, shop_db: Database, flood: str
) -> None:
    db = shop_db
    few = FLOOD if flood == "deletes" else 200
    plan, other = list(shop.plans(db).values())[:2]
    customer = shop.customer(db, "A")
    licenses = [{"_id": ObjectId(), "customer_id": customer, "plan_id": plan, "status": "active"} for _ in range(few)]
    db.licenses.insert_many(licenses)
    with shop.process(brittle.uri, db.name, **UNLIMITED) as daemon:
        wait_until_ready(daemon, PATIENCE_SECONDS)
        shop.wait_until_committed(db)
        idle = peak_mb(daemon)
        if flood == "deletes":
            db.licenses.delete_many({})
        else:
            for n in range(FLOOD // few):
                db.licenses.update_many({}, {"$set": {"plan_id": (other, plan)[n % 2]}})
        shop.wait_until_committed(db, PATIENCE_SECONDS)
        wait_until_consistent(db, daemon)
        measurements.record(idle_peak_mb=idle, peak_mb=peak_mb(daemon))
        assert peak_mb(daemon) < idle + IN_FLIGHT_MB
        assert daemon.stop() == 0

    assert totals(db) == ledger_sums(db) == recount(db)
    if flood == "deletes":
        assert sum(n for (kind, _), n in events(db).items() if kind == "license_cancelled") == few


def test_deleting_a_plan_with_active_licenses_leaves_the_totals_unchanged(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        plans = shop.plans(db)
        kept = shop.license(db, shop.customer(db, "A"), plans["pro"])
        shop.wait_until_committed(db)
        before, recorded = totals(db), events(db)
        pro = db.plans.find_one_and_delete({"name": "pro"})
        assert pro is not None
        shop.wait_until_committed(db)
        assert totals(db) == {**before, "customers": before["customers"] + 1}
        assert ledger_sums(db) == totals(db)
        db.licenses.update_one({"_id": kept}, {"$set": {"status": "suspended"}})
        db.licenses.update_one({"_id": kept}, {"$set": {"status": "active"}})
        db.plans.insert_one(pro)
        shop.wait_until_committed(db)

    assert events(db)["license_created", kept] == recorded["license_created", kept] == 1
    assert_ledger_consistent(db)
    assert_nothing_lost_or_duplicated(db)
