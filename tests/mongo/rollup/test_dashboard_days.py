"""Recorded days of the real dashboard: its documents and events, in its order and texts, give the seeds' note."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from bson import ObjectId

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database, Document
from daemon.rollup.rollup import Rollup
from rules.business_days import business_day
from tests import shop
from tests.oracle import recount, totals

TITLES = {
    "starter": "Starter - BYOK",
    "pro": "Pro - AI Inclusa",
    "agency": "Agency - White Label",
    "founders": "Founders Deal - Lifetime",
}
PRIVATE = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|CHA(-[0-9A-F]{8}){4}")


class RealDashboard:
    """Writes what the real dashboard writes, as `dashboard-facts.md` records it."""

    def __init__(self, database: Database) -> None:
        self.db = database
        self.plans = shop.plans(database)
        for name, title in TITLES.items():
            database.plans.update_one({"name": name}, {"$set": {"display_name": title}})
        self.numbers: Iterator[int] = count(1)

    def create_customer(self, name: str, email: str | None = None) -> ObjectId:
        email = email or f"cliente{next(self.numbers)}@example.it"
        customer = shop.customer(self.db, name, email=email, paddle_customer_id=None, metadata={})
        self.event("new_customer", f"Nuovo cliente registrato: {name} ({email})", customer_id=customer)
        return customer

    def create_license(self, customer: ObjectId, plan: str = "pro") -> ObjectId:
        name, price = self.name_of(customer), shop.PRICES[plan]
        license = shop.license(self.db, customer, self.plans[plan], license_key=self.new_key())
        ids = {"customer_id": customer, "license_id": license, "plan_name": plan, "amount": price}
        self.event("license_created", f"Nuova licenza {TITLES[plan]} per {name}", **ids)
        self.event("payment_completed", f"Pagamento ricevuto: €{price} da {name}", **ids)
        return license

    def insert_license(self, remaining: int) -> None:
        found = self.db.customers.find_one({"email": "manual@chatello.io"})
        customer = found["_id"] if found else self.create_customer("Manual License", "manual@chatello.io")
        key, manual = self.new_key(), {"source": "manual_insert"}
        license = shop.license(self.db, customer, self.plans["founders"], license_key=key, metadata=manual)
        ids = {"customer_id": customer, "license_id": license, "plan_name": "founders"}
        self.event("license_created", f"Licenza founders inserita manualmente: {key}", metadata=manual, **ids)
        sale = {"founders_remaining": remaining, "license_key": key}
        text = f"🚀 Founders Deal venduto! Solo {remaining} rimasti"
        self.event("milestone_reached", text, metadata=sale, license_id=license)

    def milestone(self, kind: str, value: int, text: str) -> None:
        self.event("milestone_reached", text, metadata={"milestone_type": kind, "milestone_value": value})

    def event(self, kind: str, description: str, **fields: Any) -> None:
        now = clock.now()
        written = {"event_type": kind, "event_date": now, "description": description, "currency": "EUR", **fields}
        self.db.business_events.insert_one({**written, "auto_generated": True, "processed": False, "created_at": now})

    def name_of(self, customer: ObjectId) -> str:
        found = self.db.customers.find_one({"_id": customer})
        assert found is not None
        return str(found["name"])

    def new_key(self) -> str:
        return "CHA-" + "-".join(f"{next(self.numbers):08X}" for _ in range(4))


@pytest.fixture
def dashboard(database: Database) -> RealDashboard:
    return RealDashboard(database)


def row_of(uri: str, db: Database) -> Document:
    rollup = Rollup(db, ActiveConfig(shop.config_for(uri, db)))
    return rollup.row(business_day(clock.now(), rollup.settings.zone))


def settled(db: Database) -> None:
    """Wait until the books equal a recount and none of our events remains beside one of the dashboard's."""
    ours = {"metadata.source": "chatello-analytics", "event_type": {"$ne": "milestone_reached"}}
    shop.until(lambda: totals(db) == recount(db) and db.business_events.count_documents(ours) == 0, "the withdrawals")


