"""Every number on the pages of a random shop, in a real browser without JavaScript: its link explains it.

The test adds up the lines itself and compares the balances with its own recount of the shop, not with the page.
"""

import re
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pymongo import MongoClient

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database
from daemon.web.page import event_texts, why_texts
from rules.settings import italian
from tests import oracle, shop
from tests.browser import PHONE, Visitor

TOKEN = "an-owner-who-asks-why"
STEPS = 120
TOO_EARLY = why_texts.TOO_EARLY.partition("{")[0]
"""A column of movements also has days before the ledger."""
RECOUNTED = {"mrr": "mrr_cents", "clienti": "customers", "paganti": "paying_customers", "licenze": "active_licenses"}


@pytest.fixture(scope="module")
def db(client: MongoClient[dict[str, Any]]) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    made: Database = client.get_database(name, codec_options=CODEC)
    yield made
    client.drop_database(name)


@pytest.fixture(scope="module")
def visitor(mongo_uri: str, db: Database, browser: Browser) -> Iterator[Visitor]:
    """Let a random shop trade beside the daemon; visit it when all is booked."""
    dashboard = Dashboard(db, Random(1926))
    dashboard.set_up(clock.now())
    more = {"CHATELLO_TIME__LIVE_ROW_SECONDS": "1", "CHATELLO_HTTP__TOKEN": TOKEN}
    with shop.process(mongo_uri, db.name, **more) as daemon:
        for _ in range(STEPS):
            dashboard.step(clock.now())
        wait_for(lambda: oracle.totals(db) == oracle.recount(db), "the daemon to book everything", 60)
        wait_for(lambda: db.historical_analytics.find_one({"final": False}) is not None, "the row of today", 60)
        yield Visitor(browser, f"http://127.0.0.1:{daemon.port}", TOKEN)


def amount(text: str) -> int:
    """Return a shown amount in cents, or a count."""
    digits = int(re.sub(r"[^0-9]", "", text) or 0)
    return -digits if italian.MINUS in text else digits


def numbers_of(page: Page) -> dict[str, str]:
    """Return the shown text of each number by the address that explains it."""
    links = page.locator("a.why")
    return {link.get_attribute("href") or "": link.inner_text() for link in links.all()}


def assert_adds_up(page: Page) -> None:
    for table in page.locator("table.why-lines").all():
        lines = table.locator("tbody .number").all_inner_texts()
        total = table.locator("tfoot .number").inner_text()
        assert sum(map(amount, lines)) == amount(total), page.url


def test_every_number_on_every_page_is_explained_by_lines_that_add_up(visitor: Visitor, db: Database) -> None:
    wait_for(lambda: oracle.totals(db) == oracle.recount(db), "the daemon to follow")
    expected = oracle.recount(db)
    with visitor.visit(java_script_enabled=False) as page:
        shown = numbers_of(page)
        day = page.locator("main").get_attribute("data-day")
        for path in ("/analytics/andamento", f"/analytics/giorni/{day}"):
            page.goto(visitor.origin + path)
            shown |= numbers_of(page)
        assert len(shown) > 25
        for address, text in shown.items():
            page.goto(visitor.origin + address)
            if TOO_EARLY in page.locator("main").inner_text():
                assert amount(text) == 0, address
                continue
            assert "unwell" not in (page.locator(".verdict").get_attribute("class") or ""), address
            assert text in page.locator("h1").inner_text(), address
            assert_adds_up(page)
            number = address.partition("?")[0].rpartition("/")[2]
            if number in RECOUNTED:
                assert amount(text) == expected[RECOUNTED[number]], address


@pytest.mark.parametrize("looks", [{}, {"color_scheme": "dark"}, {"viewport": PHONE}], ids=["light", "dark", "phone"])
def test_the_pages_behind_the_numbers_are_accessible(visitor: Visitor, looks: dict[str, Any]) -> None:
    with visitor.visit("/analytics/eventi", **looks) as page:
        day = page.locator("main").get_attribute("data-day")
        for path in ("eventi", "eventi/nuovo", "perche/adesso/mrr", f"perche/{day}/arpa", f"giorni/{day}"):
            page.goto(f"{visitor.origin}/analytics/{path}")
            found = Axe().run(page).response["violations"]
            assert not found, [(path, one["id"], one["nodes"][0]["html"][:100]) for one in found]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_comment_is_saved_confirmed_and_undone_with_the_focus_on_it(visitor: Visitor) -> None:
    with visitor.visit() as page:
        day = page.locator("main").get_attribute("data-day")
        page.goto(f"{visitor.origin}/analytics/giorni/{day}")
        page.locator("#comment-text").fill("Chiamata con WP Engine")
        page.get_by_role("button", name=event_texts.COMMENT_SAVE).click()
        expect(page.get_by_role("status")).to_have_text(event_texts.COMMENT_SAVED)
        expect(page.locator("#comment-text")).to_have_value("Chiamata con WP Engine")
        page.get_by_role("button", name=event_texts.COMMENT_UNDO).click()
        expect(page.locator("#comment-text")).to_have_value("")


def test_unsaved_text_is_not_lost_without_a_question(visitor: Visitor) -> None:
    is_asked = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    with visitor.visit() as page:
        day = page.locator("main").get_attribute("data-day")
        page.goto(f"{visitor.origin}/analytics/giorni/{day}")
        before = page.evaluate(is_asked)
        page.locator("#comment-text").press_sequentially("mai salvato")
        after = page.evaluate(is_asked)
        page.locator("#comment-text").fill("")

    assert (before, after) == (False, True)


def test_a_page_of_what_cannot_be_explained_is_followed_as_any_other(visitor: Visitor) -> None:
    address = "/analytics/perche/2020-01-01/mrr"
    with visitor.visit("/analytics/sistema", expected="404") as page:
        with page.expect_response(lambda answer: address in answer.url and answer.request.resource_type == "fetch"):
            page.goto(visitor.origin + address)

        page.wait_for_timeout(300)  # the answer is shown after it arrived
        expect(page.locator("#alarm")).to_be_empty()
        expect(page.locator("#pill")).to_have_class("pill well")
