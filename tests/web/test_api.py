"""The API over a real socket and a real replica set, with the daemon running where needed."""

import csv
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store.mirror.states import mirror_id
from daemon.web.api import schemas
from rules import business_days
from rules.model.changes import Source
from tests import shop
from tests.web.conftest import Serve

CREATE, LIST = "/api/create_business_event", "/api/get_recent_events"
EVENT = {"event_type": "partnership", "description": "Accordo con WP Engine"}


def insert_event(db: Database, description: str, at: datetime, **more: Any) -> ObjectId:
    event = {"event_type": "maintenance", "event_date": at, "description": description, **more}
    inserted: ObjectId = db.business_events.insert_one(event).inserted_id
    return inserted


def mirror(db: Database, source: Source, doc_id: Any) -> None:
    """Have the mirror know a document."""
    db.analytics_mirror.insert_one({"_id": mirror_id(source, doc_id), "fields": {}})


def recent_events(http_client: httpx2.Client, **query: Any) -> list[dict[str, Any]]:
    answer = http_client.get(LIST, params=query)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["events"]
    assert answer.json()["total"] == len(events)
    return events


def pages(http_client: httpx2.Client, path: str, name: str, **query: Any) -> list[list[dict[str, Any]]]:
    """Return all pages of a list."""
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while True:
        answer = http_client.get(path, params={**query, **({"cursor": cursor} if cursor else {})}).json()
        assert answer["success"], answer
        found.append(answer[name])
        cursor = answer["next_cursor"]
        if cursor is None:
            return found


# Events


def test_a_created_event_is_stored_in_the_dashboards_format(http_client: httpx2.Client, database: Database) -> None:
    customer = ObjectId()
    mirror(database, Source.LICENSES, "L-1")
    body: dict[str, Any] = {
        **EVENT,
        "description": "Accordo\ncon \u202eWP",
        "customer_id": str(customer).upper(),
        "license_id": "L-1",
    }
    body |= {"plan_name": "pro", "amount": 12, "currency": "USD", "metadata": {"by": {"name": "Ada"}, "tags": ["a", 1]}}
    answer = http_client.post(CREATE, json=body)

    assert answer.status_code == 200, answer.text
    [stored] = database.business_events.find()
    message = 'Business event "partnership" created successfully'
    assert answer.json() == {"success": True, "event_id": str(stored["_id"]), "message": message}
    assert {name: stored[name] for name in ("event_type", "description", "customer_id", "license_id")} == {
        "event_type": "partnership",
        "description": "Accordo con WP",
        "customer_id": customer,
        "license_id": "L-1",
    }
    assert (stored["plan_name"], stored["amount"], stored["currency"]) == ("pro", 12, "USD")
    assert stored["metadata"] == {"by": {"name": "Ada"}, "tags": ["a", 1], "source": "api"}
    assert (stored["auto_generated"], stored["processed"]) == (True, False), "as the dashboard stores it"
    assert abs(stored["event_date"] - clock.now()) < timedelta(seconds=30)


def test_an_id_that_no_document_has_is_refused_with_the_dashboards_message(
    http_client: httpx2.Client, database: Database
) -> None:
    mirror(database, Source.CUSTOMERS, "cust_1")
    mirror(database, Source.CUSTOMERS, 1002)
    answers = [
        http_client.post(CREATE, json={**EVENT, **wanted})
        for wanted in ({"customer_id": "zz"}, {"license_id": "zz"}, {"customer_id": "cust_1"}, {"customer_id": "1002"})
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 200, 200]
    assert answers[0].json() == {"success": False, "error": "Invalid customer_id format"}
    assert answers[1].json() == {"success": False, "error": "Invalid license_id format"}
    assert database.business_events.distinct("customer_id") == [1002, "cust_1"]


