"""The simulated dashboard writes what the real one writes, in the same order for the same seed."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient, monitoring
from pymongo.errors import DuplicateKeyError

from daemon.demo.simulator import ALL_WEIGHTS, WEIGHTS, Dashboard, recount, rows
from daemon.demo.simulator.dashboard import OPERATIONS
from daemon.demo.simulator.names import FIRST, HOSTILE, SECOND
from daemon.mongo.types import Database

NOW = datetime(2025, 8, 20, 9, 30, tzinfo=UTC)
TODAY = datetime(2025, 8, 20, tzinfo=UTC)
LICENSE = {
    *("_id", "license_key", "customer_id", "plan_id", "status", "domain", "activated_at", "expires_at"),
    *("last_check", "last_verified", "usage_count", "metadata", "created_at", "updated_at"),
}
ROW = {
    *("_id", "date", "period_type", "total_customers", "paying_customers", "mrr", "arr", "new_customers"),
    *("churned_customers", "notes", "revenue_by_plan", "auto_events", "created_at", "updated_at"),
}
EVENT = {
    *("_id", "event_type", "event_date", "customer_id", "license_id", "plan_name", "amount", "currency"),
    *("description", "auto_generated", "metadata", "processed", "created_at"),
}


def opened(database: Database, seed: int = 1, **options: Any) -> Dashboard:
    dashboard = Dashboard(database, Random(seed), **options)
    dashboard.set_up(NOW)
    return dashboard


def only(collection: Any, **query: Any) -> dict[str, Any]:
    found: list[dict[str, Any]] = list(collection.find(query))
    assert len(found) == 1
    return found[0]


def happened(database: Database, **query: Any) -> list[str]:
    return [event["event_type"] for event in database.business_events.find(query).sort("_id", 1)]


# -- set-up -----------------------------------------------------------------------------------------------------


def test_the_plans_are_the_four_of_the_dashboard(database: Database) -> None:
    opened(database)

    plans = {plan["name"]: plan for plan in database.plans.find()}
    assert {name: plan["price"] for name, plan in plans.items()} == {
        "starter": 2.99,
        "pro": 7.99,
        "agency": 19.99,
        "founders": 29.0,
    }
    assert (plans["founders"]["is_lifetime"], plans["founders"]["lifetime_limit"]) == (True, 500)
    assert (plans["pro"]["is_lifetime"], plans["pro"]["lifetime_limit"]) == (False, None)


def test_email_key_and_row_are_unique_and_events_have_their_six_indexes(database: Database) -> None:
    dashboard = opened(database)
    dashboard.create_customer(NOW)
    dashboard.create_license(NOW)
    dashboard.save_today(NOW)

    for collection in (database.customers, database.licenses, database.historical_analytics):
        copy = collection.find_one() or {}
        with pytest.raises(DuplicateKeyError):
            collection.insert_one(copy | {"_id": ObjectId()})
    assert len(database.business_events.index_information()) == 7


def test_a_second_set_up_loads_the_existing_shop(database: Database) -> None:
    first = opened(database)
    first.populate(20, NOW - timedelta(days=20), NOW)
    first.reprice("pro", 8.49)

    second = opened(database, seed=2)
    assert sorted(second.customers) == sorted(first.customers)
    assert second.cards.cards == first.cards.cards
    assert second.plans["pro"]["price"] == 8.49
    assert database.plans.count_documents({}) == 4


# -- documents --------------------------------------------------------------------------------------------------


def test_a_customer_of_the_dashboard_has_five_fields_and_one_of_the_api_has_all(database: Database) -> None:
    dashboard = opened(database)
    by_dashboard = only(database.customers, _id=dashboard.create_customer(NOW).customer_id)
    by_api = only(database.customers, _id=dashboard.add_customer(NOW).customer_id)

    assert set(by_dashboard) == {"_id", "name", "email", "created_at", "paddle_customer_id", "metadata"}
    assert set(by_api) == set(by_dashboard) | {"company", "status", "updated_at"}
    assert by_api["company"] == by_api["name"]


def test_customers_have_one_of_sixty_italian_names(database: Database) -> None:
    dashboard = opened(database)
    dashboard.populate(300, NOW - timedelta(days=9), NOW)

    known = {f"{first} {second}" for first in FIRST for second in SECOND}
    assert len(known) == 60
    assert set(database.customers.distinct("name")) <= known


def test_the_api_stores_the_servers_local_time_without_a_zone(database: Database) -> None:
    dashboard = opened(database)
    customer = dashboard.add_customer(NOW)
    license = only(database.licenses, _id=dashboard.add_license(NOW, "pro").license_id)
    rome = NOW + timedelta(hours=2)

    assert only(database.customers, _id=customer.customer_id)["created_at"] == rome
    assert (license["created_at"], license["expires_at"]) == (rome, rome + timedelta(days=30))


def test_a_license_has_every_field_and_no_plan_name_or_price(database: Database) -> None:
    dashboard = opened(database)
    dashboard.create_customer(NOW)
    done = dashboard.create_license(NOW, "pro")
    for_life = dashboard.create_license(NOW, "founders")

    license = only(database.licenses, _id=done.license_id)
    assert set(license) == LICENSE
    assert license["plan_id"] == dashboard.plans["pro"]["_id"]
    assert license["expires_at"] == NOW + timedelta(days=30)
    assert only(database.licenses, _id=for_life.license_id)["expires_at"] is None


def test_license_keys_are_four_groups_of_eight_hex_digits(database: Database) -> None:
    dashboard = opened(database)
    dashboard.populate(30, NOW - timedelta(days=9), NOW)

    pattern = "^CHA(-[0-9A-F]{8}){4}$"
    assert database.licenses.count_documents({"license_key": {"$not": {"$regex": pattern}}}) == 0
    assert database.licenses.count_documents({}) > 20


def test_both_styles_of_update_occur(database: Database) -> None:
    dashboard = opened(database)
    dashboard.populate(20, NOW - timedelta(days=9), NOW)
    with database.licenses.watch([]) as stream:
        for minute in range(40):
            dashboard.change_plan(NOW + timedelta(minutes=minute))
        styles = Counter(stream.next()["operationType"] for _ in range(40))

    assert styles["update"] > styles["replace"] > 0
    assert styles.total() == 40


def test_a_license_past_its_term_is_set_expired_only_when_it_is_validated(database: Database) -> None:
    dashboard = opened(database)
    dashboard.create_customer(NOW)
    dashboard.create_license(NOW, "pro")
    done = dashboard.let_expire(NOW, within=timedelta(seconds=2))
    later = NOW + timedelta(seconds=3)
    before = only(database.licenses, _id=done.license_id)

    assert before["status"] == "active"
    assert recount(database, NOW)["active_licenses"] == 1
    assert recount(database, later)["active_licenses"] == 0
    assert dashboard.expire(NOW).written == 0
    assert dashboard.expire(later).written == 1
    assert only(database.licenses, _id=done.license_id)["status"] == "expired"


def test_licenses_of_a_deleted_customer_are_deleted_or_orphaned(database: Database) -> None:
    dashboard = opened(database)
    dashboard.populate(60, NOW - timedelta(days=9), NOW)
    deleted = [dashboard.delete_customer(NOW) for _ in range(40)]

    assert database.customers.count_documents({}) == len(dashboard.customers) == 20
    assert database.licenses.count_documents({}) == len(dashboard.licenses)
    orphans = database.licenses.count_documents({"customer_id": {"$in": [done.customer_id for done in deleted]}})
    assert 0 < orphans < 40


def test_a_new_price_changes_only_the_price_of_the_plan(database: Database) -> None:
    dashboard = opened(database)
    before = only(database.plans, name="pro")
    dashboard.reprice("pro", 9.99)

    assert only(database.plans, name="pro") == before | {"price": 9.99}


# -- events of the dashboard ------------------------------------------------------------------------------------


def test_a_dashboard_without_triggers_writes_no_event(database: Database) -> None:
    dashboard = opened(database)
    for _ in range(100):
        dashboard.step(NOW)

    assert database.business_events.count_documents({}) == 0


def test_a_dashboard_with_triggers_writes_the_events_of_a_sale_milliseconds_later(database: Database) -> None:
    dashboard = opened(database, triggers=True)
    dashboard.create_customer(NOW)
    done = dashboard.create_license(NOW, "pro")

    assert happened(database, license_id=done.license_id) == ["license_created", "payment_completed"]
    event = database.business_events.find_one({"license_id": done.license_id})
    assert event is not None
    assert set(event) == EVENT
    assert timedelta(0) < event["event_date"] - NOW < timedelta(seconds=1)
    assert (event["plan_name"], event["amount"], event["processed"]) == ("pro", 7.99, False)


def test_the_document_is_written_before_its_event(database: Database) -> None:
    seen: list[int] = []
    dashboard = opened(database, triggers=True, pause=lambda: seen.append(database.customers.count_documents({})))
    dashboard.create_customer(NOW)

    assert seen == [1]
    assert happened(database) == ["new_customer"]


def test_the_api_writes_no_event_even_with_triggers(database: Database) -> None:
    dashboard = opened(database, triggers=True)
    for _ in range(12):
        dashboard.add_customer(NOW)
        dashboard.add_license(NOW)

    assert happened(database) == []


def test_a_crossed_milestone_is_repeated_at_every_creation_of_that_day_only(database: Database) -> None:
    dashboard = opened(database, triggers=True)
    for _ in range(12):
        dashboard.create_customer(NOW)
    for _ in range(5):
        dashboard.create_customer(NOW + timedelta(days=1))

    milestones = database.business_events.find({"event_type": "milestone_reached"})
    assert [(event["metadata"], event["event_date"] < NOW + timedelta(hours=1)) for event in milestones] == [
        ({"milestone_type": "customers", "milestone_value": 10}, True)
    ] * 3


def test_a_manual_license_belongs_to_the_placeholder_and_counts_down_the_founders(database: Database) -> None:
    dashboard = opened(database, triggers=True)
    first, second = dashboard.insert_manual_license(NOW), dashboard.insert_manual_license(NOW)

    placeholder = only(database.customers, email="manual@chatello.io")
    assert first.customer_id == second.customer_id == placeholder["_id"]
    assert only(database.licenses, _id=first.license_id)["metadata"] == {"source": "manual_insert"}
    assert happened(database, license_id=first.license_id) == ["license_created", "milestone_reached"]
    sale = only(database.business_events, license_id=second.license_id, event_type="milestone_reached")
    assert sale["metadata"]["founders_remaining"] == 498


def test_entering_a_known_key_sets_the_license_active_again(database: Database) -> None:
    dashboard = opened(database)
    dashboard.create_customer(NOW)
    dashboard.create_license(NOW, "pro")
    cancelled = dashboard.cancel(NOW)
    key = only(database.licenses)["license_key"]
    again = dashboard.insert_manual_license(NOW, key)

    assert again.license_id == cancelled.license_id
    assert only(database.licenses)["status"] == "active"


def test_founders_that_are_sold_out_become_pro(database: Database) -> None:
    dashboard = opened(database)
    dashboard.plans["founders"]["lifetime_limit"] = 2

    sold = [dashboard.insert_manual_license(NOW).plan for _ in range(3)]
    assert sold == ["founders", "founders", "pro"]


# -- randomness -------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_documents_to_the_last_id(
    client: MongoClient[dict[str, Any]], database: Database
) -> None:
    other = client.get_database(f"{database.name}_copy", codec_options=database.codec_options)
    results, contents = [], []
    for db in (database, other):
        dashboard = opened(db, seed=7, triggers=True, hostile=True)
        dashboard.create_history(TODAY - timedelta(days=10), TODAY)
        moments = (NOW + timedelta(seconds=n) for n in range(300))
        results.append([dashboard.step(now, ALL_WEIGHTS) for now in moments])
        names = ("customers", "licenses", "plans", "payments", "usage_logs", "business_events")
        contents.append({name: list(db[name].find().sort("_id", 1)) for name in names})
    client.drop_database(other.name)

    assert results[0] == results[1]
    assert contents[0] == contents[1]
    assert len({done.operation for done in results[0]}) > 12


def test_another_seed_gives_other_operations(database: Database, client: MongoClient[dict[str, Any]]) -> None:
    other = client.get_database(f"{database.name}_copy", codec_options=database.codec_options)
    dashboards = (opened(database, seed=1), opened(other, seed=2))
    results = [[dashboard.step(NOW).operation for _ in range(20)] for dashboard in dashboards]
    client.drop_database(other.name)

    assert results[0] != results[1]


def test_steps_follow_the_weights_and_every_weight_names_an_operation(database: Database) -> None:
    dashboard = opened(database)
    first = [dashboard.step(NOW, {"cancel": 1}).operation for _ in range(2)]

    assert first == ["create_customer", "create_license"]
    assert {dashboard.step(NOW, {"cancel": 1}).operation for _ in range(3)} == {"cancel"}
    assert set(WEIGHTS) < set(ALL_WEIGHTS) < set(OPERATIONS)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_operation_returns_its_own_name(database: Database, operation: str) -> None:
    dashboard = opened(database)
    dashboard.populate(10, NOW - timedelta(days=9), NOW)
    done = OPERATIONS[operation](dashboard, NOW)

    assert operation in (done.operation, f"{done.operation}_some")


def test_hostile_names_are_used_only_on_request(database: Database) -> None:
    quiet, loud = opened(database), opened(database, seed=2, hostile=True)
    for _ in range(50):
        quiet.create_customer(NOW)
    assert database.customers.count_documents({"name": {"$in": list(HOSTILE)}}) == 0
    for _ in range(50):
        loud.create_customer(NOW)

    assert database.customers.count_documents({"name": {"$in": list(HOSTILE)}}) > 3


# -- touches ----------------------------------------------------------------------------------------------------


class Commands(monitoring.CommandListener):
    """Counts the commands sent to the server."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent[event.command_name] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def test_ten_thousand_touches_are_ten_thousand_updates_in_one_round_trip(mongo_uri: str, database: Database) -> None:
    opened(database).populate(50, NOW - timedelta(days=9), NOW)
    commands = Commands()
    client: MongoClient[dict[str, Any]]
    with MongoClient(mongo_uri, tz_aware=True, event_listeners=[commands]) as client:
        dashboard = Dashboard(client[database.name], Random(1))
        dashboard.set_up(NOW)
        before = list(database.licenses.find().sort("_id", 1))
        commands.sent.clear()
        dashboard.touch(10_000, NOW + timedelta(minutes=1))
        sent = dict(commands.sent)

    after = list(database.licenses.find().sort("_id", 1))
    assert sent == {"update": 1}
    assert sum(license["usage_count"] for license in after) == 10_000
    noise = {"last_check", "last_verified", "updated_at", "usage_count"}
    changed = {name for old, new in zip(before, after, strict=True) for name in old if old[name] != new[name]}
    assert changed == noise


