"""A license that replaces another one, on the real replica set: also if the other half was committed long before."""

from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store import documents, indexes
from daemon.store.ledger import day_sums as stored_flows
from daemon.store.ledger import reader as ledger
from rules.business_days import business_day
from rules.model.changes import Change
from rules.revenue import day_sums
from tests import shop
from tests.oracle import assert_each_event_once, assert_ledger_consistent, events, recount, totals
from tests.rules.histories import busy_customers
from tests.rules.shop import Shop
from tests.shop_history import ShopHistory, config_of, local, row_of


@pytest.mark.parametrize("order", ["ended first", "begun first"])
def test_the_second_half_withdraws_what_an_earlier_batch_told_of_the_first(
    mongo_uri: str, database: Database, order: str
) -> None:
    plans = shop.plans(database)
    old = shop.license(database, ada := shop.customer(database, "Ada"), plans["pro"])
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        if order == "ended first":
            database.licenses.update_one({"_id": old}, {"$set": {"status": "cancelled"}})
            wait_for(lambda: events(database)["license_cancelled", old] == 1, "the cancellation")
            new = shop.license(database, ada, plans["agency"])
        else:
            new = shop.license(database, ada, plans["agency"])
            wait_for(lambda: events(database)["license_created", new] == 1, "the license")
            database.licenses.update_one({"_id": old}, {"$set": {"status": "cancelled"}})
        wait_for(lambda: events(database)["plan_upgraded", new] == 1, "the change of plan")

    assert sorted(event["event_type"] for event in database.business_events.find()) == [
        "payment_completed",
        "plan_upgraded",
    ]
    changed = database.business_events.find_one({"event_type": "plan_upgraded"}) or {}
    assert (changed["metadata"]["previous_license"], changed["metadata"]["previous_plan"]) == (old, "pro")
    assert_ledger_consistent(database)
    row = Rollup(database, ActiveConfig(config)).row(business_day(clock.now(), config.time.zone))
    moved = {kind: sums for kind, sums in row["mrr_movements"].items() if sums["count"] and kind != "opening"}
    assert moved == {"expansion": {"count": 1, "amount": 12.0}}
    assert (row["churned_customers"], row["mrr"]) == (0, 19.99)
    assert row["auto_notes"] == "💰 Pagamento ricevuto: €19.99 • ⬆️ Upgrade Pro → Agency: Ada"


def test_a_dashboard_that_tells_the_new_license_itself_keeps_its_word(mongo_uri: str, database: Database) -> None:
    dashboard = Dashboard(database, Random(7), triggers=True)
    dashboard.set_up(clock.now())
    ada = dashboard.create_customer(clock.now(), "Ada").customer_id
    old = dashboard.create_license(clock.now(), "pro", ada).license_id
    with shop.running(shop.config_for(mongo_uri, database)):
        database.licenses.update_one({"_id": old}, {"$set": {"status": "cancelled"}})
        wait_for(lambda: events(database)["license_cancelled", old] == 1, "the cancellation")
        new = dashboard.create_license(clock.now(), "starter", ada).license_id
        wait_for(lambda: events(database)["plan_downgraded", new] == 1, "the change of plan")
        wait_for(lambda: totals(database) == recount(database), "the books")
        wait_for(lambda: events(database)["payment_completed", new] == 1, "our payment to be withdrawn")

    told = events(database)
    assert (told["license_created", new], told["payment_completed", new], told["license_cancelled", old]) == (1, 1, 0)
    assert_ledger_consistent(database)


def test_customers_who_change_their_minds_leave_books_that_balance(mongo_uri: str, database: Database) -> None:
    """Many cancellations and purchases of few customers, through the pretend dashboard and batches of any size."""
    dashboard = Dashboard(database, Random(11))
    dashboard.set_up(clock.now())
    weights = {"create_license": 4, "cancel": 5, "reactivate": 2, "delete_license": 1, "change_plan": 1, "suspend": 1}
    unlimited = {"max_deleted": 150}
    with shop.running(shop.config_for(mongo_uri, database, stream={"batch_size": 3}, reconciliation=unlimited)):
        for _ in range(6):
            dashboard.create_customer(clock.now())
        for _ in range(150):
            dashboard.step(clock.now(), weights)
        last = shop.customer(database, "the last one")
        wait_for(lambda: events(database)["new_customer", last] == 1, "the last customer")

    assert_ledger_consistent(database)
    assert_each_event_once(database)
    assert database.business_events.count_documents({"metadata.previous_license": {"$exists": True}}) > 5
    assert database.analytics_ledger.count_documents({"count": -1}) > 5


def test_a_plan_changed_over_midnight_never_left_and_both_rows_say_so(database: Database) -> None:
    indexes.create(database)
    life, evening = ShopHistory(database, local(date(2025, 6, 1))), date(2025, 6, 10)
    life.customer(local(date(2025, 6, 1), 9), "ada")
    life.license(local(date(2025, 6, 1), 9), "A", "ada")
    life.set(local(evening, 23, 50), "A", status="cancelled")
    life.store(local(evening, 23, 55))
    nightly = Rollup(database, ActiveConfig(config_of(database)))
    left = nightly.row(evening)
    life.license(local(date(2025, 6, 11), 0, 40), "B", "ada", "agency")
    life.store(local(date(2025, 6, 12), 7), reopen=True)
    nightly.close_missing(local(date(2025, 6, 12), 7))

    assert (left["churned_customers"], left["mrr"], left["auto_notes"]) == (1, 0.0, "😞 Licenza Pro cancellata: ada")
    stayed, moved = row_of(database, evening), row_of(database, date(2025, 6, 11))
    assert (stayed["churned_customers"], stayed["mrr"], stayed["auto_notes"]) == (0, 7.99, "")
    assert (stayed["paying_customers"], stayed["active_licenses"], stayed["subscribers"]) == (1, 1, 1)
    assert stayed["mrr_movements"]["churn"] == {"count": 0, "amount": 0.0}
    assert (moved["mrr"], moved["churned_customers"], moved["reactivated_customers"]) == (19.99, 0, 0)
    assert moved["mrr_movements"]["expansion"] == {"count": 1, "amount": 12.0}
    assert "⬆️ Upgrade Pro → Agency: ada" in moved["auto_notes"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(busy_customers())
def test_the_server_adds_up_days_with_changes_of_plan_as_the_rules_do(
    database: Database, history: list[Change]
) -> None:
    database.analytics_ledger.delete_many({})
    lines = Shop().follow(history).movements
    if not lines:
        return
    days = [line.at.date() for line in lines]
    stored = [
        documents.movement_document(line, place, day)
        for place, (line, day) in enumerate(zip(lines, days, strict=True), 1)
    ]
    database.analytics_ledger.insert_many(stored)

    found = stored_flows.by_day(database, min(days), max(days))

    expected = {
        day: day_sums.of_day(line for line, on in zip(lines, days, strict=True) if on == day) for day in set(days)
    }
    assert found == expected
    assert [documents.movement_of(document) for document in stored] == lines
    peaks = ledger.totals_and_peaks_before(database, max(days) + timedelta(days=1))[1]
    assert peaks is not None
    assert peaks.mrr_cents == max(_heights(lines, "mrr_cents"))
    assert peaks.active_licenses == max(_heights(lines, "active_licenses"))


def _heights(lines: list[Any], name: str) -> list[int]:
    """What a number stood at behind each line that is not taken back or booked again."""
    height, heights = 0, []
    for line in lines:
        if line.count == 1:
            height += getattr(line, name)
            heights.append(height)
    return heights
