"""Pages of customers and what to do today, and the same as JSON: against the tests' own recount."""

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest
from bson import ObjectId

from daemon import clock
from daemon.diagnostics import customers
from daemon.mongo.types import Database
from daemon.store import forgotten
from daemon.store.customers import todo_reader
from tests import oracle, shop
from tests.customers import mrr_by_customer
from tests.shop_history import local
from tests.web.conftest import Serve

LIST = "/analytics/clienti"
DAY = timedelta(1)
HOSTILE = ("<script>alert(1)</script>", '=HYPERLINK("http://evil.invalid")', "{{ 7*7 }}", "Mario <mario@example.com>")


@pytest.fixture
def followed(mongo_uri: str, database: Database) -> Database:
    """A shop that the daemon has followed: two paying customers and hostile names."""
    plans = shop.plans(database)
    for name in HOSTILE:
        shop.customer(database, name)
    with shop.running(shop.config_for(mongo_uri, database)):
        for name, plan in (("Dell’Olio", "agency"), ("Rossi & Figli", "pro")):
            shop.license(database, shop.customer(database, name), plans[plan])
        shop.until(lambda: oracle.totals(database) == oracle.recount(database), "the totals")
    return database


def page(client: httpx2.Client, path: str, status: int = 200, **query: str) -> str:
    answer = client.get(path, params=query, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    return answer.text


def test_the_list_shows_each_customer_and_the_mrr_of_all(serve: Serve, followed: Database) -> None:
    with serve() as client:
        text = page(client, LIST)
        listed = client.get("/api/customers").json()
        found = page(client, LIST, cerca="dell'olio")

    assert listed["mrr"] == oracle.recount(followed)["mrr_cents"] / 100 == 27.98
    assert sum(one["mrr"] for one in listed["customers"]) == pytest.approx(listed["mrr"])
    assert {one["id"]: one["mrr"] for one in listed["customers"] if one["mrr"]} == {
        f"o-{customer}": cents / 100 for customer, cents in mrr_by_customer(followed).items()
    }
    assert re.search(r'id="sum".*€\xa027,98', text)
    assert "Rossi &amp; Figli" in text
    assert "Rossi" not in found
    assert re.search(r'id="sum".*€\xa027,98', found)


def test_names_are_text_and_no_address_is_shown(serve: Serve, followed: Database) -> None:
    with serve() as client:
        texts = [page(client, LIST), client.get("/api/customers").text, page(client, "/analytics")]
        texts += [page(client, f"{LIST}/o-{one['_id']}") for one in followed.customers.find()]

    for text in texts:
        assert "<script>alert" not in text
        assert "mario@" not in text
        assert "49" not in re.findall(r"<bdi>([^<]*)</bdi>", text)


def test_a_customers_page_and_json_have_the_steps_with_their_mrr(serve: Serve, followed: Database) -> None:
    who = followed.customers.find_one({"name": "Rossi & Figli"})
    assert who is not None
    with serve() as client:
        text = page(client, f"{LIST}/o-{who['_id']}")
        found = client.get(f"/api/customers/o-{who['_id']}").json()

    assert '<h1 id="title"><bdi>Rossi &amp; Figli</bdi></h1>' in text
    assert "Nuova licenza Pro" in text
    assert found["mrr_before"] + sum(step["mrr"] for step in found["steps"]) == found["customer"]["mrr"] == 7.99
    assert {step["event"]["event_type"] for step in found["steps"] if step["event"]} >= {
        "new_customer",
        "license_created",
    }
    assert [license["status"] for license in found["licenses"]] == ["active"]


def test_older_steps_are_on_further_pages(serve: Serve, followed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "MAX_STEPS", 2)
    who = followed.customers.find_one({"name": "Rossi & Figli"})
    assert who is not None
    event = {"event_type": "support_ticket", "customer_id": who["_id"], "description": "Un ticket"}
    days = [local(date(2026, 11, day), 12) for day in range(1, 8)]
    followed.business_events.insert_many([{**event, "event_date": day} for day in days])
    path, shown, seen = f"o-{who['_id']}", 0, 0
    until: str | None = ""
    cursor: int | None = 0
    found: dict[str, Any] = {}
    with serve() as client:
        while until is not None:
            text = page(client, f"{LIST}/{path}", 200, **({"fino": until} if until else {}))
            shown += text.count("Un ticket")
            older = re.search(r'href="[^"]*fino=([^"]*)#story"', text)
            until = older[1] if older else None
        while cursor is not None:
            found = client.get(f"/api/customers/{path}", params={"cursor": cursor} if cursor else {}).json()
            seen += len([step for step in found["steps"] if step["line"] is None])
            cursor = found["next_cursor"]
        wrong = client.get(f"/api/customers/{path}", params={"cursor": 10**18})

    assert (shown, seen) == (len(days), len(days) + 1)  # and a payment
    assert found["mrr_before"] == 0
    assert wrong.status_code == 422


def test_the_numbers_of_a_customer_lead_to_the_story_and_to_the_payments(serve: Serve, followed: Database) -> None:
    who = (followed.customers.find_one({"name": "Rossi & Figli"}) or {})["_id"]
    with serve() as client:
        without = page(client, f"{LIST}/o-{who}")
        followed.payments.insert_one({"customer_id": who, "amount": 7.99, "status": "completed"})
        payment = {"_id": {"k": "payments", "id": 1}, "present": True, "fields": {"customer_id": who}}
        followed.analytics_mirror.insert_one(payment)
        text = page(client, f"{LIST}/o-{who}")
    address = re.search(r'<dt>Pagato</dt><dd class="value"><a href="([^"]*)">', text)

    assert '<dd class="value"><a href="#story">€\xa07,99</a></dd>' in text
    assert 'id="story"' in text
    assert address is not None
    assert address[1] == f"/analytics/eventi?tipo=payment_completed&amp;cliente={who}"
    assert '<dt>Pagato</dt><dd class="value">–</dd>' in without


@pytest.mark.parametrize(
    "path", ["o-66c4f0c0ffee65f0c0ffee65", "n-1", "s-x", "66c4f0c0ffee65f0c0ffee65", "b-AAAA", "x"]
)
def test_an_unknown_customer_is_a_page_in_italian(serve: Serve, followed: Database, path: str) -> None:
    with serve() as client:
        assert "Questa pagina non esiste" in page(client, f"{LIST}/{path}", 404)
        assert client.get(f"/api/customers/{path}").status_code == 404


@pytest.mark.parametrize(
    "query", [{"piano": "pro"}, {"dopo": "x"}, {"stato": "ricchi"}, {"sort": "mrr"}, {"prima": "x"}]
)
def test_a_wrong_parameter_is_refused(serve: Serve, followed: Database, query: dict[str, str]) -> None:
    with serve() as client:
        answer = client.get(LIST, params=query, headers={"accept": "text/html"})

    assert answer.status_code in (400, 422)
    assert 'lang="it"' in answer.text


def test_an_id_as_another_program_wrote_it_leads_to_the_customer(serve: Serve, followed: Database) -> None:
    who = followed.customers.find_one({"name": "Rossi & Figli"})
    assert who is not None
    with serve() as client:
        for text in (f"s-{who['_id']}", str(who["_id"])):
            answer = client.get(f"{LIST}/{text}")
            assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}/o-{who['_id']}")
        day = page(client, f"/analytics/giorni/{clock.now():%Y-%m-%d}")
        why, events = page(client, "/analytics/perche/adesso/mrr"), page(client, "/analytics/eventi")

    for text in (day, why, events):
        assert f'href="{LIST}/o-{who["_id"]}"' in text