# -- the analytics table ----------------------------------------------------------------------------------------


def test_save_today_replaces_the_whole_row_with_the_dashboards_fields(database: Database) -> None:
    dashboard = opened(database)
    dashboard.populate(12, NOW - timedelta(days=9), NOW)
    daemon_row = {"date": TODAY, "period_type": "daily", "final": False, "auto_notes": "x", "revision": 3}
    database.historical_analytics.insert_one(dict(daemon_row))
    dashboard.save_today(NOW)

    row, totals = only(database.historical_analytics), recount(database, NOW)
    assert set(row) == ROW
    assert row["paying_customers"] == totals["active_licenses"]
    assert (row["mrr"], row["total_customers"]) == (totals["mrr_cents"] / 100, 12)


def test_save_today_includes_the_days_events(database: Database) -> None:
    dashboard = opened(database, triggers=True)
    dashboard.insert_manual_license(NOW)
    dashboard.save_today(NOW)

    row = only(database.historical_analytics)
    assert [entry["type"] for entry in row["auto_events"]] == ["new_customer", "license_created", "milestone_reached"]
    assert {"type", "description", "time", "customer_id", "amount"} == set(row["auto_events"][0])
    assert row["auto_events"][0]["time"] == "09:30"
    assert row["notes"].startswith(
        "Nuovo cliente registrato: Manual License (manual@chatello.io) • Licenza founders inserita"
    )
    assert database.business_events.count_documents({"processed": False}) == 0


