"""A number of now with the time of its numbers, and the rows of an explanation as a file."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import httpx2
import pytest

from daemon.mongo.types import Database
from daemon.web.page import why_texts
from tests.shop_history import ShopHistory, local, spring_history
from tests.web.conftest import Serve
from tests.web.test_why_pages import Why

DAY = date(2025, 6, 30)
ROME = ZoneInfo("Europe/Rome")


@pytest.fixture
def history(database: Database) -> ShopHistory:
    history = spring_history(database)
    history.customer(local(DAY, 10), "nuovo")
    history.license(local(DAY, 10), "L-nuova", "nuovo")
    history.store(local(DAY, 13))
    return history


@pytest.fixture
def pages(serve: Serve, history: ShopHistory) -> Iterator[httpx2.Client]:
    with serve() as client:
        yield client


def heading(page: str) -> str:
    found = re.search(r'id="as-of" class="quiet">(.*?)</p>', page)
    assert found is not None, page
    return found[1]


def test_a_number_of_now_has_the_time_of_its_numbers_and_one_of_an_older_line_that_of_the_line(
    pages: httpx2.Client, history: ShopHistory, database: Database
) -> None:
    newest = history.written
    older = database.analytics_ledger.find_one({"_id": {"$lt": newest}, "day": {"$lt": local(date(2025, 6, 1))}})
    assert older is not None
    texts = [heading(pages.get(f"/analytics/perche/adesso/mrr{query}").text) for query in ("", f"?riga={newest}")]
    of_line = heading(pages.get(f"/analytics/perche/adesso/mrr?riga={older['_id']}").text)

    expected = f"lunedì 30 giugno 2025 · numeri delle 13:00:00, fino al movimento n. {newest} del registro"
    assert texts == [expected] * 2
    assert f"numeri delle {older['at'].astimezone(ROME):%H:%M:%S}, fino al" in of_line
    assert "numeri delle" not in heading(pages.get("/analytics/perche/2025-05-10/mrr").text)


def test_the_rows_of_an_explanation_are_a_file_with_amounts_as_numbers(pages: httpx2.Client) -> None:
    for when, number in (("adesso", "mrr"), ("2025-05-10", "arpa"), ("2025-05", "clienti"), ("2025-06", "retention")):
        page = pages.get(f"/analytics/perche/{when}/{number}").text
        link = re.search(r'href="(/analytics/scarica/perche\.csv[^"]*)"', page)
        assert link is not None, page
        answer = pages.get(link[1].replace("&amp;", "&"))
        head, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";")
        shown = [(kind == "total", amount) for account in Why(page).accounts for kind, amount in account]
        found = [(row[2] == why_texts.IN_ALL, Decimal(row[5].replace(",", "."))) for row in rows]

        assert tuple(head) == why_texts.FILE_COLUMNS
        assert 'filename="chatello-perche-2025-' in answer.headers["Content-Disposition"]
        assert [(is_total, amount) for is_total, amount in found] == [
            (is_total, amount if row[0] in ("Clienti totali", "Abbonati") else Decimal(amount) / 100)
            for (is_total, amount), row in zip(shown, rows, strict=True)
        ]
