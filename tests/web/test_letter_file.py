"""The letter of a month as a download: the file of `export letter`, verified when it is made, if that is possible."""

from datetime import UTC, datetime

import httpx2
import pytest

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.diagnostics import verification
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.web.context import WebContext
from daemon.web.page import month_texts
from daemon.web.page.parts import letter_file
from rules import business_days
from rules.settings import italian, letter_texts
from rules.settings.settings import Settings
from tests import shop
from tests.shop_history import ShopHistory, config_of
from tests.web.test_letter import without_proof
from tests.web.test_months import MAY, letter_of, life, page, words

__all__ = ["life", "page"]

FILE = "/analytics/scarica/lettera-2025-05.html"


def test_the_page_of_a_month_offers_its_letter_as_one_file(page: httpx2.Client) -> None:
    html = letter_of(page, "2025-05")
    answer, other = page.get(FILE), page.get("/analytics/scarica/mesi.csv")

    assert f'<a href="{FILE}" download>{month_texts.DOWNLOAD_LETTER}</a>' in html
    assert answer.headers["Content-Disposition"] == 'attachment; filename="chatello-maggio-2025.html"'
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Cache-Control"):
        assert answer.headers[name] == other.headers[name]
    assert without_proof(words(answer.text)) == without_proof(words(html))
    for forbidden in ("<script", "href=", "src=", "url(", "@import"):
        assert forbidden not in answer.text


@pytest.mark.parametrize("month", ["2025-02", "2025-13", "maggio", "2025-05-01"])
def test_a_month_without_anything_has_no_file(page: httpx2.Client, month: str) -> None:
    assert page.get(f"/analytics/scarica/lettera-{month}.html").status_code == 404


def test_a_file_without_a_verification_now_has_the_last_one_of_the_process(life: ShopHistory) -> None:
    """The server no longer keeps the snapshot of this history's checkpoint, so it cannot be compared."""
    context = WebContext(life.db, ActiveConfig(config_of(life.db)), Health())
    never = letter_file.document(context, MAY) or ""
    context.health.record_verification(datetime(2026, 11, 8, 5, 3, tzinfo=UTC).timestamp(), 0)
    last = letter_file.document(context, MAY) or ""

    assert letter_texts.PROOF_MISSING in never
    assert letter_texts.PROOF.partition(" {")[0] in last
    assert "8 novembre alle 06:03" in last


def test_a_file_is_verified_when_it_is_made_if_there_is_time_for_it(
    mongo_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "RETRY_SECONDS", 0.0)
    config = shop.config_for(mongo_uri, database)
    plan = shop.plans(database)["pro"]
    shop.license(database, shop.customer(database, "Prima"), plan)
    with shop.running(config):
        counted = {"totals.active_licenses": 1}
        shop.until(lambda: database.analytics_checkpoint.find_one(counted) is not None, "the totals")
    context = WebContext(database, ActiveConfig(config), Health())
    first = business_days.business_day(clock.now(), Settings().zone).replace(day=1)
    passed, late = (letter_file.document(context, first, seconds) or "" for seconds in (20.0, 1e-6))
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$inc": {"totals.customers": 1}})
    failed = letter_file.document(context, first) or ""

    assert letter_texts.PROOF.partition(" {")[0] in passed
    assert letter_texts.PROOF_MISSING in late
    assert italian.plural(letter_texts.PROOF_FAILED, 2) in failed