def test_editing_a_note_changes_nothing_else_of_the_row(database: Database) -> None:
    dashboard = opened(database)
    later = NOW + timedelta(minutes=5)
    nothing = dashboard.edit_note(NOW, text="Ciao")
    dashboard.save_today(NOW)
    before = only(database.historical_analytics)
    dashboard.edit_note(later, text="Ciao")

    assert nothing.written == 0
    assert only(database.historical_analytics) == before | {"notes": "Ciao", "updated_at": later}


def test_the_old_cron_deletes_events_older_than_ninety_days(database: Database) -> None:
    dashboard = opened(database, triggers=True)
    dashboard.insert_manual_license(NOW - timedelta(days=91))
    dashboard.run_old_cron(NOW)

    left = only(database.business_events)
    assert left["metadata"] == {"realistic_simulation": True}
    assert only(database.historical_analytics)["date"] == TODAY


# -- history ----------------------------------------------------------------------------------------------------


def test_populate_spreads_customers_over_the_weeks_and_some_licenses_have_ended(database: Database) -> None:
    since = NOW - timedelta(days=42)
    dashboard = opened(database)
    dashboard.populate(300, since, NOW)

    created = [customer["created_at"] for customer in database.customers.find()]
    assert since <= min(created) < since + timedelta(days=3)
    assert NOW - timedelta(days=3) < max(created) <= NOW
    assert set(database.licenses.distinct("status")) == {"active", "cancelled", "expired", "suspended"}
    assert database.licenses.count_documents({"status": "active", "expires_at": {"$lt": NOW}}) > 0
    assert database.licenses.count_documents({"status": "expired", "expires_at": {"$gt": NOW}}) == 0
    assert database.licenses.count_documents({"created_at": {"$gt": NOW}}) == 0
    assert database.business_events.count_documents({}) == 0


