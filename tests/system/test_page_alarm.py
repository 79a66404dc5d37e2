"""An open page whose numbers grow old says so within 30 seconds, and recovers by itself: in a real browser."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.mongo.types import Database
from daemon.web.page import error_texts, system_texts, texts
from tests import shop
from tests.browser import Visitor

LIMIT_MS = 30_000
"""So long may a page say that all is well although its numbers are old."""
PAGES = ["/analytics", "/analytics/andamento", "/analytics/sistema"]
VISIBLE_A_MINUTE_LATER = """
  Date.now = ((now) => () => now() + 60_000)(Date.now.bind(Date));
  isHidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  isHidden = true; // so that no timer checks in its place
"""


class Tunnel:
    """A TCP proxy like an SSH tunnel; once cut, it takes connections and data and answers nothing."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.is_cut = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.open = [self.listening]
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def close(self) -> None:
        for one in self.open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        for one in self.open:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                visitor, _ = self.listening.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self.open += [visitor, server]
                for source, sink in ((visitor, server), (server, visitor)):
                    self.threads.append(threading.Thread(target=self._forward, args=(source, sink)))
                    self.threads[-1].start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not self.is_cut.is_set():
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def opened(browser: Browser, origin: str, path: str = "/analytics") -> Iterator[Page]:
    """Open a page without the checks of a Visitor: a browser reports lost connections as errors."""
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    try:
        page.goto(origin + path)
        yield page
    finally:
        context.close()


def expect_well(page: Page) -> None:
    expect(page.locator("#pill")).to_have_text(system_texts.ALL_WELL, timeout=LIMIT_MS)
    expect(page.locator("#alarm .alarm")).to_have_count(0)


def expect_old(page: Page, kind: str) -> None:
    """Expect the banner with what to do, the pill with its word, and numbers that look old."""
    word, _, meaning, action = system_texts.ALARMS[kind]
    expect(page.locator("#alarm")).to_contain_text(meaning, timeout=LIMIT_MS)
    expect(page.locator("#alarm")).to_contain_text(action)
    expect(page.locator("#pill")).to_have_text(word)
    expect(page.locator("#pill")).to_have_class("pill unwell")


def running(uri: str, db: Database) -> Any:
    shop.plans(db)
    return shop.process(uri, db.name, CHATELLO_TIME__LIVE_ROW_SECONDS="1")


def wait_for_totals(db: Database) -> None:
    wait_for(lambda: db.analytics_checkpoint.find_one({"cluster_time": {"$ne": None}}) is not None, "the first totals")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_behind_a_dead_tunnel_says_so_and_recovers(
    mongo_uri: str, database: Database, browser: Browser, path: str
) -> None:
    with running(mongo_uri, database) as daemon:
        wait_for_totals(database)
        with closing(Tunnel(daemon.port)) as tunnel, opened(browser, f"http://127.0.0.1:{tunnel.port}", path) as page:
            expect_well(page)
            tunnel.is_cut.set()
            expect_old(page, "offline")
            tunnel.is_cut.clear()
            expect_well(page)


def test_a_page_of_a_stopped_daemon_shows_old_numbers_until_it_runs_again(
    mongo_uri: str, database: Database, browser: Browser
) -> None:
    with running(mongo_uri, database) as daemon:
        wait_for_totals(database)
        with opened(browser, f"http://127.0.0.1:{daemon.port}") as page:
            expect_well(page)
            color = page.locator(".figures .value").first.evaluate("dd => getComputedStyle(dd).color")
            as_of = page.locator("#as-of").inner_text().removeprefix(texts.AS_OF.format(time=""))
            daemon.kill()
            expect_old(page, "offline")
            assert page.locator(".figures .value").first.evaluate("dd => getComputedStyle(dd).color") != color
            assert page.locator("#as-of").inner_text() >= texts.AS_OF.format(time=as_of)
            expect(page.locator("#link")).to_have_text(texts.FEED_WAITING)
            daemon.start()
            expect_well(page)
            expect(page.locator("#link")).to_have_text(texts.FEED_LIVE)


def test_a_hidden_page_checks_its_numbers_when_it_becomes_visible(
    mongo_uri: str, database: Database, browser: Browser
) -> None:
    with running(mongo_uri, database) as daemon:
        wait_for(lambda: any("daily_events.emitted" in line for line in daemon.lines), "the day's own events")
        with opened(browser, f"http://127.0.0.1:{daemon.port}") as page:
            expect_well(page)
            expect(page.locator("#link")).to_have_text(texts.FEED_LIVE)
            page.evaluate("isHidden = true; Object.defineProperty(document, 'hidden', { get: () => isHidden })")
            with page.expect_response(lambda answer: answer.url.endswith("/analytics")):
                page.evaluate(VISIBLE_A_MINUTE_LATER)
            expect_well(page)


def test_a_page_loaded_while_the_database_is_down_tries_again(browser: Browser) -> None:
    with EmbeddedMongo() as mongo, shop.process(mongo.uri, "down") as daemon:
        wait_for(lambda: any("stream.opened" in line for line in daemon.lines), "the stream")
        mongo.kill(mongo.members[0])
        with Visitor(browser, f"http://127.0.0.1:{daemon.port}").visit(expected="503") as page:
            expect(page.get_by_role("heading", level=1)).to_have_text(error_texts.ERRORS["database"][0])
            expect(page.locator("#link, #pill")).to_have_count(0)
            mongo.start(mongo.members[0])
            expect(page.locator("#numbers")).to_be_visible(timeout=90_000)


def test_a_paused_page_keeps_its_numbers_and_still_shows_an_outage_and_its_end(
    mongo_uri: str, database: Database, browser: Browser
) -> None:
    with running(mongo_uri, database) as daemon:
        wait_for_totals(database)
        with opened(browser, f"http://127.0.0.1:{daemon.port}") as page:
            expect(page.locator("#link")).to_have_text(texts.FEED_LIVE)
            pause = page.get_by_role("button", name=texts.PAUSE)
            pause.press("Enter")
            expect(page.locator("#link")).to_have_text(texts.FEED_PAUSED)
            with page.expect_response(lambda answer: answer.url.endswith("/analytics")):
                shop.customer(database, "Durante la pausa")
            wait_for(lambda: database.business_events.count_documents({}) > 0, "the event")
            expect(page.locator("#pill")).to_have_text(texts.FEED_PAUSED)
            expect(page.locator("#pill")).to_have_class("pill paused")
            daemon.kill()
            expect_old(page, "offline")
            daemon.start()
            expect(page.locator("#alarm .alarm")).to_have_count(0, timeout=LIMIT_MS)
            expect(page.locator("#pill")).to_have_text(texts.FEED_PAUSED)
            expect(page.locator("#feed")).not_to_contain_text("Durante la pausa")
            pause.press("Enter")
            expect(page.locator("#feed")).to_contain_text("Durante la pausa")
            expect_well(page)
