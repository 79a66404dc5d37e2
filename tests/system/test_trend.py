"""Andamento in a real browser: the chart by keyboard, pointer and touch, without a script, marks, gaps and goals."""

import io
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pymongo import MongoClient
from pypdf import PdfReader

from daemon import clock
from daemon.demo.embedded_mongo import wait_for
from daemon.mongo.client import CODEC
from daemon.mongo.types import Database
from daemon.web.page import texts, trend_texts
from rules import business_days
from rules.settings import italian
from rules.settings.settings import Settings
from tests import shop
from tests.browser import PHONE, Visitor

TREND = "/analytics/andamento?periodo=90"
GOALS = """
[[rules.goals]]
metric = "mrr"
value = 900
by = {by}
"""
READING = "#history-reading"


def today() -> date:
    return business_days.business_day(clock.now(), Settings().zone)


def row(day: date) -> dict[str, Any]:
    age = (today() - day).days
    numbers = {"total_customers": 700 - age, "paying_customers": 5, "active_licenses": 9, "mrr": 700.0 - age}
    return {"date": business_days.stored(day), "period_type": "daily", **numbers, "notes": "", "final": True}


@pytest.fixture(scope="module")
def db(client: MongoClient[dict[str, Any]]) -> Iterator[Database]:
    made: Database = client.get_database("test_trend_page", codec_options=CODEC)
    client.drop_database(made.name)
    shop.license(made, shop.customer(made, "Prima"), shop.plans(made)["pro"])
    made.historical_analytics.insert_many([row(today() - timedelta(ago)) for ago in range(1, 200) if ago != 50])
    for kind, ago, text in (
        ("marketing_campaign", 40, "Campagna d’autunno"),
        ("feature_released", 39, "<b>Rilascio</b> 2.0"),
        ("media_mention", 12, "Articolo"),
        ("partnership", 2, "Accordo"),
    ):
        event = {"event_type": kind, "event_date": clock.now() - timedelta(ago), "description": text}
        made.business_events.insert_one(event)
    holiday = {"event_type": "marketing_campaign", "description": "Oggi è festa", "metadata": {"special_date": "10-01"}}
    made.business_events.insert_one({**holiday, "event_date": clock.now() - timedelta(30)})
    ended = clock.now() - timedelta(50)
    gap = {
        "cause": "upgrade",
        "further_causes": ["history_lost"],
        "detail": "",
        "since": ended - timedelta(2),
        "opened_at": ended,
        "closed_at": ended,
    }
    made.analytics_gaps.insert_one(gap)
    yield made
    client.drop_database(made.name)


@pytest.fixture(scope="module")
def visitor(
    mongo_uri: str, db: Database, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Visitor]:
    file: Path = tmp_path_factory.mktemp("goals") / "config.toml"
    file.write_text(GOALS.format(by=today() + timedelta(365)))
    with shop.process(mongo_uri, db.name, ("--config", str(file)), CHATELLO_TIME__LIVE_ROW_SECONDS="1") as process:
        wait_for(lambda: db.historical_analytics.find_one({"final": False}) is not None, "today's row", 60)
        yield Visitor(browser, f"http://127.0.0.1:{process.port}")


def shown(page: Page) -> str:
    return page.locator(READING).inner_text().partition(":")[0]


def day(ago: int) -> str:
    return texts.day(today() - timedelta(ago))


def with_articles(first: int, last: int) -> str:
    begin, end = (today() - timedelta(ago) for ago in (first, last))
    return f"{italian.with_article(italian.DAL, begin, today())} {italian.with_article(italian.AL, end, today())}"


def test_the_keyboard_reaches_every_value_from_one_stop_of_the_tab_key(visitor: Visitor) -> None:
    with visitor.visit(TREND) as page:
        expect(page.locator(READING)).to_have_text(f"{day(0)}: MRR € 7,99".replace("€ ", "€\u00a0"))
        assert page.locator(".history svg a:not([tabindex='-1'])").count() == 0
        page.locator("#history .reader").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(READING)).to_have_text(f"{day(1)}: MRR {italian.euro(699)}")
        page.keyboard.press("Home")
        assert shown(page) == day(89)
        seen = {shown(page)}
        for _ in range(95):
            page.keyboard.press("ArrowRight")
            seen.add(shown(page))
        assert seen == {day(ago) for ago in range(90) if ago != 50}
        page.keyboard.press("End")
        assert shown(page) == day(0)
        with page.expect_navigation(url="**/perche/adesso/mrr?riga=*"):
            page.keyboard.press("Enter")