def test_a_recorded_day_has_the_seeds_note(mongo_uri: str, database: Database, dashboard: RealDashboard) -> None:
    startup = shop.customer(database, "StartupMilano", email="info@startup.it")
    with shop.running(shop.config_for(mongo_uri, database)):
        dashboard.create_customer("TechCorp Italia")
        dashboard.create_license(startup)
        for _ in range(3):
            dashboard.milestone("customers", 25, "🎉 Raggiunti 25 clienti totali!")
        dashboard.event("feature_released", "Rilasciata integrazione Claude 3.5 Sonnet")
        dashboard.event("marketing_campaign", "📧 Newsletter inviata (info@chatello.it)")
        dashboard.event("partnership", "Accordo partnership con WP Engine")
        settled(database)
    row = row_of(mongo_uri, database)

    assert row["auto_notes"] == (
        "🎉 Nuovo cliente: TechCorp Italia • 🎫 Nuova licenza Pro: StartupMilano • 💰 Pagamento ricevuto: €7.99 • "
        "🎉 Raggiunti 25 clienti totali! • 🚀 Rilasciata integrazione Claude 3.5 Sonnet • "
        "📧 Newsletter inviata • 🤝 Accordo partnership con WP Engine"
    )
    assert [entry["description"] for entry in row["auto_events"][:3]] == [
        "Nuovo cliente: TechCorp Italia",
        "Nuova licenza Pro: StartupMilano",
        "Pagamento ricevuto: €7.99 da StartupMilano",
    ]
    assert not PRIVATE.search(str(row))


def test_a_busy_recorded_day_has_the_first_names_the_sum_and_the_last_founders_number(
    mongo_uri: str, database: Database, dashboard: RealDashboard
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        dashboard.insert_license(499)
        names = ("TechCorp", "StartupMilano", "Bottega", "Studio", "Caffè", "L'Officina D'Angelo")
        customers = [dashboard.create_customer(name) for name in names]
        for customer in (*customers, customers[0]):
            dashboard.create_license(customer)
        dashboard.milestone("licenses", 5, "🏆 Raggiunti 5 licenze attive!")
        for remaining in range(498, 485, -1):
            dashboard.insert_license(remaining)
        settled(database)
    row = row_of(mongo_uri, database)

    assert row["auto_notes"] == (
        "🎉 6 nuovi clienti: TechCorp, StartupMilano e altri 4 • "
        "🎫 21 nuove licenze di 7 clienti: TechCorp, StartupMilano e altri 5 • "
        "💰 7 pagamenti ricevuti (€55.93) • "
        "🏆 Founders Deal venduto: ne restano 486 • 🏆 Raggiunte 5 licenze attive! • 🏆 Raggiunte 10 licenze attive!"
    )
    assert not PRIVATE.search(str(row))


def test_a_customer_that_was_deleted_since_keeps_its_name_and_loses_its_address(
    mongo_uri: str, database: Database, dashboard: RealDashboard
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = dashboard.create_customer("TechCorp Italia", "a@b.it")
        settled(database)
        database.customers.delete_one({"_id": customer})
        settled(database)

    assert row_of(mongo_uri, database)["auto_notes"] == "🎉 Nuovo cliente: TechCorp Italia"


def test_a_renamed_plan_and_customer_are_named_as_the_mirror_knows_them(
    mongo_uri: str, database: Database, dashboard: RealDashboard
) -> None:
    """The mirror, not the text of the event, is the source of the note."""
    plan_names = {"pro": "Professional"}
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = dashboard.create_customer("TechCorp Italia")
        dashboard.create_license(customer)
        database.customers.update_one({"_id": customer}, {"$set": {"name": "TechCorp Srl"}})
        settled(database)
        shop.until(
            lambda: database.analytics_mirror.count_documents({"fields.name": "TechCorp Srl"}) == 1, "the new name"
        )
    config = shop.config_for(mongo_uri, database, rules={"plan_names": plan_names})
    note = Rollup(database, ActiveConfig(config)).row(business_day(clock.now(), config.time.zone))["auto_notes"]

    assert note == (
        "🎉 Nuovo cliente: TechCorp Srl • 🎫 Nuova licenza Professional: TechCorp Srl • 💰 Pagamento ricevuto: €7.99"
    )
