"""The pages of customers of the real daemon, in a real browser: no script, keyboard, phone, dark, hostile names."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pymongo import MongoClient

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database
from daemon.web.page import customer_texts
from tests import oracle, shop
from tests.browser import PHONE, Visitor
from tests.system.test_page import HOSTILE, SMALL_TARGETS, violations

LIST = "/analytics/clienti"
TOKEN = "an-owner-who-looks-for-customers"


@pytest.fixture(scope="module")
def db(client: MongoClient[dict[str, Any]]) -> Iterator[Database]:
    made: Database = client.get_database(f"test_{uuid.uuid4().hex[:12]}", codec_options=CODEC)
    shop.plans(made)
    yield made
    client.drop_database(made.name)


@pytest.fixture(scope="module")
def origin(mongo_uri: str, db: Database) -> Iterator[str]:
    """Run the daemon with 120 customers, whose licenses end soon, and hostile names."""
    pro, soon = db.plans.find_one({"name": "pro"})["_id"], clock.now() + timedelta(5)  # type: ignore[index]
    with shop.process(mongo_uri, db.name, CHATELLO_HTTP__TOKEN=TOKEN) as process:
        wait_for(lambda: db.analytics_gaps.find_one({"closed_at": {"$ne": None}}) is not None, "the first start")
        for name in (*(f"Cliente {number:03}" for number in range(120)), *HOSTILE):
            shop.license(db, shop.customer(db, name, created_at=clock.now()), pro, expires_at=soon)
        wait_for(lambda: oracle.totals(db) == oracle.recount(db), "the totals")
        yield f"http://127.0.0.1:{process.port}"


@pytest.fixture
def visitor(browser: Browser, origin: str) -> Visitor:
    return Visitor(browser, origin, TOKEN)


def open_customer(page: Page, db: Database, name: str = "Cliente 007") -> None:
    customer = db.customers.find_one({"name": name})
    assert customer is not None
    page.goto(page.url.partition("/analytics")[0] + f"{LIST}/o-{customer['_id']}")


def test_search_sort_and_pages_work_without_javascript(visitor: Visitor) -> None:
    with visitor.visit(LIST, java_script_enabled=False) as page:
        seen = set()
        page.get_by_label(customer_texts.ORDER).select_option("nome")
        page.get_by_role("button", name=customer_texts.SHOW).click()
        while True:
            seen |= set(page.locator("table.customers tbody a").evaluate_all("(all) => all.map((one) => one.href)"))
            following = page.get_by_role("link", name=customer_texts.NEXT)
            if not following.count():
                break
            following.click()
        assert len(seen) == 120 + len(HOSTILE)
        for _ in range(2):
            page.get_by_role("link", name=customer_texts.PREVIOUS).click()
        expect(page.get_by_role("link", name=customer_texts.PREVIOUS)).to_have_count(0)
        expect(page.locator("table.customers tbody tr")).to_have_count(50)
        page.get_by_label(customer_texts.SEARCH).fill("cliente 00")
        page.get_by_role("button", name=customer_texts.SHOW).click()
        expect(page.locator("table.customers tbody tr")).to_have_count(10)
        page.get_by_role("link", name="Cliente 007").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cliente 007")
        expect(page.locator("table.story")).to_contain_text("Nuova licenza Pro")


def test_what_to_do_today_leads_to_the_customers(visitor: Visitor) -> None:
    with visitor.visit() as page:
        section = page.locator("#todo")
        expect(section).to_contain_text(f"{120 + len(HOSTILE)} scadenze entro 14 giorni")
        section.get_by_role("link", name="elenco").click()
        expect(page.locator("table.customers tbody tr")).to_have_count(50)
        expect(page.get_by_label(customer_texts.STATE)).to_have_value("in-scadenza")


def test_hostile_names_are_text(visitor: Visitor, db: Database) -> None:
    with visitor.visit(f"{LIST}?ordina=nome") as page:
        expect(page.locator("table.customers tbody tr")).to_have_count(50)
        for name in HOSTILE[:3]:
            open_customer(page, db, name)
            expect(page.locator("h1 script, h1 img, table script, table img")).to_have_count(0)


@pytest.mark.parametrize("path", ["", "/analytics/clienti?stato=persi", "customer"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
def test_light_dark_desktop_and_phone_are_accessible_and_fit(
    visitor: Visitor, db: Database, path: str, scheme: str, size: Any
) -> None:
    looks: dict[str, Any] = {"color_scheme": scheme, **({"viewport": size, "is_mobile": True} if size else {})}
    with visitor.visit(path if path.startswith("/") else LIST, **looks) as page:
        if path == "customer":
            open_customer(page, db)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(SMALL_TARGETS) == []
