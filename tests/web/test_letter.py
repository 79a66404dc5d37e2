"""The letter of a month in a real browser: printed to PDF and read back, as a file, on a phone, in the dark."""

import io
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from daemon.mongo.types import Database
from daemon.web.page import rendering
from rules import business_days
from rules.settings import italian, letter_texts
from tests.browser import PHONE, Visitor
from tests.shop_history import ShopHistory, local, restore_or_create, row_of, spring_history
from tests.system.test_process import run_once
from tests.web.conftest import Serve
from tests.web.test_months import MAY, NOW, close, insert, words

LETTER = "/analytics/mesi/2025-05"
LONG = "Un accordo con un nome piuttosto lungo, come ne scrive chi ha molto da raccontare, " * 3


@pytest.fixture
def full(database: Database) -> ShopHistory:
    """A month in which everything happened: each list of its letter is longer than what is shown."""
    history = spring_history(database)
    restore_or_create(database, "a full month", lambda: fill(history))
    return history


def fill(history: ShopHistory) -> None:
    for number in range(1, 21):
        at = local(date(2025, 5, number), 10)
        history.customer(at, f"c{number}")
        history.license(at, f"L-c{number}", f"c{number}", "agency" if number % 2 else "pro")
        if number > 5:
            history.set(at + timedelta(days=8), f"L-c{number}", status="cancelled")
        insert(history, "partnership", at, LONG)
        insert(history, "milestone_reached", at, LONG)
        gap = {"cause": "history_lost", "opened_at": at, "recovered": {"customers": 2}, "closed_at": at}
        history.db.analytics_gaps.insert_one({**gap, "since": at - timedelta(hours=2), "until": at})
    history.store(NOW)
    close(history)
    for number in range(1, 21):
        row = {"date": business_days.stored(date(2025, 5, number)), "period_type": "daily"}
        first = {"total_customers": number, "mrr": 1.0 * number}
        history.db.historical_analytics.update_one(row, {"$set": {"revision": 1, "first_reported": first}})


@pytest.fixture
def visitor(full: ShopHistory, serve: Serve, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitor]:
    """Serve the letter, with time for a busy machine: on one with four processes per core a page was a 503 once."""
    monkeypatch.setattr(rendering, "DATABASE_TIMEOUT_SECONDS", 60.0)
    with serve(headers={}) as client:
        yield Visitor(browser, str(client.base_url).rstrip("/"))


def printed(page: Page) -> PdfReader:
    return PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True, print_background=False)))


def text_of(pdf: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).replace(italian.NBSP, " ").split())


def violations(page: Page) -> list[str]:
    return [f"{one['id']}: {one['nodes'][0]['html'][:100]}" for one in Axe().run(page).response["violations"]]


def test_the_printed_letter_of_a_full_month_has_at_most_two_pages_and_the_rows_numbers(
    visitor: Visitor, full: ShopHistory
) -> None:
    row = row_of(full.db, MAY, "monthly")
    with visitor.visit(LETTER) as page:
        pdf = printed(page)

    text = text_of(pdf)
    assert len(pdf.pages) <= 2
    assert {round(float(side)) for side in pdf.pages[0].mediabox[2:]} == {595, 842}
    for kind, moved in row["mrr_movements"].items():
        if moved["amount"]:
            assert italian.signed_cents(round(moved["amount"] * 100)).replace(italian.NBSP, " ") in text, kind
    assert f"MRR a {italian.euro(row['mrr'])}".replace(italian.NBSP, " ") in text
    assert f"Clienti totali {row['total_customers']}" in text
    assert f"Sono arrivati {row['new_customers']} nuovi clienti" in text
    assert f"{row['churned_customers']} clienti se ne sono andati" in text
    assert text.count("… e ancora") == 4
    assert letter_texts.SIGNED in text
    assert "Sistema" not in text


def test_the_letter_works_without_javascript(visitor: Visitor) -> None:
    with visitor.visit(LETTER, java_script_enabled=False) as page:
        assert page.locator(".waterfall tbody tr").count() == 7
        page.get_by_role("link", name="Mesi", exact=True).first.click()
        page.get_by_role("link", name="aprile 2025").click()
        assert page.locator("h1").inner_text() == "Lettera di aprile 2025"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", [LETTER, "/analytics/mesi"])
def test_light_dark_desktop_and_phone_are_accessible_and_fit(
    visitor: Visitor, path: str, scheme: str, size: Any
) -> None:
    looks: dict[str, Any] = {"color_scheme": scheme, **({"viewport": size, "is_mobile": True} if size else {})}
    with visitor.visit(path, **looks) as page:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_dark_system_prints_dark_ink_on_white_paper(visitor: Visitor) -> None:
    with visitor.visit(LETTER, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.documentElement).backgroundColor]"
        )

    assert (ink, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")


def test_the_exported_letter_is_one_file_with_the_content_of_the_page_and_asks_for_nothing(
    visitor: Visitor, full: ShopHistory, mongo_uri: str, tmp_path: Path
) -> None:
    file = tmp_path / "maggio.html"
    status, output = run_once(
        "export", "letter", "2025-05", "-o", str(file), MONGODB_URI=mongo_uri, MONGODB_DATABASE=full.db.name
    )
    assert (status, output) == (0, "")
    html, requests = file.read_text(encoding="utf-8"), []
    page = visitor.browser.new_page()
    try:
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        pdf, found = printed(page), violations(page)
    finally:
        page.close()
    served = httpx2.get(visitor.origin + LETTER).text

    assert requests == [file.as_uri()]
    assert (found, len(pdf.pages) <= 2) == ([], True)
    for forbidden in ("<script", "href=", "src=", "url(", "@import"):
        assert forbidden not in html
    assert without_proof(words(html)) == without_proof(words(served))


def without_proof(text: str) -> str:
    """Return the letter without the line on the verification, which each process makes for itself."""
    start = min(text.find(begin) for begin in ("Conti verificati", "Verifica dei conti") if begin in text)
    return text[:start].replace(" .", ".").replace(" ,", ",").replace(" :", ":").replace(" )", ")").replace("( ", "(")


@pytest.mark.parametrize(
    ("month", "status", "sentence"),
    [
        ("2025-5x", 2, "'2025-5x' is not a month; use YYYY-MM"),
        ("2031-01", 1, "no letter for 2031-01: neither the table nor the ledger has a day of it"),
    ],
)
def test_a_month_without_a_letter_is_one_message(
    full: ShopHistory, mongo_uri: str, tmp_path: Path, month: str, status: int, sentence: str
) -> None:
    file = tmp_path / "x.html"
    where = {"MONGODB_URI": mongo_uri, "MONGODB_DATABASE": full.db.name}
    found, output = run_once("export", "letter", month, "-o", str(file), **where)

    assert (found, sentence in output, file.exists()) == (status, True, False), output