SCALARS: list[Any] = [
    Binary(UUID("12345678-1234-5678-1234-567812345678").bytes, 4),
    *(
        Int64(2**40),
        -5,
        2.5,
        b"\x01\xff",
        "cliente 1",
        "D'Angelo",
        "a\nb\u202e",
        "=1+1",
        datetime(2026, 1, 2, tzinfo=UTC),
    ),
]


def test_an_id_of_any_scalar_type_is_accepted_as_responses_show_it(
    http_client: httpx2.Client, database: Database
) -> None:
    for doc_id in SCALARS:
        mirror(database, Source.CUSTOMERS, doc_id)
        body = {**EVENT, "customer_id": schemas.identity(doc_id)}
        assert http_client.post(CREATE, json=body).status_code == 200, doc_id

    stored = [event["customer_id"] for event in database.business_events.find().sort("_id", 1)]
    assert stored == SCALARS


def test_a_text_that_stands_for_two_documents_has_to_be_exact(http_client: httpx2.Client, database: Database) -> None:
    mirror(database, Source.CUSTOMERS, "4711")
    mirror(database, Source.CUSTOMERS, 4711)
    ids = ("4711", '"4711"', '{"$numberInt": "4711"}')
    answers = [http_client.post(CREATE, json={**EVENT, "customer_id": one}) for one in ids]

    assert [answer.status_code for answer in answers] == [400, 200, 200]
    assert 'write "4711" or {"$numberInt": "4711"}' in answers[0].json()["error"]
    assert [event["customer_id"] for event in database.business_events.find().sort("_id", 1)] == ["4711", 4711]


def test_an_external_event_is_described_from_the_mirror_without_private_texts(
    mongo_uri: str, database: Database, http_client: httpx2.Client
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        plans = shop.plans(database)
        customer = shop.customer(database, "Ada")
        license = shop.license(database, customer, plans["pro"])
        shop.until(lambda: database.business_events.count_documents({"license_id": license}) == 2, "its events")
    key, now = "CHA-0123ABCD-4567EF01-89ABCDEF-00112233", clock.now()
    for number, (kind, text, about) in enumerate(
        [
            ("new_customer", "Nuovo cliente registrato: Ada (ada@example.it)", {"customer_id": customer}),
            ("license_created", f"Licenza Pro inserita manualmente: {key}", {"license_id": license}),
            ("marketing_campaign", f"📧 Newsletter a ada@example.it con {key} inviata", {}),
        ]
    ):
        insert_event(database, text, now + timedelta(seconds=number), event_type=kind, **about)
    shown = recent_events(http_client)[:3]

    assert [(event["description"], event["customer_name"]) for event in shown] == [
        ("📧 Newsletter a … con … inviata", None),
        ("Nuova licenza Pro: Ada", "Ada"),
        ("Nuovo cliente: Ada", "Ada"),
    ]


def test_a_limit_above_the_maximum_is_lowered_and_the_list_continues(
    http_client: httpx2.Client, database: Database
) -> None:
    at = clock.now() - timedelta(hours=1)
    documents = [{"event_type": "maintenance", "event_date": at - timedelta(seconds=n)} for n in range(1001)]
    database.business_events.insert_many(documents)
    answer = http_client.get(LIST, params={"limit": 5000}).json()

    assert (len(answer["events"]), answer["next_cursor"] is not None) == (1000, True)


def test_a_comment_stays_one_when_the_note_is_written_by_the_api(
    ledger_config: Config, database: Database, http_client: httpx2.Client
) -> None:
    day = today(ledger_config, database)
    http_client.post("/api/save_daily_analytics", json={"date": day})
    [row] = database.historical_analytics.find()
    body = {"date": day, "notes": f"{row['auto_notes']} | Fiera"}
    commented = http_client.post("/api/update_historical_notes", json=body).json()["notes"]
    database.historical_analytics.update_one({}, {"$set": {"notes": "old | Fiera", "auto_notes": "old"}})
    http_client.post("/api/save_daily_analytics", json={"date": day})

    assert commented == f"{row['auto_notes']} | Fiera"
    assert (database.historical_analytics.find_one() or {})["notes"] == commented


def test_a_caller_cannot_claim_the_daemons_source(http_client: httpx2.Client, database: Database) -> None:
    http_client.post(CREATE, json={**EVENT, "metadata": {"source": "chatello-analytics"}})
    http_client.post(CREATE, json={**EVENT, "metadata": {"source": "deploy"}})

    assert [event["metadata"]["source"] for event in database.business_events.find()] == ["api", "deploy"]


def test_the_same_idempotency_key_is_one_event_and_with_another_body_a_conflict(
    http_client: httpx2.Client, database: Database
) -> None:
    key = {"Idempotency-Key": "deploy-7"}
    dated = {**EVENT, "event_date": "2026-01-02T09:30:00+01:00"}
    answers = [
        http_client.post(CREATE, json={**EVENT, "amount": 1.5, "metadata": {"a": [1]}}, headers=key) for _ in range(3)
    ]
    other = http_client.post(CREATE, json=EVENT, headers=key)
    twice = [http_client.post(CREATE, json=dated, headers={"Idempotency-Key": "dated"}).status_code for _ in range(2)]
    moved = {**EVENT, "event_date": "2026-01-03T09:30:00+01:00"}

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    assert (other.status_code, "different event" in other.json()["error"]) == (409, True)
    assert twice == [200, 200]
    assert http_client.post(CREATE, json=moved, headers={"Idempotency-Key": "dated"}).status_code == 409
    assert database.business_events.count_documents({}) == 2


def test_concurrent_requests_with_one_key_create_one_event(http_client: httpx2.Client, database: Database) -> None:
    key = {"Idempotency-Key": "k"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http_client.post(CREATE, json=EVENT, headers=key), range(24)))

    assert {answer.status_code for answer in answers} == {200}
    assert database.business_events.count_documents({}) == 1


