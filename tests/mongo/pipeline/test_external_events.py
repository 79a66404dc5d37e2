"""A dashboard that writes its own events beside ours: each fact stands once, and theirs is the one that stays."""

from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store import checkpoint as checkpoints
from daemon.store import gaps
from rules import business_days
from rules.business_days import business_day
from rules.model.events import Event, EventType
from tests import shop
from tests.oracle import assert_ledger_consistent, events, recount, totals

OURS = {"metadata.source": "chatello-analytics"}


def theirs(db: Database) -> list[dict[str, Any]]:
    return list(db.business_events.find({"metadata.source": {"$ne": "chatello-analytics"}}).sort("_id", 1))


def assert_each_sale_stands_once(db: Database) -> None:
    told = events(db)
    for kind, collection in (("new_customer", "customers"), ("license_created", "licenses")):
        for document in db[collection].find({}, {"_id": 1}):
            assert told[kind, document["_id"]] == 1, (kind, document)


def test_each_fact_stands_once_beside_a_dashboard_with_triggers_and_its_documents_are_left_alone(
    mongo_uri: str, database: Database
) -> None:
    dashboard = Dashboard(database, Random(11), triggers=True)
    dashboard.set_up(clock.now())
    with shop.running(shop.config_for(mongo_uri, database, stream={"batch_size": 3})):
        for _ in range(80):
            dashboard.step(clock.now())
        written = theirs(database)
        wait_for(lambda: totals(database) == recount(database), "the books to follow")
        last = shop.customer(database, "last", email="last@example.com")
        wait_for(lambda: events(database)["new_customer", last] == 1, "the last event")
        assert_each_sale_stands_once(database)

    assert theirs(database) == written
    payments = Counter(e["license_id"] for e in database.business_events.find({"event_type": "payment_completed"}))
    created = {e["license_id"] for e in written if e["event_type"] == "payment_completed"}
    first_payments = database.business_events.count_documents(
        {**OURS, "event_type": "payment_completed", "metadata.key": {"$regex": r"^payment_completed:[^:]+$"}}
    )
    assert created
    assert first_payments == len(payments.keys() - created)
    assert_ledger_consistent(database)


def test_twins_written_while_the_daemon_was_away_are_found_by_stream_and_by_reconciliation(
    mongo_uri: str, database: Database
) -> None:
    dashboard = Dashboard(database, Random(12), triggers=True)
    dashboard.set_up(clock.now())
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        pass
    dashboard.create_customer(clock.now())
    dashboard.create_license(clock.now())
    with shop.running(config):
        wait_for(lambda: totals(database) == recount(database), "the books to follow")
        wait_for(lambda: database.business_events.count_documents(OURS) == 0, "ours to be withdrawn")
        assert_each_sale_stands_once(database)
    dashboard.create_customer(clock.now())
    dashboard.create_license(clock.now())
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"fingerprint": "another filter"}})
    with shop.running(config):
        wait_for(lambda: totals(database) == recount(database), "the reconciliation")

    assert_each_sale_stands_once(database)
    assert database.business_events.count_documents(OURS) == 0


def test_twins_that_come_in_a_gap_of_facts_told_before_it_withdraw_ours_once(
    mongo_uri: str, database: Database
) -> None:
    """The document was received, its external event was not: the stream continues after both."""
    plans = shop.plans(database)
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        license = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
        wait_for(lambda: database.business_events.count_documents(OURS) == 3, "ours")
    about = {"event_date": clock.now(), "customer_id": ada, "license_id": license, "amount": 7.99}
    kinds = ("new_customer", "license_created", "payment_completed")
    told = [{**about, "event_type": kind, "description": "loro"} for kind in kinds]
    told.append({"event_type": "media_mention", "event_date": clock.now() - timedelta(days=3), "description": "Wired"})
    database.business_events.insert_many(told)
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"fingerprint": "another filter"}})
    with shop.running(config):
        wait_for(lambda: gaps.count_open(database) == 0, "the reconciliation")
        reopened = [entry["day"] for entry in checkpoints.reopened_days(database)]
        ours = database.business_events.count_documents(OURS)
        gaps.open_gap(database, "requested", "once more, over the same moment", None, clock.now())
        wait_for(lambda: gaps.count_open(database) == 0, "the second one")
        database.licenses.update_one({"_id": license}, {"$set": {"expires_at": clock.now() + timedelta(days=30)}})
        database.licenses.update_one({"_id": license}, {"$set": {"expires_at": clock.now() + timedelta(days=60)}})
        wait_for(lambda: events(database)["license_renewed", license] == 1, "the renewal")

    assert ours == 0
    assert reopened == [business_days.stored(business_day(clock.now() - timedelta(days=3), config.time.zone))]
    assert Counter(kind for kind, _ in events(database).elements()) == Counter(
        [*kinds, "media_mention", "license_renewed", "payment_completed"]
    )


def test_a_milestone_the_dashboard_repeats_counts_once_in_the_note(mongo_uri: str, database: Database) -> None:
    config = shop.config_for(mongo_uri, database)
    shop.plans(database)
    with shop.running(config):
        for minutes in range(3):
            database.business_events.insert_one(
                {
                    "event_type": "milestone_reached",
                    "event_date": clock.now() + timedelta(milliseconds=minutes),
                    "description": "🎉 Raggiunti 25 clienti totali!",
                    "metadata": {"milestone_type": "customers", "milestone_value": 25},
                }
            )
    today = business_day(clock.now(), config.time.zone)

    note = Rollup(database, ActiveConfig(config)).row(today)["auto_notes"]
    assert note.count("25 clienti") == 1
    assert database.business_events.count_documents({}) == 3


def _date_event(name: str, value: str, **more: Any) -> dict[str, Any]:
    kind = "marketing_campaign" if name == "special_date" else "milestone_reached"
    return {
        "event_type": kind,
        "event_date": clock.now(),
        "description": f"loro: {name}",
        "metadata": {name: value},
        **more,
    }


def test_a_date_a_week_and_a_month_that_the_dashboard_tells_too_stand_once_before_and_after_ours(
    mongo_uri: str, database: Database
) -> None:
    config = shop.config_for(mongo_uri, database)
    today = business_day(clock.now(), config.time.zone)
    month_day = f"{today:%m-%d}"
    kinds = {"special_date": month_day, "week_start": "2026-01", "month_start": "2026-01"}
    keys = [f"calendar:{today}", "week:2026-01", "month:2026-01"]
    ours = [
        Event(key, EventType(_date_event(name, value)["event_type"]), clock.now(), "nostro", metadata={name: value})
        for key, (name, value) in zip(keys, kinds.items(), strict=True)
    ]
    before, *after = kinds.items()
    database.business_events.insert_one(_date_event(*before))
    with shop.running(config) as run:
        assert run.leader is not None
        run.leader.jobs.put(lambda pipeline: pipeline.record(list(ours), {}))
        wait_for(lambda: database.business_events.count_documents(OURS) == 2, "those without an external event")
        theirs_after = [_date_event(*one) for one in after] + [_date_event(*after[0]), _date_event(*before)]
        database.business_events.insert_many(theirs_after)
        wait_for(lambda: database.business_events.count_documents(OURS) == 0, "ours to be withdrawn")

    note = Rollup(database, ActiveConfig(config)).row(today)["auto_notes"]
    assert note.count("loro") == 3
