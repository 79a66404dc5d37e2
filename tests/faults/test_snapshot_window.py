"""A reconciliation that takes longer than the server keeps its snapshot begins again, and gets further each time."""

from daemon.demo.embedded_mongo import EmbeddedMongo
from tests import shop
from tests.faults.injection import failing, is_ready, marked, settled
from tests.oracle import assert_books_balance

CUSTOMERS = 4_000


def test_a_first_start_longer_than_the_snapshot_window_comes_to_its_end() -> None:
    window = ("minSnapshotHistoryWindowInSeconds=1", "enableTestCommands=1")
    arguments = tuple(word for one in window for word in ("--setParameter", one))
    with EmbeddedMongo(arguments=arguments) as mongo, shop.fresh_database(mongo.uri) as db:
        plans = shop.plans(db)
        people = [{"name": f"C{n}", "email": f"{n}@example.com"} for n in range(CUSTOMERS)]
        made = db.customers.insert_many(people).inserted_ids
        db.licenses.insert_many([{"customer_id": one, "plan_id": plans["pro"], "status": "active"} for one in made])
        slow = {"blockConnection": True, "blockTimeMS": 100}
        with shop.process(mongo.uri, db.name, CHATELLO_STREAM__BATCH_SIZE="100") as daemon:
            with failing(db, ["commitTransaction"], times=60, **slow):
                is_ready(daemon)
            settled(db, daemon)
            marked(db)
            assert daemon.stop() == 0
            said = "".join(daemon.lines)
            (found,) = db.analytics_gaps.find()

        assert "reconciliation.extended" in said
        assert "database.unavailable" not in said
        assert found["recovered"] == {"plans_insert": 4, "customers_insert": CUSTOMERS, "licenses_insert": CUSTOMERS}
        assert_books_balance(db)
