"""Golden notes: the examples of the dashboard's table, composed from real events on a real replica set."""

from random import Random
from typing import Any

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.types import Database
from daemon.pipeline import api_milestones
from daemon.rollup.rollup import Rollup
from daemon.store import events as event_store
from rules.business_days import business_day
from tests import shop
from tests.oracle import events, recount, totals

A_FULL_DAY = (
    "🎉 Nuovo cliente: TechCorp Italia • 🎫 Nuova licenza Pro: StartupMilano • 💰 Pagamento ricevuto: €7.99 • "
    "🏆 Superate 100 chiamate API in un giorno! • 🚀 Rilasciata integrazione Claude 3.5 Sonnet • "
    '📢 Campagna email "Founders Deal" inviata • 🤝 Accordo partnership con WP Engine'
)
A_GOOD_WEEK = (
    "🎉 Raggiunti 25 clienti totali! • 📈 MRR aumentato di €25.99 in 7 giorni! • "
    "🤝 Discussione partnership con azienda AI"
)
HOSTILE = [
    "<script>alert(1)</script>",
    "a\nb\r\nc",
    "\u202eevil",
    "=HYPERLINK(1)",
    "x" * 1_000_000,
    "",
    "\u200b",
]


def create_event(db: Database, kind: str, description: str) -> None:
    event_store.create(db, {"event_type": kind, "description": description}, clock.now(), None)


def note(uri: str, db: Database) -> str:
    config = shop.config_for(uri, db)
    found: str = Rollup(db, ActiveConfig(config)).write_today(Rollup(db, ActiveConfig(config)).now())["auto_notes"]
    return found


def settle(db: Database) -> None:
    wait_for(lambda: totals(db) == recount(db), "the totals to equal a recount")


def test_a_full_day_has_the_dashboards_golden_note(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    startup = shop.customer(database, "StartupMilano")
    database.usage_logs.create_index("created_at")
    with shop.running(shop.config_for(mongo_uri, database)) as run:
        assert run.leader is not None
        run.leader.jobs.put(api_milestones.emit(run.leader.api_usage.count(lambda: None)))
        shop.customer(database, "TechCorp Italia")
        license = shop.license(database, startup, plans["pro"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the license")
        database.usage_logs.insert_many([{"endpoint": "/api/chat", "created_at": clock.now()} for _ in range(104)])
        run.leader.jobs.put(api_milestones.emit(run.leader.api_usage.count(lambda: None)))
        create_event(database, "feature_released", "Rilasciata integrazione Claude 3.5 Sonnet")
        create_event(database, "marketing_campaign", 'Campagna email "Founders Deal" inviata')
        create_event(database, "partnership", "Accordo partnership con WP Engine")
        wait_for(lambda: events(database)["milestone_reached", None] == 1, "the milestone")

    assert note(mongo_uri, database) == A_FULL_DAY


def test_a_day_with_only_external_events_has_the_dashboards_golden_note(mongo_uri: str, database: Database) -> None:
    """The dashboard's cron repeats events and includes an emoji in the text."""
    with shop.running(shop.config_for(mongo_uri, database)):
        customers = {"milestone_type": "customers", "milestone_value": 25}
        growth = {"growth_period": "7_days", "mrr_growth": 25.99}
        external: list[tuple[str, str, dict[str, Any]]] = [
            ("milestone_reached", "🎉 Raggiunti 25 clienti totali!", customers),
            ("milestone_reached", "MRR aumentato di €25.99 in 7 giorni!", growth),
            ("milestone_reached", "🎉 Raggiunti 25 clienti totali!", customers),
            ("partnership", "Discussione partnership con azienda AI", {"realistic_simulation": True}),
        ]
        for kind, description, metadata in external:
            event = {"event_type": kind, "event_date": clock.now(), "description": description, "metadata": metadata}
            database.business_events.insert_one(event)

    assert note(mongo_uri, database) == A_GOOD_WEEK


def test_a_payment_without_a_license_event_names_the_customer(mongo_uri: str, database: Database) -> None:
    plans = shop.plans(database)
    soon, later = clock.now().replace(year=2030), clock.now().replace(year=2031)
    license = shop.license(database, shop.customer(database, "Ada"), plans["pro"], expires_at=soon)
    with shop.running(shop.config_for(mongo_uri, database)):
        database.licenses.update_one({"_id": license}, {"$set": {"expires_at": later}})
        wait_for(lambda: events(database)["payment_completed", license] == 1, "the renewal")
    database.business_events.delete_one({"event_type": "license_renewed"})

    assert note(mongo_uri, database) == "💰 Pagamento ricevuto: €7.99 da Ada"


def test_many_events_of_customers_with_hostile_names_are_one_short_readable_line(
    mongo_uri: str, database: Database
) -> None:
    plans = shop.plans(database)
    with shop.running(shop.config_for(mongo_uri, database)):
        for name in HOSTILE * 4:
            license = shop.license(database, shop.customer(database, name), plans["starter"])
        wait_for(lambda: events(database)["license_created", license] == 1, "the last license")

    found = note(mongo_uri, database)
    assert len(found) <= 600
    assert found.splitlines() == [found]
    assert found.startswith("🎉 28 nuovi clienti: ‹script›alert(1)‹/script›, a b c e altri 26 • 🎫 28 nuove licenze: ")
    assert "💰 28 pagamenti ricevuti (€83.72) • " in found
    assert not set(found) & set("\u202e\u200b\x1b")


def test_a_busy_day_of_the_real_dashboard_has_a_bounded_note_with_every_kind_counted(
    mongo_uri: str, database: Database
) -> None:
    dashboard = Dashboard(database, Random(5), triggers=True)
    dashboard.set_up(clock.now())
    with shop.running(shop.config_for(mongo_uri, database)):
        for _ in range(150):
            dashboard.step(clock.now())
        settle(database)
    config = shop.config_for(mongo_uri, database)
    today = business_day(clock.now(), config.time.zone)
    long = config.model_copy(update={"rules": config.rules.model_copy(update={"note_length": 5000})})
    found = Rollup(database, ActiveConfig(long)).row(today)["auto_notes"]

    assert len(note(mongo_uri, database)) <= 600
    kinds = {event["event_type"] for event in database.business_events.find()}
    styles = long.settings().styles
    shown = {kind for kind, style in styles.items() if style.emoji in found} | {"milestone_reached"}
    assert kinds <= shown
