"""Ids of any type in collections of any collation: the books equal the documents, and stay so."""

import contextlib
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.errors import DuplicateKeyError

from daemon import clock
from daemon.backfill.backfill import Backfill
from daemon.config.schema import Config
from daemon.diagnostics.verification import Verification
from daemon.mongo.types import Database
from daemon.store import gaps
from tests import ids, shop
from tests.oracle import events, recount, totals
from tests.source_reads import SourceReads

ITALIAN: dict[str, Any] = {"locale": "it", "strength": 2, "numericOrdering": True}
SHOP = ("plans", "customers", "licenses", "payments")


def collated(database: Database, collation: dict[str, Any] | None) -> None:
    for name in SHOP:
        database.create_collection(name, collation=collation)


def plan(database: Database, plan_id: Any) -> None:
    database.plans.insert_one({"_id": plan_id, "name": "pro", "price": 7.99})


def sell(database: Database, number: int, plan_id: Any) -> None:
    shop.customer(database, f"N{number}", _id=f"cust_{number}")
    shop.license(database, f"cust_{number}", plan_id, _id=f"lic_{number}", license_key=f"CHA-{number}")


def assert_verified(database: Database, config: Config) -> None:
    verification = Verification(database, config)
    assert verification.verify_totals().mismatches == []
    assert verification.verify_documents() == []


def reconcile(database: Database) -> dict[str, int]:
    """Return the differences that a requested reconciliation found."""
    gap_id = gaps.open_gap(database, "requested", "a test", None, clock.now())
    shop.until(lambda: gaps.count_open(database) == 0, "the reconciliation")
    found = gaps.find(database, gap_id)
    assert found is not None
    return dict(found["recovered"])


def test_a_collation_that_orders_numbers_in_texts_deletes_nobody(mongo_uri: str, database: Database) -> None:
    collated(database, ITALIAN)
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    for number in (1, 2, 3, 9):
        sell(database, number, plans["pro"])
    with shop.running(config):
        for number in (10, 11, 20):
            sell(database, number, plans["pro"])
        shop.until(lambda: totals(database) == recount(database), "the sales")

        assert reconcile(database) == {}
        assert totals(database)["mrr_cents"] == 7 * 799
        assert_verified(database, config)


def test_ids_that_a_collation_calls_equal_are_two_ids(mongo_uri: str, database: Database) -> None:
    collated(database, ITALIAN)
    config = shop.config_for(mongo_uri, database)
    plan(database, "Pro")
    shop.customer(database, "Ada", _id="cust_A")
    with shop.running(config):
        shop.license(database, "cust_A", "Pro", status="active")
        shop.license(database, "cust_a", "Pro", license_key="b")
        shop.license(database, "cust_A", "pro", license_key="c")
        shop.license(database, "cust_A", "Pro", license_key="d", status="ACTIVE")
        shop.until(lambda: totals(database).get("active_licenses") == 2, "the licenses")
        shop.until(lambda: database.analytics_dead_letters.count_documents({"state": "held"}) == 2, "the held ones")

        assert totals(database)["paying_customers"] == 2
        assert_verified(database, config)


