"""Floods: a hundred thousand deletions or updates in bounded memory, and a plan that goes away under its licences."""

from pathlib import Path

import pytest
from bson import ObjectId

from daemon.demo.embedded_mongo import EmbeddedMongo
from daemon.mongo.types import Database
from tests import measurements, shop
from tests.faults.injection import assert_nothing_lost_or_doubled, is_ready, marked, settled
from tests.oracle import assert_books_balance, events, ledger_sums, recount, totals

FLOOD = 100_000
PATIENCE_SECONDS = 400
"""A quiet machine needs about thirty."""
IN_FLIGHT_MB = 40
"""Above its peak after the first start: four batches waiting, one being decided, one being committed."""


def peak_mb(daemon: shop.Process) -> float:
    """The most memory the process ever held (proc(5), VmHWM)."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flood", ["updates", "deletes"])
def test_a_hundred_thousand_changes_are_followed_in_bounded_memory(
    brittle: EmbeddedMongo, shop_db: Database, flood: str
) -> None:
    db = shop_db
    few = FLOOD if flood == "deletes" else 200
    plan, other = list(shop.plans(db).values())[:2]
    customer = shop.customer(db, "A")
    licenses = [{"_id": ObjectId(), "customer_id": customer, "plan_id": plan, "status": "active"} for _ in range(few)]
    db.licenses.insert_many(licenses)
    with shop.process(brittle.uri, db.name, CHATELLO_TIME__LIVE_ROW_SECONDS="5") as daemon:
        is_ready(daemon)
        marked(db)
        idle = peak_mb(daemon)
        if flood == "deletes":
            db.licenses.delete_many({})
        else:
            for n in range(FLOOD // few):
                db.licenses.update_many({}, {"$set": {"plan_id": (other, plan)[n % 2]}})
        marked(db, PATIENCE_SECONDS)
        settled(db, daemon)
        measurements.note(idle_peak_mb=idle, peak_mb=peak_mb(daemon))
        assert peak_mb(daemon) < idle + IN_FLIGHT_MB
        assert daemon.stop() == 0

    assert totals(db) == ledger_sums(db) == recount(db)
    if flood == "deletes":
        assert sum(n for (kind, _), n in events(db).items() if kind == "license_cancelled") == few


def test_a_plan_deleted_under_its_licences_leaves_the_books_as_they_were(
    brittle: EmbeddedMongo, shop_db: Database
) -> None:
    db = shop_db
    with shop.running(shop.config_for(brittle.uri, db)):
        plans = shop.plans(db)
        kept = shop.license(db, shop.customer(db, "A"), plans["pro"])
        marked(db)
        books, told = totals(db), events(db)
        pro = db.plans.find_one_and_delete({"name": "pro"})
        assert pro is not None
        marked(db)
        assert totals(db) == {**books, "customers": books["customers"] + 1}
        assert ledger_sums(db) == totals(db)
        db.licenses.update_one({"_id": kept}, {"$set": {"status": "suspended"}})
        db.licenses.update_one({"_id": kept}, {"$set": {"status": "active"}})
        db.plans.insert_one(pro)
        marked(db)

    assert events(db)["license_created", kept] == told["license_created", kept] == 1
    assert_books_balance(db)
    assert_nothing_lost_or_doubled(db)