def test_pages_follow_each_other_to_the_end(serve: Serve, followed: Database) -> None:
    with serve() as client:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            found = client.get("/api/customers", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
            seen += [one["id"] for one in found["customers"]]
            cursor = found["next_cursor"]
            if cursor is None:
                break

    assert sorted(seen) == sorted(f"o-{one['_id']}" for one in followed.customers.find())


def test_the_file_has_the_customers_shown_and_no_formulas(serve: Serve, followed: Database) -> None:
    with serve() as client:
        answer = client.get("/analytics/scarica/clienti.csv", params={"ordina": "nome"})
        paying = client.get("/analytics/scarica/clienti.csv", params={"stato": "paganti"}).text

    lines = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff")), delimiter=";"))
    assert list(lines[0]) == ["Cliente", "Stato", "Piano", "MRR", "Cliente dal", "Pagato", "Scade"]
    assert len(lines) == followed.customers.count_documents({})
    assert [line["MRR"] for line in lines if line["Cliente"] == "Dell’Olio"] == ["19,99"]
    assert all(not line["Cliente"].startswith(("=", "+", "-", "@")) for line in lines)
    assert "mario@" not in answer.text
    assert len(paying.splitlines()) == 3


def test_a_forgotten_customer_has_a_page_without_a_name(serve: Serve, followed: Database) -> None:
    who = followed.customers.find_one({"name": "Dell’Olio"})
    assert who is not None
    forgotten.add(followed, forgotten.prepare(followed), who["_id"], local(date(2026, 11, 26), 12))
    with serve() as client:
        text, listed = page(client, f"{LIST}/o-{who['_id']}"), page(client, LIST)
        found = client.get("/api/customers", params={"search": "olio"}).json()
        one = client.get(f"/api/customers/o-{who['_id']}").json()

    assert "cliente rimosso" in text
    assert "cliente rimosso" in listed
    assert "Olio" not in text + listed + str(one)
    assert (found["customers"], one["customer"]["name"]) == ([], None)


def test_what_to_do_today_is_on_the_main_page_and_in_the_api(mongo_uri: str, serve: Serve, database: Database) -> None:
    plans = shop.plans(database)
    now = clock.now()
    ends = [now + timedelta(1 + number) for number in range(7)]
    with shop.running(shop.config_for(mongo_uri, database)):
        for number, end in enumerate(ends):
            shop.license(database, shop.customer(database, f"<b>Scade {number}"), plans["pro"], expires_at=end)
        shop.until(lambda: oracle.totals(database) == oracle.recount(database), "the totals")
    with serve() as client:
        shop.until(lambda: '"total":7' in client.get("/api/todo").text, "the snapshot to have the last commit")
        text, found = page(client, "/analytics"), client.get("/api/todo").json()
        metrics = client.get("/metrics").text

    assert "7 scadenze entro 14 giorni, €\xa055,93 di MRR in gioco" in text
    assert text.count("Scade ") >= 5
    assert "e altre 2" in text
    assert "<b>Scade" not in text
    (group,) = found["groups"]
    assert (group["kind"], group["total"], len(group["items"]), group["amount"]) == ("expiring", 7, 5, 55.93)
    assert "Scade" not in metrics


def test_what_is_only_counted_is_said(
    mongo_uri: str, serve: Serve, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(todo_reader, "MOST_EXPIRING", 2)
    monkeypatch.setattr(todo_reader, "MOST", 2)
    plans, now = shop.plans(database), clock.now()
    with shop.running(shop.config_for(mongo_uri, database)):
        for number in range(3):
            shop.license(database, shop.customer(database, f"Scade {number}"), plans["pro"], expires_at=now + DAY)
            shop.customer(database, f"Senza {number}", created_at=now - 10 * DAY)
        shop.until(lambda: oracle.totals(database) == oracle.recount(database), "the totals")
    with serve() as client:
        text, groups = page(client, "/analytics"), client.get("/api/todo").json()["groups"]

    assert "3 scadenze entro 14 giorni</h3>" in text
    assert "Distinte solo le prime 2 a scadere: l’altra può essere" in text
    assert "oltre 2 clienti registrati da più di 7 giorni senza licenza" in text
    assert [(one["kind"], one["total"], one["has_more"], one["unread"], one["amount"]) for one in groups] == [
        ("expiring", 3, False, 1, None),
        ("without_license", 2, True, 0, None),
    ]


def test_an_empty_shop_shows_no_section_and_an_empty_list(serve: Serve, database: Database) -> None:
    with serve() as client:
        assert "Da fare oggi" not in page(client, "/analytics")
        assert "Ancora nessun cliente" in page(client, LIST)
        assert client.get("/api/todo").json()["groups"] == []
        assert client.get(f"/api/customers/o-{ObjectId()}").status_code == 404