def test_the_rows_of_earlier_days_follow_the_dates_in_the_documents(database: Database) -> None:
    dashboard = opened(database)
    shop = {"first": 30, "second": 20}
    for plan, days in (("pro", shop["first"]), ("founders", shop["second"])):
        dashboard.create_customer(NOW - timedelta(days=days))
        create_license_without_end(dashboard, plan, NOW - timedelta(days=days))
    database.licenses.update_one(
        {"plan_id": dashboard.plans["pro"]["_id"]},
        {"$set": {"status": "cancelled", "updated_at": NOW - timedelta(days=10)}},
    )
    written = {row["date"]: row for row in rows(database, TODAY - timedelta(days=31), TODAY - timedelta(days=1))}

    def numbers(days: int) -> tuple[Any, ...]:
        row = written[TODAY - timedelta(days=days)]
        return row["total_customers"], row["paying_customers"], row["mrr"], row["churned_customers"]

    assert numbers(31) == (0, 0, 0.0, 0)
    assert numbers(30) == numbers(21) == (1, 1, 7.99, 0)
    assert numbers(20) == numbers(11) == (2, 2, 7.99, 0)
    assert numbers(10) == (2, 1, 0.0, 1)
    assert numbers(9) == numbers(1) == (2, 1, 0.0, 0)


