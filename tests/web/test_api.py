"""The API in the dashboard's shapes, over a real socket and a real replica set, beside the running daemon."""

import csv
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient

from daemon import clock
from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules import business_days
from tests import shop
from tests.web.conftest import Doors

CREATE, LIST = "/api/create_business_event", "/api/get_recent_events"
EVENT = {"event_type": "partnership", "description": "Accordo con WP Engine"}


def told(db: Database, description: str, at: datetime, **more: Any) -> ObjectId:
    event = {"event_type": "maintenance", "event_date": at, "description": description, **more}
    made: ObjectId = db.business_events.insert_one(event).inserted_id
    return made


def listed(door: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = door.get(LIST, params=query)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["events"]
    assert answer.json()["total"] == len(events)
    return events


def pages(door: httpx.Client, path: str, name: str, **query: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while True:
        answer = door.get(path, params={**query, **({"cursor": cursor} if cursor else {})}).json()
        assert answer["success"], answer
        found.append(answer[name])
        cursor = answer["next_cursor"]
        if cursor is None:
            return found


# -- events ---------------------------------------------------------------------------------------------------


def test_an_event_that_is_told_stands_in_the_dashboards_shape(door: httpx.Client, database: Database) -> None:
    customer = ObjectId()
    told: dict[str, Any] = {
        **EVENT,
        "description": "Accordo\ncon \u202eWP",
        "customer_id": str(customer).upper(),
        "license_id": "L-1",
    }
    told |= {"plan_name": "pro", "amount": 12, "currency": "USD", "metadata": {"by": {"name": "Ada"}, "tags": ["a", 1]}}
    answer = door.post(CREATE, json=told)

    assert answer.status_code == 200, answer.text
    [stored] = database.business_events.find()
    assert answer.json() == {"success": True, "event_id": str(stored["_id"]), "message": "event stored"}
    assert {name: stored[name] for name in ("event_type", "description", "customer_id", "license_id")} == {
        "event_type": "partnership",
        "description": "Accordo con WP",
        "customer_id": customer,
        "license_id": "L-1",
    }
    assert (stored["plan_name"], stored["amount"], stored["currency"]) == ("pro", 12, "USD")
    assert stored["metadata"] == {"by": {"name": "Ada"}, "tags": ["a", 1], "source": "api"}
    assert (stored["auto_generated"], stored["processed"]) == (False, False)
    assert abs(stored["event_date"] - clock.now()) < timedelta(seconds=30)


def test_nobody_passes_an_event_off_as_ours(door: httpx.Client, database: Database) -> None:
    door.post(CREATE, json={**EVENT, "metadata": {"source": "chatello-analytics"}})
    door.post(CREATE, json={**EVENT, "metadata": {"source": "deploy"}})

    assert [event["metadata"]["source"] for event in database.business_events.find()] == ["api", "deploy"]


def test_the_same_idempotency_key_is_one_event_and_with_another_body_a_conflict(
    door: httpx.Client, database: Database
) -> None:
    key = {"Idempotency-Key": "deploy-7"}
    dated = {**EVENT, "event_date": "2026-01-02T09:30:00+01:00"}
    answers = [door.post(CREATE, json={**EVENT, "amount": 1.5, "metadata": {"a": [1]}}, headers=key) for _ in range(3)]
    other = door.post(CREATE, json=EVENT, headers=key)
    twice = [door.post(CREATE, json=dated, headers={"Idempotency-Key": "dated"}).status_code for _ in range(2)]
    moved = {**EVENT, "event_date": "2026-01-03T09:30:00+01:00"}

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    assert (other.status_code, "says something else" in other.json()["error"]) == (409, True)
    assert twice == [200, 200]
    assert door.post(CREATE, json=moved, headers={"Idempotency-Key": "dated"}).status_code == 409
    assert database.business_events.count_documents({}) == 2


def test_one_key_from_many_at_once_is_one_event(door: httpx.Client, database: Database) -> None:
    key = {"Idempotency-Key": "k"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: door.post(CREATE, json=EVENT, headers=key), range(24)))

    assert {answer.status_code for answer in answers} == {200}
    assert database.business_events.count_documents({}) == 1


def test_an_event_told_late_amends_the_row_of_its_closed_day(
    mongo_uri: str, database: Database, door: httpx.Client
) -> None:
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        nightly = Rollup(database, config)
        day = business_days.business_day(nightly.now(), config.time.zone) - 3 * business_days.ONE_DAY
        shop.begin_ledger(database, day)
        nightly.write(day, final=True)
        told = door.post(CREATE, json={**EVENT, "event_date": f"{day}T12:00:00Z"})
        reopened = "reopened.day"
        shop.until(
            lambda: business_days.stored(day) in database.analytics_checkpoint.distinct(reopened),
            "the day to be reopened",
        )
        nightly.close_missing(nightly.now())

    [row] = database.historical_analytics.find({"date": business_days.stored(day)})
    assert told.status_code == 200
    assert row["notes"] == "🤝 Accordo con WP Engine"


def test_an_event_is_told_of_the_past_only(door: httpx.Client, database: Database) -> None:
    for moment, expected in {
        "2026-01-02T09:30:00+01:00": 200,
        "2999-01-01T00:00:00Z": 409,
        "1999-12-31T00:00:00Z": 409,
        "0001-01-01T00:00:00+14:00": 409,
        "2026-01-02T09:30:00": 422,
        "2026-02-30T00:00:00Z": 422,
        "2026-02-20T24:00:00Z": 422,
        "10000-01-01T00:00:00Z": 422,
        "ieri": 422,
    }.items():
        assert door.post(CREATE, json={**EVENT, "event_date": moment}).status_code == expected, moment
    assert database.business_events.distinct("event_date") == [datetime(2026, 1, 2, 8, 30, tzinfo=UTC)]


def test_recent_events_are_the_newest_first_with_the_names_of_their_customers(
    mongo_uri: str, database: Database, door: httpx.Client
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = shop.customer(database, "Ada\u202e <b>")
        shop.until(lambda: database.business_events.count_documents({"customer_id": customer}) == 1, "its event")
    now = clock.now()
    told(database, "by id", now + timedelta(seconds=1), customer_id=customer, amount=7.99)
    told(database, "by text", now + timedelta(seconds=2), customer_id=str(customer))
    told(database, "unknown", now + timedelta(seconds=3), customer_id=ObjectId())
    told(database, "old", now - timedelta(days=8))
    events = listed(door)

    assert [(event["description"], event["customer_name"]) for event in events] == [
        ("unknown", None),
        ("by text", "Ada <b>"),
        ("by id", "Ada <b>"),
        ("Nuovo cliente: Ada <b>", "Ada <b>"),
    ]
    assert list(events[2]) == [
        *("id", "event_type", "description", "event_date", "customer_name"),
        *("plan_name", "amount", "currency", "processed", "auto_generated"),
    ]
    assert events[2]["amount"] == 7.99
    assert events[2]["event_date"] == f"{now + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"
    assert [event["description"] for event in listed(door, days=9, type="maintenance")][-1] == "old"
    assert listed(door, type="new_customer", limit=1)[0]["auto_generated"] is True


def test_pages_of_events_hold_each_once_though_many_are_of_one_instant(door: httpx.Client, database: Database) -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for number in range(25):
        told(database, str(number), at + timedelta(minutes=number // 10))
    found = pages(door, LIST, "events", limit=4, days=3650)
    seen = [event["description"] for page in found for event in page]

    assert sorted(seen, key=int) == [str(number) for number in range(25)]
    assert [len(page) for page in found] == [4, 4, 4, 4, 4, 4, 1]
    of_a_type = pages(door, LIST, "events", limit=4, days=3650, type="maintenance")
    assert sorted((event["description"] for page in of_a_type for event in page), key=int) == sorted(seen, key=int)


def test_pages_go_on_before_1970(door: httpx.Client, database: Database) -> None:
    for number in range(3):
        told(database, str(number), datetime(1960, 1, 1, tzinfo=UTC) - timedelta(days=number))

    assert [len(page) for page in pages(door, LIST, "events", limit=2, days=36_500)] == [2, 1]


HOSTILE: list[dict[str, Any]] = [
    {"amount": float("nan"), "description": None},
    {"amount": float("inf"), "event_type": ["a"]},
    {"amount": "12,50", "customer_id": {"$ne": None}},
    {"amount": True, "metadata": "none"},
    {"amount": [1], "metadata": {"customer_name": {"a": 1}}},
    {"amount": Decimal128("NaN"), "plan_name": 7, "currency": b"x"},
    {"amount": Int64(2**62), "customer_id": float("nan"), "description": "x" * 1_000_000},
    {"_id": "<script>", "amount": -1e308, "processed": "yes", "auto_generated": 1},
    {"_id": {"a": 1}, "description": "=HYPERLINK(1)\u202e\x00"},
]


def test_whatever_others_put_into_an_event_the_list_is_served(door: httpx.Client, database: Database) -> None:
    now = clock.now() - timedelta(minutes=1)
    for number, oddity in enumerate(HOSTILE):
        database.business_events.insert_one({"event_date": now - timedelta(seconds=number), **oddity})
    database.business_events.insert_one({"event_date": DatetimeMS(253_402_300_800_000), "description": "year 10000"})
    database.business_events.insert_one({"event_date": "2026-11-20"})
    database.business_events.insert_one({})
    events = listed(door)

    assert [event["amount"] for event in events] == [None] * 6 + [float(2**62), -1e308, None]
    assert events[6]["description"].endswith("…")
    assert (events[7]["id"], events[7]["processed"], events[7]["auto_generated"]) == ("<script>", False, False)
    assert events[8]["description"] == "=HYPERLINK(1)"


# -- the table ------------------------------------------------------------------------------------------------


@pytest.fixture
def books(mongo_uri: str, database: Database) -> Config:
    """A shop with four plans, three customers on pro, and the ledger of it, closed."""
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        plans = shop.plans(database)
        licenses = [shop.license(database, shop.customer(database, f"C{n}"), plans["pro"]) for n in range(3)]
        paid = {"event_type": "payment_completed", "license_id": licenses[-1]}
        shop.until(lambda: database.business_events.count_documents(paid) == 1, "the last event")
    return config


def today(config: Config, db: Database) -> str:
    return str(business_days.business_day(Rollup(db, config).now(), config.time.zone))


def test_saving_writes_todays_row_with_a_persons_note(books: Config, database: Database, door: httpx.Client) -> None:
    answer = door.post(
        "/api/save_daily_analytics", json={"date": today(books, database), "notes": "Fiera\r\ndi Milano"}
    )

    assert answer.status_code == 200, answer.text
    [row] = database.historical_analytics.find()
    found = answer.json()
    assert (found["success"], found["record_id"]) == (True, str(row["_id"]))
    assert found["events_processed"] == database.business_events.count_documents({})
    assert found["auto_notes"].startswith("🎉 Nuovo cliente: C0 • ")
    assert (row["notes"], row["auto_notes"], row["final"]) == ("Fiera\ndi Milano", found["auto_notes"], False)
    assert (found["data"]["mrr"], found["data"]["arr"], found["data"]["total_customers"]) == (23.97, 287.64, 3)
    assert found["data"]["revenue_by_plan"] == {"pro": {"revenue": 23.97, "count": 3}}
    assert door.post("/api/save_daily_analytics", json={}).json()["data"]["notes"] == "Fiera\ndi Milano"


def test_a_note_survives_the_next_rollup_until_it_is_given_back(
    books: Config, database: Database, door: httpx.Client
) -> None:
    day = today(books, database)
    door.post("/api/save_daily_analytics", json={"date": day})
    [row] = database.historical_analytics.find()
    edited = door.post("/api/update_historical_notes", json={"date": day, "notes": "  $x <script>\u202e "})
    door.post("/api/save_daily_analytics", json={"date": day})
    kept = database.historical_analytics.find_one() or {}
    given_back = door.post("/api/update_historical_notes", json={"date": day, "notes": ""})

    assert edited.json() == {"success": True, "message": "note stored", "notes": "$x <script>"}
    assert kept["notes"] == "$x <script>"
    assert given_back.json()["notes"] == row["auto_notes"]


def test_days_without_a_row_or_a_ledger_are_told_apart(books: Config, database: Database, door: httpx.Client) -> None:
    none = door.post("/api/update_historical_notes", json={"date": "2020-01-01", "notes": "x"})
    before = door.post("/api/save_daily_analytics", json={"date": "2020-01-01"})
    after = door.post("/api/save_daily_analytics", json={"date": "2999-01-01"})

    assert [answer.status_code for answer in (none, before, after)] == [404, 409, 409]
    assert "no row of this day" in none.json()["error"]
    assert "backfill" in before.json()["error"]
    assert "still to come" in after.json()["error"]
    assert database.historical_analytics.count_documents({}) == 0


def rows(db: Database, count: int) -> None:
    for number in range(count):
        day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
        db.historical_analytics.insert_one(
            {"date": day, "period_type": "daily", "mrr": float(number), "notes": f"n{number}"}
        )


def test_rows_of_a_stretch_come_newest_first_in_pages(door: httpx.Client, database: Database) -> None:
    rows(database, 10)
    database.historical_analytics.insert_one({"date": datetime(2026, 1, 1, tzinfo=UTC), "period_type": "monthly"})
    stretch = {"from": "2026-01-02", "to": "2026-01-09"}
    found = pages(door, "/api/get_historical_data", "rows", limit=3, **stretch)

    assert [[row["mrr"] for row in page] for page in found] == [[8, 7, 6], [5, 4, 3], [2, 1]]
    assert door.get("/api/get_historical_data").json()["rows"] == []
    monthly = {"from": "0001-01-01", "to": "9999-12-31", "period_type": "monthly"}
    assert len(door.get("/api/get_historical_data", params=monthly).json()["rows"]) == 1


def test_rows_that_others_wrote_are_served_whatever_they_hold(door: httpx.Client, database: Database) -> None:
    odd = {"mrr": float("nan"), "total_customers": "12", "revenue_by_plan": {"<b>": 3, "pro": {"revenue": None}}}
    database.historical_analytics.insert_one(
        {"date": datetime(2026, 1, 1, tzinfo=UTC), "period_type": "daily", "notes": ["x"], "revision": True, **odd}
    )
    [row] = door.get("/api/get_historical_data", params={"from": "2026-01-01", "to": "2026-01-01"}).json()["rows"]

    assert (row["mrr"], row["total_customers"], row["notes"], row["revision"]) == (None, None, None, 0)
    assert row["revenue_by_plan"] == {
        "<b>": {"revenue": None, "count": None},
        "pro": {"revenue": None, "count": None},
    }


def test_the_table_comes_as_a_file_in_both_formats(door: httpx.Client, database: Database) -> None:
    rows(database, 3)
    as_csv = door.get("/api/export_historical_data", params={"from": "2026-01-02"})
    as_excel = door.get("/api/export_historical_data", params={"format": "excel"})

    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert as_csv.headers["content-disposition"] == 'attachment; filename="chatello-rows-2026-01-02.csv"'
    lines = list(csv.DictReader(io.StringIO(as_csv.content.decode("utf-8-sig")), delimiter=";"))
    assert [line["notes"] for line in lines] == ["n1", "n2"]
    assert as_excel.headers["content-disposition"].endswith('.xlsx"')
    assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(as_excel.content)).namelist()


# -- the books ------------------------------------------------------------------------------------------------


def test_totals_and_movements_are_the_ledgers(books: Config, database: Database, door: httpx.Client) -> None:
    totals = door.get("/api/get_current_totals").json()
    found = pages(door, "/api/get_mrr_movements", "movements", limit=4)
    summary = door.get("/api/get_mrr_movements").json()["summary"]

    assert totals["totals"] == {
        "total_customers": 3,
        "paying_customers": 3,
        "active_licenses": 3,
        "mrr": 23.97,
        "arr": 287.64,
        "one_time_revenue": 0,
    }
    assert totals["revenue_by_plan"] == {"pro": {"revenue": 23.97, "count": 3}}
    lines = [line for page in found for line in page]
    assert [line["id"] for line in lines] == [6, 5, 4, 3, 2, 1]
    assert {line["plan_name"] for line in lines if line["mrr"]} == {"pro"}
    assert round(sum(line["mrr"] for line in lines), 2) == 23.97
    assert summary == {"neutral": {"count": 3, "mrr": 0}, "new": {"count": 3, "mrr": 23.97}}
    assert door.get("/api/get_mrr_movements", params={"to": "2020-01-01"}).json()["movements"] == []


def test_before_the_first_start_there_are_no_totals(door: httpx.Client) -> None:
    answer = door.get("/api/get_current_totals")

    assert (answer.status_code, answer.json()["success"]) == (503, False)
    assert answer.headers["Retry-After"]


def test_gaps_and_held_documents_are_listed(mongo_uri: str, database: Database, door: httpx.Client) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        plans = shop.plans(database)
        for _ in range(3):
            shop.license(database, shop.customer(database, "A"), plans["pro"], status=["odd"])
        shop.until(lambda: database.analytics_dead_letters.count_documents({}) == 3, "the dead letters")
    letters = [one for page in pages(door, "/api/get_dead_letters", "dead_letters", limit=2) for one in page]
    [gap] = door.get("/api/get_gaps").json()["gaps"]

    assert len({letter["document_id"] for letter in letters}) == 3
    assert {(letter["collection"], letter["state"]) for letter in letters} == {("licenses", "held")}
    assert all(letter["reason"] and letter["first_at"] for letter in letters)
    assert door.get("/api/get_dead_letters", params={"state": "released"}).json()["dead_letters"] == []
    assert (gap["cause"], gap["since"], gap["closed_at"] is not None) == ("first_start", None, True)


# -- the documentation ----------------------------------------------------------------------------------------


def test_the_documentation_names_every_route_and_asks_no_other_site(door: httpx.Client) -> None:
    described = door.get("/openapi.json").json()
    page = door.get("/docs").text

    assert set(described["paths"]) == {
        "/api/create_business_event",
        "/api/events/stream",
        "/api/export_historical_data",
        "/api/get_current_totals",
        "/api/get_dead_letters",
        "/api/get_gaps",
        "/api/get_historical_data",
        "/api/get_mrr_movements",
        "/api/get_recent_events",
        "/api/save_daily_analytics",
        "/api/update_historical_notes",
    }
    assert "http" not in page.replace('charset="utf-8"', "")
    assert "<script>" not in page and "onload" not in page
    for address in ("/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css", "/static/docs.js"):
        assert address in page
        assert door.get(address).status_code == 200


def test_a_database_that_is_down_is_a_503_in_our_shape_and_health_does_not_wait_for_it(doors: Doors) -> None:
    nobody: MongoClient[dict[str, Any]] = MongoClient(
        "mongodb://canary:canary@127.0.0.1:9", serverSelectionTimeoutMS=200
    )
    with nobody, doors(of=nobody.get_database("x")) as door, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(door.get, LIST) for _ in range(7)] + [pool.submit(door.post, CREATE, json=EVENT)]
        healths = [door.get("/healthz", timeout=2).status_code for _ in range(5)]
        assert not any(one.done() for one in waiting), "too quick to tell whether health waits for the database"
        answers = [one.result() for one in waiting]

    assert set(healths) == {200}
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["Retry-After"] for answer in answers} == {"5"}
    for answer in answers:
        assert answer.json()["success"] is False
        assert "canary" not in answer.text and "127.0.0.1" not in answer.text