@pytest.mark.parametrize(
    "look", [{}, {"viewport": PHONE, "is_mobile": True, "has_touch": True}], ids=["mouse", "touch"]
)
def test_the_pointer_picks_the_nearest_day(visitor: Visitor, look: dict[str, Any]) -> None:
    with visitor.visit(TREND, **look) as page:
        box: Any = page.locator("#history svg").bounding_box()
        x, y = box["x"] + box["width"] * 0.31, box["y"] + box["height"] * 0.3
        page.touchscreen.tap(x, y) if look else page.mouse.move(x, y)

        line, at = page.locator("#history .axis.y line").first, 0.31 * 640
        first, last = (int(line.get_attribute(edge) or 0) for edge in ("x1", "x2"))
        assert shown(page) == day(89 - round((at - first) / (last - first) * 89))
        expect(page.locator("#history .cursor")).to_have_attribute("visibility", "visible")


def test_a_refresh_of_the_chart_keeps_the_day_that_is_read_and_the_focus(visitor: Visitor, db: Database) -> None:
    with visitor.visit(TREND) as page:
        page.locator("#history .reader").focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        shop.license(db, shop.customer(db, "Nuova"), db.plans.find_one({"name": "pro"})["_id"])  # type: ignore[index]
        expect(page.locator(".history tr[data-x] td").first).not_to_have_text("€\u00a07,99")
        assert shown(page) == day(3)
        page.keyboard.press("ArrowLeft")
        assert shown(page) == day(4)


def test_without_a_script_everything_is_a_link_and_a_table(visitor: Visitor) -> None:
    with visitor.visit(TREND, java_script_enabled=False) as page:
        expect(page.locator("#history .reader")).to_be_hidden()
        marks = page.locator("#history svg a.mark")
        assert marks.count() == 3
        assert (
            marks.first.locator("title").text_content()
            == f"{day(40)}: Campagna d’autunno; {day(39)}: ‹b›Rilascio‹/b› 2.0"
        )
        assert marks.first.locator("text").text_content() == "2"
        marks.first.focus()
        page.keyboard.press("Enter")
        expect(page.locator(f"#segno-{today() - timedelta(40)}")).to_contain_text("Campagna d’autunno")
        assert page.url.endswith(f"#segno-{today() - timedelta(40)}")
        page.locator("#history summary").click()
        expect(page.locator("#history tbody tr")).to_have_count(89)
        expect(page.locator("#history tbody a")).to_have_count(89)
        page.get_by_role("link", name=trend_texts.COMPARE).click()
        expect(page.locator("#history .stroke.previous")).to_have_count(1)
        page.get_by_role("link", name=texts.CUSTOMERS, exact=True).click()
        expect(page.locator("#history h2")).to_have_text("Clienti totali nel tempo")
        expect(page.locator("#history .stroke.previous")).to_have_count(1)
        expect(page.locator(".periods [aria-current]")).to_have_text(texts.PERIODS["90"])


def test_marks_say_what_came_after_without_a_cause_and_gaps_are_bands(visitor: Visitor) -> None:
    with visitor.visit(TREND) as page:
        campaign = page.locator(f"#segno-{today() - timedelta(40)}")
        expect(campaign).to_contain_text("+7 clienti nei 7 giorni dopo (7 nei 7 prima), non per forza per questo")
        recent = page.locator(f"#segno-{today() - timedelta(2)}")
        expect(recent).to_contain_text("Troppo presto per un confronto: giorni passati 2 su 7.")
        expect(page.get_by_text("Oggi è festa")).to_have_count(0)
        assert page.locator("#history .band").count() == 1
        title = page.locator("#history .band title").text_content() or ""
        assert title == f"Interruzione: {with_articles(52, 50)}"
        page.get_by_role("link", name=trend_texts.BANDS_LINK).click()
        expect(page.locator("#interruzioni")).to_have_text(title)
        expect(page.locator("#interruzioni")).to_be_in_viewport()
        assert page.locator("#history .stroke.current").count() == 2


