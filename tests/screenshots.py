"""Screenshots of the page for docs/ with simulated data: `python -m tests.screenshots` (make pictures) retakes them."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import expect
from pymongo import MongoClient

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.types import Database
from daemon.web.page import texts
from rules import business_days
from rules.settings.settings import Settings
from tests import shop
from tests.browser import PHONE, Visitor, chromium

DOCS = Path(__file__).parent.parent / "docs"
LOOKS: dict[str, dict[str, Any]] = {
    "page-light.png": {"color_scheme": "light"},
    "page-dark.png": {"color_scheme": "dark"},
    "page-phone.png": {"color_scheme": "light", "viewport": PHONE, "is_mobile": True, "device_scale_factor": 1.5},
}
WHY = "page-why.png"
PAST = timedelta(days=45)
STEPS = 25


def take(visitor: Visitor) -> None:
    for name, look in LOOKS.items():
        with visitor.visit(**look) as page:
            expect(page.locator("#link")).to_have_text(texts.FEED_LIVE)
            page.screenshot(path=DOCS / name)
    with visitor.visit() as page:
        page.locator("a.why").first.click()
        expect(page.locator(".verdict.well")).to_be_visible()
        page.screenshot(path=DOCS / WHY)


def main() -> None:
    client: MongoClient[dict[str, Any]]
    today = business_days.stored(business_days.business_day(clock.now(), Settings().zone))
    with EmbeddedMongo() as mongo, MongoClient(mongo.uri, tz_aware=True) as client, chromium() as browser:
        db: Database = client["chatello_demo"]
        dashboard = Dashboard(db, Random(3))
        dashboard.set_up(today - PAST)
        dashboard.create_history(today - PAST, today, customers=40)
        with shop.process(mongo.uri, db.name, CHATELLO_TIME__LIVE_ROW_SECONDS="1") as daemon:
            wait_for(lambda: any("stream.opened" in line for line in daemon.lines), "the stream")
            for _ in range(STEPS):
                dashboard.step(clock.now())
            row = {"date": today, "total_customers": db.customers.count_documents({})}
            wait_for(lambda: db.historical_analytics.find_one(row) is not None, "today's row")
            take(Visitor(browser, f"http://127.0.0.1:{daemon.port}"))


if __name__ == "__main__":
    main()