def test_texts_of_24_hex_digits_are_no_object_ids(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        plan(database, "a" * 24)
        shop.customer(database, "Ada", _id="b" * 24)
        shop.license(database, "b" * 24, "a" * 24, _id="c" * 24)
        shop.until(lambda: totals(database).get("mrr_cents") == 799, "the license")
        created = database.business_events.find_one({"event_type": "license_created"})
        assert created is not None
        assert created["description"] == "Nuova licenza Pro: Ada"
        assert_verified(database, config)
        database.analytics_mirror.update_one({"_id.id": "c" * 24}, {"$set": {"fields.customer_id": ObjectId("b" * 24)}})

        assert Verification(database, config, wait=lambda _seconds: None).verify_documents() == [
            f"licenses {'c' * 24}: the mirror's fields differ from the source's"
        ]


def test_equal_numbers_of_different_types_are_one_id(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        plan(database, 7.0)
        shop.customer(database, "Ada", _id=2003)
        shop.license(database, Decimal128("2003.0"), Int64(7), _id=1002)
        shop.until(lambda: totals(database).get("mrr_cents") == 799, "the license")
        paid = {"license_id": Int64(1002), "customer_id": 2003.0, "amount": 7.99, "status": "completed"}
        database.payments.insert_one({**paid, "transaction_id": "t1", "created_at": clock.now()})
        external = {"event_type": "new_customer", "customer_id": 2003.0, "event_date": clock.now()}
        database.business_events.insert_one({**external, "metadata": {}})
        shop.customer(database, "last", _id="last")
        shop.until(lambda: events(database)["new_customer", "last"] == 1, "the last event")

        assert events(database)["payment_completed", 1002] == 1
        assert events(database)["new_customer", 2003] == 1
        assert reconcile(database) == {}
        assert_verified(database, config)


@pytest.mark.parametrize("in_a_gap", [False, True])
def test_a_text_in_an_external_event_names_the_customer_that_exists(
    mongo_uri: str, database: Database, in_a_gap: bool
) -> None:
    by_object_id, by_uuid = ObjectId(), Binary(b"0" * 16, 4)
    known = {by_object_id: str(by_object_id), by_uuid: str(by_uuid.as_uuid()), 4711: "4711", "d" * 24: "d" * 24}
    config = shop.config_for(mongo_uri, database)
    if in_a_gap:
        with shop.running(config):
            for customer_id in known:
                shop.customer(database, "Ada", _id=customer_id)
            shop.until(lambda: database.business_events.count_documents({}) == len(known), "the own events")
        database.analytics_checkpoint.update_one({}, {"$set": {"fingerprint": "another filter"}})
    with contextlib.ExitStack() as stack:
        if not in_a_gap:
            stack.enter_context(shop.running(config))
        for customer_id, text in known.items():
            if not in_a_gap:
                shop.customer(database, "Ada", _id=customer_id)
            external = {"event_type": "new_customer", "customer_id": text, "event_date": clock.now()}
            database.business_events.insert_one({**external, "metadata": {}})
        if in_a_gap:
            stack.enter_context(shop.running(config))
        shop.customer(database, "last", _id="last")
        shop.until(lambda: events(database)["new_customer", "last"] == 1, "the last event")
        texts = sorted(known.values())
        shop.until(
            lambda: sorted(map(str, database.business_events.distinct("customer_id"))) == sorted([*texts, "last"]),
            "the withdrawal of each own event",
        )


def test_a_field_with_a_dotted_name_changes_no_other(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database)
    padding = {"padding": "x" * 2000}  # a small document is replaced as a whole, without a description of the update
    database.plans.insert_one({"_id": "pro", "name": "pro", "price": 7.99, "price.usd": 9.0, **padding})
    with shop.running(config):
        shop.customer(database, "Gamma Srl", _id=1, **{"name.legal": "x"}, **padding)
        shop.license(database, 1, "pro", _id=1)
        for collection, field_name in (("customers", "name.legal"), ("plans", "price.usd")):
            changed = {"$setField": {"field": field_name, "input": "$$ROOT", "value": "y"}}
            removed = {"$unsetField": {"field": field_name, "input": "$$ROOT"}}
            for new in (changed, removed):
                database[collection].update_many({}, [{"$replaceWith": new}])
        shop.customer(database, "last", _id="last")
        shop.until(lambda: events(database)["new_customer", "last"] == 1, "the last event")

        mirrored = {
            one["_id"]["k"]: one["fields"] for one in database.analytics_mirror.find({"_id.id": {"$ne": "last"}})
        }
        assert mirrored["customers"] == {"name": "Gamma Srl", "created_at": mirrored["customers"]["created_at"]}
        assert mirrored["plans"]["price"] == 7.99
        assert reconcile(database) == {}
        assert_verified(database, config)


def test_a_backfill_of_collated_collections_compares_ids_exactly(mongo_uri: str, database: Database) -> None:
    collated(database, ITALIAN)
    plan(database, "Pro")
    old = clock.now().replace(year=clock.now().year - 1)
    shop.customer(database, "Ada", _id="A", created_at=old)
    for customer_id in ("A", "a"):
        shop.license(database, customer_id, "Pro", license_key=customer_id, created_at=old)
    backfill = Backfill(database, shop.config_for(mongo_uri, database))
    found = backfill.plan()
    backfill.write(found, over_dashboard=False, again=False, advance=lambda _days: None)
    row = database.historical_analytics.find_one({"period_type": "daily"}, sort=[("date", -1)])

    assert row is not None
    assert (row["paying_customers"], row["mrr"]) == (2, 15.98)


def test_a_plan_is_revalued_for_licenses_with_the_least_and_the_greatest_id(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database, stream={"batch_size": 1})
    plan(database, "Pro")
    shop.customer(database, "Ada", _id="Ada")
    with shop.running(config):
        for place, license_id in enumerate((MinKey(), 5, MaxKey())):
            shop.license(database, "Ada", "Pro", _id=license_id, license_key=str(place))
        shop.until(lambda: totals(database).get("mrr_cents") == 3 * 799, "the licenses")
        database.plans.update_one({"_id": "Pro"}, {"$set": {"price": 10}})
        shop.until(lambda: totals(database)["mrr_cents"] == 3 * 1000, "the new price")
        assert_verified(database, config)


def test_a_backfill_writes_into_a_collated_table_with_the_dashboards_index(mongo_uri: str, database: Database) -> None:
    database.create_collection("historical_analytics", collation=ITALIAN)
    database.historical_analytics.create_index([("date", 1), ("period_type", 1)], unique=True)
    plan(database, "Pro")
    old = clock.now().replace(year=clock.now().year - 1)
    shop.customer(database, "Ada", _id="A", created_at=old)
    shop.license(database, "A", "Pro", license_key="A", created_at=old)
    backfill = Backfill(database, shop.config_for(mongo_uri, database))
    backfill.write(backfill.plan(), over_dashboard=False, again=False, advance=lambda _days: None)

    assert database.historical_analytics.count_documents({"period_type": "daily", "mrr": 7.99}) > 360


def test_the_guard_finds_a_read_with_the_collections_own_collation(
    mongo_uri: str, database: Database, source_reads: SourceReads
) -> None:
    collated(database, ITALIAN)
    namespace: dict[str, Any] = {}
    code = compile("def read(database): return database.licenses.find_one({})", f"{shop.ROOT}/daemon/x.py", "exec")
    exec(code, namespace)
    namespace["read"](database)

    assert source_reads.inexact == [f"find licenses: {shop.ROOT}/daemon/x.py:1"]
    source_reads.inexact.clear()


@dataclass
class Sale:
    """A license to write: its id, the places of its customer and plan, and whether before the daemon's first start."""

    doc_id: Any
    customer: int
    plan: int
    is_early: bool


class RandomShop:
    """A shop with ids of any type in collections of any collation, which counts by places, without comparing ids.

    A reference is written as another number that MongoDB calls equal. An id that a collation calls equal to an earlier
    one is left out.
    """

    def __init__(self, database: Database, chance: Random) -> None:
        self.database = database
        self.chance = chance
        self.plans: list[Any] = []
        self.customers: list[Any] = []
        self.licenses: dict[int, tuple[int, int]] = {}

    def insert(self, collection: str, document: dict[str, Any]) -> bool:
        try:
            self.database[collection].insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def open(self, plan_ids: list[Any], customer_ids: list[Any]) -> None:
        for place, plan_id in enumerate(plan_ids):
            if self.insert("plans", {"_id": plan_id, "name": f"plan {place}", "price": place + 1}):
                self.plans.append(plan_id)
        for customer_id in customer_ids:
            if self.insert("customers", {"_id": customer_id, "name": "Ada"}):
                self.customers.append(customer_id)

    def sell(self, sale: Sale, place: int) -> None:
        customer, plan_place = sale.customer % len(self.customers), sale.plan % len(self.plans)
        references = {"customer_id": self.form(self.customers[customer]), "plan_id": self.form(self.plans[plan_place])}
        document = {"_id": sale.doc_id, **references, "status": "active", "expires_at": None}
        if self.insert("licenses", document):
            self.licenses[place] = (customer, plan_place)

    def form(self, value: Any) -> Any:
        return self.chance.choice(ids.equal_forms(value))

    def expected(self) -> dict[str, int]:
        paying = len({customer for customer, _ in self.licenses.values()})
        return {
            "customers": len(self.customers),
            "paying_customers": paying,
            "subscribers": paying,
            "active_licenses": len(self.licenses),
            "mrr_cents": sum(self.price(plan_place) for _, plan_place in self.licenses.values()),
        }

    def price(self, plan_place: int) -> int:
        document = self.database.plans.find_one({"_id": self.plans[plan_place]}, collation={"locale": "simple"})
        assert document is not None
        return int(document["price"] * 100)


KINDS = ids.SCALARS.filter(lambda one: one is not None)
IDS = st.lists(KINDS, min_size=1, max_size=5)
SALES = st.lists(st.builds(Sale, KINDS, st.integers(0, 4), st.integers(0, 4), st.booleans()), max_size=8)


@settings(max_examples=settings().max_examples // 5)
@given(st.sampled_from(ids.COLLATIONS), IDS, IDS, SALES, st.randoms(use_true_random=False))
def test_the_books_of_a_shop_with_any_ids_equal_its_documents_after_the_stream_and_after_a_reconciliation(
    mongo_uri: str,
    collation: dict[str, Any] | None,
    plan_ids: list[Any],
    customer_ids: list[Any],
    sales: list[Sale],
    chance: Random,
) -> None:
    with shop.fresh_database(mongo_uri) as database:
        collated(database, collation)
        config = shop.config_for(mongo_uri, database)
        made = RandomShop(database, chance)
        made.open(plan_ids, customer_ids[:2])
        for place, sale in enumerate(sales):
            if sale.is_early:
                made.sell(sale, place)
        with shop.running(config):
            made.open([], customer_ids[2:])
            for place, sale in enumerate(sales):
                if not sale.is_early:
                    made.sell(sale, place)
            database.plans.update_one({"_id": made.plans[0]}, {"$set": {"price": 50}})
            shop.until(lambda: totals(database) == made.expected(), f"the totals {made.expected()}", 10)

            assert reconcile(database) == {}
            assert totals(database) == made.expected()
            assert_verified(database, config)
        created = database.business_events.count_documents({"event_type": "license_created"})
        assert created == sum(not sale.is_early for place, sale in enumerate(sales) if place in made.licenses)
