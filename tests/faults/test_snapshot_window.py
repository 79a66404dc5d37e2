"""A reconciliation longer than the server's snapshot window is restarted, and makes progress each time."""

from daemon.demo.embedded_mongo import EmbeddedMongo
from tests import shop
from tests.faults.injection import failing, wait_until_consistent, wait_until_ready
from tests.oracle import assert_ledger_consistent

CUSTOMERS = 4_000


def test_a_first_start_longer_than_the_snapshot_window_completes() -> None:
    window = ("minSnapshotHistoryWindowInSeconds=1", "enableTestCommands=1")
    arguments = tuple(word for one in window for word in ("--setParameter", one))
    with EmbeddedMongo(arguments=arguments) as mongo, shop.fresh_database(mongo.uri) as db:
        plans = shop.plans(db)
        people = [{"name": f"C{n}", "email": f"{n}@example.com"} for n in range(CUSTOMERS)]
        ids = db.customers.insert_many(people).inserted_ids
        db.licenses.insert_many([{"customer_id": one, "plan_id": plans["pro"], "status": "active"} for one in ids])
        slow = {"blockConnection": True, "blockTimeMS": 100}
        with shop.process(mongo.uri, db.name, CHATELLO_STREAM__BATCH_SIZE="100") as daemon:
            with failing(db, ["commitTransaction"], times=60, **slow):
                wait_until_ready(daemon)
            wait_until_consistent(db, daemon)
            shop.wait_until_committed(db)
            assert daemon.stop() == 0
            output = "".join(daemon.lines)
            (found,) = db.analytics_gaps.find()

        assert "reconciliation.extended" in output
        assert "database.unavailable" not in output
        assert found["recovered"] == {"plans_insert": 4, "customers_insert": CUSTOMERS, "licenses_insert": CUSTOMERS}
        assert_ledger_consistent(db)