def test_an_event_of_a_past_day_amends_the_row_of_that_closed_day(
    mongo_uri: str, database: Database, http_client: httpx2.Client
) -> None:
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        rollup = Rollup(database, ActiveConfig(config))
        day = business_days.business_day(rollup.now(), config.time.zone) - 3 * business_days.ONE_DAY
        shop.begin_ledger(database, day)
        rollup.write(day, final=True)
        created = http_client.post(CREATE, json={**EVENT, "event_date": f"{day}T12:00:00Z"})
        reopened = "reopened.day"
        shop.until(
            lambda: business_days.stored(day) in database.analytics_checkpoint.distinct(reopened),
            "the day to be reopened",
        )
        rollup.close_missing(rollup.now())

    [row] = database.historical_analytics.find({"date": business_days.stored(day)})
    assert created.status_code == 200
    assert row["notes"] == "🤝 Accordo con WP Engine"


def test_the_date_of_an_event_must_be_valid_and_in_the_past(http_client: httpx2.Client, database: Database) -> None:
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
        assert http_client.post(CREATE, json={**EVENT, "event_date": moment}).status_code == expected, moment
    assert database.business_events.distinct("event_date") == [datetime(2026, 1, 2, 8, 30, tzinfo=UTC)]


def test_recent_events_are_newest_first_with_the_names_of_their_customers(
    mongo_uri: str, database: Database, http_client: httpx2.Client
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        customer = shop.customer(database, "Ada\u202e <b>")
        shop.until(lambda: database.business_events.count_documents({"customer_id": customer}) == 1, "its event")
    now = clock.now()
    insert_event(database, "by id", now + timedelta(seconds=1), customer_id=customer, amount=7.99)
    insert_event(database, "by text", now + timedelta(seconds=2), customer_id=str(customer))
    insert_event(database, "unknown", now + timedelta(seconds=3), customer_id=ObjectId())
    insert_event(database, "old", now - timedelta(days=8))
    events = recent_events(http_client)

    assert [(event["description"], event["customer_name"]) for event in events] == [
        ("unknown", None),
        ("by text", "Ada <b>"),
        ("by id", "Ada <b>"),
        ("Nuovo cliente: Ada ‹b›", "Ada <b>"),
    ]
    assert list(events[2]) == [
        *("id", "event_type", "description", "event_date", "customer_name"),
        *("plan_name", "amount", "currency", "processed", "auto_generated"),
    ]
    assert events[2]["amount"] == 7.99
    assert events[2]["event_date"] == f"{now + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"
    assert [event["description"] for event in recent_events(http_client, days=9, type="maintenance")][-1] == "old"
    assert recent_events(http_client, type="new_customer", limit=1)[0]["auto_generated"] is True


def test_pages_contain_each_event_once_although_many_have_the_same_time(
    http_client: httpx2.Client, database: Database
) -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for number in range(25):
        insert_event(database, str(number), at + timedelta(minutes=number // 10))
    found = pages(http_client, LIST, "events", limit=4, days=3650)
    seen = [event["description"] for page in found for event in page]

    assert sorted(seen, key=int) == [str(number) for number in range(25)]
    assert [len(page) for page in found] == [4, 4, 4, 4, 4, 4, 1]
    of_a_type = pages(http_client, LIST, "events", limit=4, days=3650, type="maintenance")
    assert sorted((event["description"] for page in of_a_type for event in page), key=int) == sorted(seen, key=int)


def test_pages_continue_before_1970(http_client: httpx2.Client, database: Database) -> None:
    for number in range(3):
        insert_event(database, str(number), datetime(1960, 1, 1, tzinfo=UTC) - timedelta(days=number))

    assert [len(page) for page in pages(http_client, LIST, "events", limit=2, days=36_500)] == [2, 1]


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


def test_events_with_any_external_content_are_listed(http_client: httpx2.Client, database: Database) -> None:
    now = clock.now() - timedelta(minutes=1)
    for number, invalid in enumerate(HOSTILE):
        database.business_events.insert_one({"event_date": now - timedelta(seconds=number), **invalid})
    database.business_events.insert_one({"event_date": DatetimeMS(253_402_300_800_000), "description": "year 10000"})
    database.business_events.insert_one({"event_date": "2026-11-20"})
    database.business_events.insert_one({})
    events = recent_events(http_client)

    assert [event["amount"] for event in events] == [None] * 6 + [float(2**62), -1e308, None]
    assert events[6]["description"].endswith("…")
    assert (events[7]["id"], events[7]["processed"], events[7]["auto_generated"]) == ("<script>", False, False)
    assert events[8]["description"] == "=HYPERLINK(1)"


# The analytics table


@pytest.fixture
def ledger_config(mongo_uri: str, database: Database) -> Config:
    """Write a ledger of four plans and three customers on pro; return its configuration. The daemon has stopped."""
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        plans = shop.plans(database)
        licenses = [shop.license(database, shop.customer(database, f"C{n}"), plans["pro"]) for n in range(3)]
        paid = {"event_type": "payment_completed", "license_id": licenses[-1]}
        shop.until(lambda: database.business_events.count_documents(paid) == 1, "the last event")
    return config


def today(config: Config, db: Database) -> str:
    return str(business_days.business_day(Rollup(db, ActiveConfig(config)).now(), config.time.zone))


def test_saving_writes_todays_row_with_a_manual_note(
    ledger_config: Config, database: Database, http_client: httpx2.Client
) -> None:
    answer = http_client.post(
        "/api/save_daily_analytics", json={"date": today(ledger_config, database), "notes": "Fiera\r\ndi Milano"}
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
    assert http_client.post("/api/save_daily_analytics", json={}).json()["data"]["notes"] == "Fiera\ndi Milano"


def test_a_manual_note_survives_the_next_rollup_until_it_is_cleared(
    ledger_config: Config, database: Database, http_client: httpx2.Client
) -> None:
    day = today(ledger_config, database)
    http_client.post("/api/save_daily_analytics", json={"date": day})
    [row] = database.historical_analytics.find()
    edited = http_client.post("/api/update_historical_notes", json={"date": day, "notes": "  $x <script>\u202e "})
    http_client.post("/api/save_daily_analytics", json={"date": day})
    kept = database.historical_analytics.find_one() or {}
    cleared = http_client.post("/api/update_historical_notes", json={"date": day, "notes": ""})

    assert edited.json() == {"success": True, "message": f"Notes updated for {day}", "notes": "$x <script>"}
    assert kept["notes"] == "$x <script>"
    assert cleared.json()["notes"] == row["auto_notes"]


def test_days_without_a_row_before_the_ledger_and_in_the_future_have_different_errors(
    ledger_config: Config, database: Database, http_client: httpx2.Client
) -> None:
    none = http_client.post("/api/update_historical_notes", json={"date": "2020-01-01", "notes": "x"})
    before = http_client.post("/api/save_daily_analytics", json={"date": "2020-01-01"})
    after = http_client.post("/api/save_daily_analytics", json={"date": "2999-01-01"})

    assert [answer.status_code for answer in (none, before, after)] == [404, 409, 409]
    assert "no row for this day" in none.json()["error"]
    assert "backfill" in before.json()["error"]
    assert "in the future" in after.json()["error"]
    assert database.historical_analytics.count_documents({}) == 0


def insert_rows(db: Database, count: int) -> None:
    for number in range(count):
        day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
        db.historical_analytics.insert_one(
            {"date": day, "period_type": "daily", "mrr": float(number), "notes": f"n{number}"}
        )


def test_rows_of_a_range_are_listed_newest_first_in_pages(http_client: httpx2.Client, database: Database) -> None:
    insert_rows(database, 10)
    database.historical_analytics.insert_one({"date": datetime(2026, 1, 1, tzinfo=UTC), "period_type": "monthly"})
    day_range = {"from": "2026-01-02", "to": "2026-01-09"}
    found = pages(http_client, "/api/get_historical_data", "rows", limit=3, **day_range)

    assert [[row["mrr"] for row in page] for page in found] == [[8, 7, 6], [5, 4, 3], [2, 1]]
    assert http_client.get("/api/get_historical_data").json()["rows"] == []
    monthly = {"from": "0001-01-01", "to": "9999-12-31", "period_type": "monthly"}
    assert len(http_client.get("/api/get_historical_data", params=monthly).json()["rows"]) == 1


def test_rows_with_any_external_content_are_listed(http_client: httpx2.Client, database: Database) -> None:
    invalid = {"mrr": float("nan"), "total_customers": "12", "revenue_by_plan": {"<b>": 3, "pro": {"revenue": None}}}
    database.historical_analytics.insert_one(
        {"date": datetime(2026, 1, 1, tzinfo=UTC), "period_type": "daily", "notes": ["x"], "revision": True, **invalid}
    )
    [row] = http_client.get("/api/get_historical_data", params={"from": "2026-01-01", "to": "2026-01-01"}).json()[
        "rows"
    ]

    assert (row["mrr"], row["total_customers"], row["notes"], row["revision"]) == (None, None, None, 0)
    assert row["revenue_by_plan"] == {
        "<b>": {"revenue": None, "count": None},
        "pro": {"revenue": None, "count": None},
    }


def test_the_table_is_exported_in_both_formats(http_client: httpx2.Client, database: Database) -> None:
    insert_rows(database, 3)
    as_csv = http_client.get("/api/export_historical_data", params={"from": "2026-01-02"})
    as_excel = http_client.get("/api/export_historical_data", params={"format": "excel"})

    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert as_csv.headers["content-disposition"] == 'attachment; filename="chatello-righe-2026-01-02.csv"'
    lines = list(csv.DictReader(io.StringIO(as_csv.content.decode("utf-8-sig")), delimiter=";"))
    assert [line["Note"] for line in lines] == ["n1", "n2"]
    assert as_excel.headers["content-disposition"].endswith('.xlsx"')
    assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(as_excel.content)).namelist()


# The ledger


def test_totals_and_movements_match_the_ledger(
    ledger_config: Config, database: Database, http_client: httpx2.Client
) -> None:
    totals = http_client.get("/api/get_current_totals").json()
    found = pages(http_client, "/api/get_mrr_movements", "movements", limit=4)
    summary = http_client.get("/api/get_mrr_movements").json()["summary"]

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
    assert http_client.get("/api/get_mrr_movements", params={"to": "2020-01-01"}).json()["movements"] == []


def test_before_the_first_start_there_are_no_totals(http_client: httpx2.Client) -> None:
    answer = http_client.get("/api/get_current_totals")

    assert (answer.status_code, answer.json()["success"]) == (503, False)
    assert answer.headers["Retry-After"]


def test_gaps_and_held_documents_are_listed(mongo_uri: str, database: Database, http_client: httpx2.Client) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        plans = shop.plans(database)
        for _ in range(3):
            shop.license(database, shop.customer(database, "A"), plans["pro"], status=["odd"])
        shop.until(lambda: database.analytics_dead_letters.count_documents({}) == 3, "the dead letters")
    found = [item for page in pages(http_client, "/api/get_dead_letters", "dead_letters", limit=2) for item in page]
    [gap] = http_client.get("/api/get_gaps").json()["gaps"]

    assert len({item["document_id"] for item in found}) == 3
    assert {(item["collection"], item["state"]) for item in found} == {("licenses", "held")}
    assert all(item["reason"] and item["first_at"] for item in found)
    assert http_client.get("/api/get_dead_letters", params={"state": "released"}).json()["dead_letters"] == []
    assert (gap["cause"], gap["since"], gap["closed_at"] is not None) == ("first_start", None, True)


# Documentation and errors


def test_the_documentation_lists_every_route_and_loads_nothing_from_other_origins(http_client: httpx2.Client) -> None:
    document = http_client.get("/openapi.json").json()
    page = http_client.get("/docs").text

    assert set(document["paths"]) == {
        "/api/create_business_event",
        "/api/customers",
        "/api/customers/{customer_id}",
        "/api/events/stream",
        "/api/explain",
        "/api/export_historical_data",
        "/api/get_current_totals",
        "/api/get_dead_letters",
        "/api/get_gaps",
        "/api/get_historical_data",
        "/api/get_mrr_movements",
        "/api/get_recent_events",
        "/api/goals",
        "/api/save_daily_analytics",
        "/api/todo",
        "/api/update_historical_notes",
    }
    assert "http" not in page.replace('charset="utf-8"', "")
    assert "<script>" not in page and "onload" not in page
    for address in ("/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css", "/static/docs.js"):
        assert address in page
        assert http_client.get(address).status_code == 200


def test_an_unavailable_database_is_a_503_and_does_not_delay_healthz(serve: Serve) -> None:
    unreachable: MongoClient[dict[str, Any]] = MongoClient(
        "mongodb://canary:canary@127.0.0.1:9", serverSelectionTimeoutMS=200
    )
    with (
        unreachable,
        serve(served_database=unreachable.get_database("x")) as http_client,
        ThreadPoolExecutor(8) as pool,
    ):
        waiting = [pool.submit(http_client.get, LIST) for _ in range(7)] + [
            pool.submit(http_client.post, CREATE, json=EVENT)
        ]
        healths = [http_client.get("/healthz", timeout=2).status_code for _ in range(5)]
        assert not any(one.done() for one in waiting), "requests ended too early to prove that healthz does not wait"
        answers = [one.result() for one in waiting]

    assert set(healths) == {200}
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["Retry-After"] for answer in answers} == {"5"}
    for answer in answers:
        assert answer.json()["success"] is False
        assert "canary" not in answer.text and "127.0.0.1" not in answer.text