def create_license_without_end(dashboard: Dashboard, plan: str, at: datetime) -> None:
    """Create a license of the newest customer, with UTC dates and without an end."""
    done = dashboard.create_license(at, plan, list(dashboard.customers)[-1])
    dates = {"created_at": at, "updated_at": at, "expires_at": None}
    dashboard.db.licenses.update_one({"_id": done.license_id}, {"$set": dates})


def test_the_last_earlier_row_equals_a_recount_at_its_midnight(database: Database) -> None:
    dashboard = opened(database, seed=5)
    dashboard.create_history(TODAY - timedelta(days=28), TODAY, customers=120)

    found = list(database.historical_analytics.find().sort("date", 1))
    totals, last = recount(database, TODAY), found[-1]
    assert [row["date"] for row in found] == [TODAY - timedelta(days=n) for n in range(28, 0, -1)]
    assert all(set(row) == ROW for row in found)
    assert (last["total_customers"], last["paying_customers"]) == (totals["customers"], totals["active_licenses"])
    assert round(last["mrr"] * 100) == totals["mrr_cents"]
    assert all(row["arr"] == round(row["mrr"] * 12, 2) for row in found)
    assert sum(row["new_customers"] for row in found) == 120


def test_earlier_rows_have_notes_in_the_format_of_the_table(database: Database) -> None:
    dashboard = opened(database, seed=5)
    dashboard.create_history(TODAY - timedelta(days=28), TODAY, customers=120)

    notes = database.historical_analytics.distinct("notes")
    for words in ("🎉 Nuovo cliente: ", "🎫 Nuova licenza ", "💰 Pagamento ricevuto: €", "🎉 Raggiunti 100 clienti"):
        assert any(words in note for note in notes), words
    assert any(" • " in note for note in notes)
    assert all("\n" not in note for note in notes)