def test_a_goal_is_a_line_with_its_name_and_a_sentence_on_the_pace(visitor: Visitor) -> None:
    with visitor.visit(TREND) as page:
        expect(page.locator("#history .goal text")).to_have_text("obiettivo €\u00a0900")
        expect(page.locator(".goals li").first).to_contain_text("MRR a €\u00a0900,00 entro")
        page.locator(".goals summary").click()
        expect(page.locator(".goals")).to_contain_text("È un calcolo, non una promessa.")
        page.goto(f"{visitor.origin}/analytics/andamento?metrica=licenze")
        expect(page.locator("#history .goal")).to_have_count(0)


def test_the_api_says_the_same_of_a_goal(visitor: Visitor) -> None:
    with visitor.visit(TREND) as page:
        [goal] = page.request.get(f"{visitor.origin}/api/goals").json()["goals"]

        assert (goal["metric"], goal["value"], goal["by"]) == ("mrr", 900, str(today() + timedelta(365)))
        assert goal["gains"][1:] == [30.0, 30.0]
        assert (goal["state"], goal["reached_on"], goal["latest"]) == ("behind", None, None)
        assert goal["soonest"] > goal["by"]


def test_an_axis_that_does_not_begin_at_zero_says_so(visitor: Visitor, db: Database) -> None:
    flat = {"date": {"$gte": business_days.stored(today() - timedelta(6))}}
    with visitor.visit("/analytics/andamento?metrica=licenze&periodo=7") as page:
        expect(page.get_by_text(trend_texts.NOT_FROM_ZERO)).to_have_count(0)
        now = db.licenses.count_documents({})
        db.historical_analytics.update_many(flat, {"$set": {"active_licenses": now}})
        page.reload()
        expect(page.get_by_text(trend_texts.NOT_FROM_ZERO)).to_have_count(1)
        db.historical_analytics.update_many(flat, {"$set": {"active_licenses": 9}})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
def test_the_chart_is_accessible_and_its_marks_are_large_enough(visitor: Visitor, scheme: str, size: Any) -> None:
    looks: dict[str, Any] = {"color_scheme": scheme, **({"viewport": size, "is_mobile": True} if size else {})}
    with visitor.visit(f"{TREND}&confronto=si", **looks) as page:
        page.locator("#history summary").click()
        found = Axe().run(page).response["violations"]
        assert [f"{one['id']}: {one['nodes'][0]['html'][:100]}" for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        sizes = page.evaluate(
            "[...document.querySelectorAll('.mark .target')].map((one) => one.getBoundingClientRect().width)"
        )
        assert min(sizes) >= 24
        assert all(math.isfinite(one) for one in sizes)


def test_the_printed_page_has_chart_numbers_and_marks_in_dark_ink(visitor: Visitor) -> None:
    with visitor.visit(TREND, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.documentElement).backgroundColor]"
        )
        hidden = page.evaluate("getComputedStyle(document.querySelector('.reader')).display")
        pdf = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))

    text = " ".join(" ".join(part.extract_text() for part in pdf.pages).replace(italian.NBSP, " ").split())
    assert (ink, paper, hidden) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)", "none")
    assert {round(float(side)) for side in pdf.pages[0].mediabox[2:]} == {595, 842}
    for shown in (trend_texts.MARKS_TITLE, "Campagna d’autunno", trend_texts.GOALS_TITLE, f"{day(3)}", "697,00"):
        assert shown in text, shown


@pytest.mark.parametrize("wrong", ["metrica=arr", "periodo=91", "confronto=no", "pagina=0", "grafico=1"])
def test_an_unknown_choice_is_a_page_in_italian(visitor: Visitor, wrong: str) -> None:
    with visitor.visit(TREND) as page:
        answer = page.request.get(f"{visitor.origin}/analytics/andamento?{wrong}", headers={"Accept": "text/html"})

        assert answer.status in (400, 422)
        assert '<html lang="it">' in answer.text()
