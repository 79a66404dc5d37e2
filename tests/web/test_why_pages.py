"""The pages of a past shop: each number leads to its movements, which the test adds up itself, without a script."""

import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from daemon.config.active import ActiveConfig
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store.ledger.day_totals import DayTotals
from daemon.web.page import error_texts, texts, why_texts
from rules import business_days
from rules.settings import italian, letter_texts
from tests.shop_history import ShopHistory, config_of, local, row_of, spring_history
from tests.web.conftest import Serve

NOW = local(date(2025, 6, 30), 12)
MINUS, NBSP = italian.MINUS, italian.NBSP


@pytest.fixture
def shop_of_spring(database: Database) -> ShopHistory:
    history = spring_history(database)
    Rollup(database, ActiveConfig(config_of(database))).close_missing(NOW)
    return history


@pytest.fixture
def pages(serve: Serve, shop_of_spring: ShopHistory) -> Iterator[httpx2.Client]:
    with serve() as client:
        yield client


class Why(HTMLParser):
    """The numbers of an explanation: of each account the start, the lines and the total, in cents or counts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.accounts: list[list[tuple[str, int]]] = []
        self.verdict, self._row, self._is_amount = "", "", False
        self._amount = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        classes = (dict(attributes).get("class") or "").split()
        if tag == "table" and "why-lines" in classes:
            self.accounts.append([])
        if tag == "tr":
            self._row = classes[0] if classes else ""
        if tag == "td" and "number" in classes:
            self._is_amount, self._amount = True, ""
        if tag == "p" and "verdict" in classes:
            self.verdict = classes[-1]

    def handle_data(self, data: str) -> None:
        if self._is_amount:
            self._amount += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._is_amount:
            self._is_amount = False
            self.accounts[-1].append((self._row, number(self._amount)))

    def sums(self) -> list[tuple[int, int]]:
        """Return of each account what the test adds up, and the total that the page shows."""
        return [
            (
                sum(amount for row, amount in one if row != "total"),
                next(amount for row, amount in one if row == "total"),
            )
            for one in self.accounts
        ]


def number(text: str) -> int:
    """Return a shown amount in cents or a count."""
    digits = int(re.sub(r"[^0-9]", "", text) or 0)
    return -digits if MINUS in text else digits


def why(pages: httpx2.Client, path: str, status: int = 200) -> Why:
    answer = pages.get(path)
    assert answer.status_code == status, (path, answer.text)
    return Why(answer.text)


def links(text: str) -> set[str]:
    """Return the addresses of other pages in the content of a page, without its navigation."""
    text = text.partition("<main")[2]
    return {found.replace("&amp;", "&") for found in re.findall(r'href="(/analytics/[^"#]*)', text)}


def test_every_number_of_a_day_leads_to_lines_that_add_up_to_the_recount(
    pages: httpx2.Client, database: Database
) -> None:
    for day in (date(2025, 3, 30), date(2025, 4, 2), date(2025, 5, 10), date(2025, 5, 11), date(2025, 6, 30)):
        page = pages.get(f"/analytics/giorni/{day}")
        assert page.status_code == 200, page.text
        explained = {link for link in links(page.text) if f"/perche/{day}/" in link and "/nota/" not in link}
        assert len(explained) > 15
        for link in explained:
            found = why(pages, link)
            assert found.verdict == "well", link
            assert found.accounts and all(added == total for added, total in found.sums()), link
        lines = database.analytics_ledger.find({"day": {"$lte": business_days.stored(day)}})
        recount = sum(line["mrr_cents"] for line in lines)
        ((added, _),) = why(pages, f"/analytics/perche/{day}/mrr").sums()
        assert added == recount


def test_every_link_of_an_explanation_leads_to_a_page(pages: httpx2.Client) -> None:
    seen: set[str] = set()
    for start in ("/analytics/perche/2025-05/retention", "/analytics/giorni/2025-05-10", "/analytics/eventi"):
        following = links(pages.get(start).text) - seen
        seen |= following
        for link in following:
            assert pages.get(link, follow_redirects=True).status_code == 200, link


def test_a_tampered_row_does_not_add_up_and_says_what_to_do(pages: httpx2.Client, database: Database) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    database.historical_analytics.update_one(key, {"$inc": {"mrr": 100.0}})
    page = pages.get("/analytics/perche/2025-05-10/mrr").text

    assert Why(page).verdict == "unwell"
    assert why_texts.FAILS in page
    assert italian.euro(row_of(database, date(2025, 5, 10))["mrr"]) in page
    assert "chatello-analytics rollup --check" in page


def test_the_rates_of_a_day_are_those_of_its_row_and_one_that_was_changed_does_not_add_up(
    pages: httpx2.Client, database: Database
) -> None:
    day = date(2025, 5, 10)
    assert why_texts.FAILS not in pages.get(f"/analytics/giorni/{day}").text
    key = {"date": business_days.stored(day), "period_type": "daily"}
    database.historical_analytics.update_one(key, {"$set": {"net_revenue_retention": 0.4321}})
    page = pages.get(f"/analytics/giorni/{day}").text
    api = pages.get("/api/explain", params={"number": "retention", "when": str(day)}).json()

    assert re.search(rf"43,2{NBSP}?%</a></dd>\s*<dd class=\"fraction\">{why_texts.FAILS}</dd>", page)
    assert page.count(why_texts.FAILS) == 1
    assert Why(pages.get(f"/analytics/perche/{day}/retention").text).verdict == "unwell"
    assert (api["stored"], api["adds_up"]) == (0.4321, False)


def test_a_number_of_now_says_when_the_database_was_counted(pages: httpx2.Client) -> None:
    live, closed = (pages.get(f"/analytics/perche/{when}/mrr").text for when in ("adesso", "2025-05-10"))

    assert letter_texts.PROOF_MISSING in live
    assert letter_texts.PROOF_MISSING not in closed


def test_an_amended_row_shows_the_old_number_and_the_new_one(pages: httpx2.Client, database: Database) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    change = {"first_reported": {"mrr": 1.0, "updated_at": NOW}, "revision": 1}
    database.historical_analytics.update_one(key, {"$set": change})
    page = pages.get("/analytics/perche/2025-05-10/mrr").text
    day = pages.get("/analytics/giorni/2025-05-10").text

    assert why_texts.CORRECTED in page
    assert "€\u00a01,00" in page
    assert Why(page).verdict == "well"
    assert '<td class="number first">€\u00a01,00</td>' in day


def test_a_late_event_that_changes_no_number_is_a_correction_of_the_note_only(
    pages: httpx2.Client, database: Database
) -> None:
    day, other = date(2025, 6, 27), date(2025, 6, 26)
    of = {one: {"date": business_days.stored(one), "period_type": "daily"} for one in (day, other)}
    late = {"event_type": "media_mention", "event_date": local(day), "description": "Articolo su Wired"}
    database.business_events.insert_one(late)
    entry = {"day": business_days.stored(day), "seq": 0, "moved": False}
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$push": {"reopened": entry}})
    Rollup(database, ActiveConfig(config_of(database))).close_missing(NOW)
    first = {"mrr": 1.0, "auto_notes": row_of(database, other)["auto_notes"], "updated_at": NOW}
    database.historical_analytics.update_one(of[other], {"$set": {"first_reported": first, "revision": 1}})
    note, number = (pages.get(f"/analytics/giorni/{one}").text for one in (day, other))
    table = pages.get("/analytics/andamento?periodo=tutto").text

    assert f'title="{texts.REVISED_NOTE_WHY}"' in note
    assert f"<p>{texts.REVISED_NOTE_WHY}</p>" in note
    assert re.search(r"Prima versione, \d\d/\d\d/\d{4} alle \d\d:\d\d: nessun evento\.", note)
    assert texts.REVISED_WHY not in note
    assert f'title="{texts.REVISED_WHY}"' in number
    assert "Prima versione, " not in number
    assert table.count(texts.REVISED_NOTE_WHY) == table.count(texts.REVISED_WHY) == 1


def test_a_sale_in_between_does_not_change_the_page_of_a_line(
    pages: httpx2.Client, shop_of_spring: ShopHistory
) -> None:
    address = f"/analytics/perche/adesso/mrr?riga={shop_of_spring.written}"
    before = why(pages, address)
    shop_of_spring.customer(local(date(2025, 6, 30), 13), "nuovo")
    shop_of_spring.license(local(date(2025, 6, 30), 13), "L-nuovo", "nuovo")
    shop_of_spring.store(local(date(2025, 6, 30), 14))

    assert (why(pages, address).accounts, before.verdict) == (before.accounts, "well")
    assert why(pages, "/analytics/perche/adesso/mrr").accounts != before.accounts


def test_more_movements_than_a_page_shows_continue_on_the_next(
    pages: httpx2.Client, shop_of_spring: ShopHistory
) -> None:
    day = date(2025, 6, 30)
    for count in range(120):
        shop_of_spring.customer(local(day, 8).replace(microsecond=count * 1000), f"c{count}")
    shop_of_spring.store(local(day, 13))
    listed, address = 0, f"/analytics/perche/{day}/clienti"
    while address:
        text = pages.get(address).text
        found = Why(text)
        listed += sum(row == "line" for row, _ in found.accounts[0])
        assert all(added == total for added, total in found.sums())
        following = {link for link in links(text) if re.match(r"/analytics/perche/.*salta=", link)} - {address}
        assert len(following) <= 1
        address = next(iter(following), "")

    assert listed == 120


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/analytics/perche/2024-01-01/mrr", 404, "i conti partono dal 14 marzo"),
        ("/analytics/perche/2031-01-01/mrr", 404, why_texts.FUTURE),
        ("/analytics/perche/adesso/niente", 404, why_texts.UNKNOWN),
        ("/analytics/perche/ieri/mrr", 422, ""),
        ("/analytics/perche/2025-04-02/quick-ratio", 200, why_texts.TOO_EARLY_FOR_RATE),
        ("/analytics/perche/2025-05-10/nota/nowhere", 404, why_texts.NOTE_NOT_FOUND),
    ],
)
def test_what_cannot_be_explained_says_why(pages: httpx2.Client, path: str, status: int, text: str) -> None:
    answer = pages.get(path)

    assert (answer.status_code, text in answer.text) == (status, True), answer.text


def test_a_number_that_is_still_being_summed_appears_by_itself_or_by_a_link(
    serve: Serve, shop_of_spring: ShopHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DayTotals.__init__, "__defaults__", (1,))  # more than one line is summed by a thread
    monkeypatch.setattr("daemon.diagnostics.explanation.MAX_DIRECT_LINES", -1)
    address = "/analytics/perche/2025-05-10/mrr"
    with serve() as client:
        answer = client.get(address)
        wait_for(lambda: client.get(address).status_code == 200, "the sums")
        never = client.get("/analytics/perche/2024-01-01/mrr")

    assert (answer.status_code, texts.COUNTING in answer.text) == (503, True)
    assert re.search(r"<main [^>]*data-retry>", answer.text)
    assert f'<a class="button" href="">{error_texts.AGAIN}</a>' in answer.text
    assert "data-retry" not in never.text and error_texts.AGAIN not in never.text


def test_each_fact_of_a_note_leads_to_its_events_and_movements(pages: httpx2.Client) -> None:
    page = pages.get("/analytics/giorni/2025-05-10").text
    (address,) = {link for link in links(page) if "/nota/" in link}
    found = pages.get(address).text

    assert "Licenza Pro riattivata: bruno" in found
    assert "Ritorno: licenza riattivata" in found


def test_rates_show_their_fraction_and_no_percentage_of_few(pages: httpx2.Client) -> None:
    page = pages.get("/analytics/perche/2025-04/churn-clienti").text

    assert "1 su 3" in page
    assert why_texts.TOO_FEW in page
    assert "33,3%" not in page


def test_the_page_of_a_day_shows_its_rates_with_their_fraction_and_links_to_them(pages: httpx2.Client) -> None:
    early, late = (pages.get(f"/analytics/giorni/{day}").text for day in ("2025-04-02", "2025-05-10"))

    assert "Non disponibile: giorni di conti 19 su 30." in early
    assert re.search(r'<a class="why" href="/analytics/perche/2025-05-10/churn-clienti">\d+ su \d</a>', late)