# -- the recount ------------------------------------------------------------------------------------------------


def test_a_recount_excludes_lifetime_plans_from_mrr_but_not_from_paying_customers(database: Database) -> None:
    dashboard = opened(database)
    owner = dashboard.create_customer(NOW).customer_id
    for plan in ("pro", "agency", "founders"):
        dashboard.create_license(NOW, plan, owner)
    dashboard.create_customer(NOW)

    assert recount(database, NOW) == {
        "customers": 2,
        "paying_customers": 1,
        "active_licenses": 3,
        "mrr_cents": 799 + 1999,
    }
    assert recount(database, NOW + timedelta(days=40)) == {
        "customers": 2,
        "paying_customers": 1,
        "active_licenses": 1,
        "mrr_cents": 0,
    }


def test_a_recount_ends_a_license_at_the_time_it_expires(database: Database) -> None:
    dashboard = opened(database)
    dashboard.create_customer(NOW)
    dashboard.create_license(NOW, "starter")
    end = only(database.licenses)["expires_at"]

    assert recount(database, end - timedelta(milliseconds=1))["mrr_cents"] == 299
    assert recount(database, end)["mrr_cents"] == 0


def test_the_dashboards_state_equals_the_database(database: Database) -> None:
    dashboard = opened(database, seed=11)
    dashboard.populate(40, NOW - timedelta(days=20), NOW)
    for second in range(400):
        dashboard.step(NOW + timedelta(seconds=second), ALL_WEIGHTS)

    at = NOW + timedelta(seconds=400)
    active = [key for key in dashboard.licenses if dashboard.cards[key].is_active(at)]
    assert len(active) == recount(database, at)["active_licenses"]
    assert len(dashboard.customers) == recount(database, at)["customers"]


def test_a_price_that_no_dashboard_writes_is_rejected_and_not_miscounted(database: Database) -> None:
    dashboard = opened(database)
    dashboard.create_customer(NOW)
    dashboard.create_license(NOW, "pro")
    database.plans.update_one({"name": "pro"}, {"$set": {"billing_period": "year"}})

    with pytest.raises(ValueError, match="only monthly plans"):
        recount(database, NOW)
