"""The pages of months: the list, the letter of a month, downloads; on a real replica set, as the browser gets them."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import httpx2
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings

from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store import forgotten, indexes
from daemon.store.ledger import reader as ledger
from daemon.web.page import month_texts
from rules import business_days
from rules.model.changes import Change
from rules.settings import italian, letter_texts
from tests.rules.calendar_recount import ZONE, has_moves, recounted_days
from tests.rules.calendar_recount import business_days as recount_days
from tests.rules.histories import histories
from tests.rules.shop import Shop
from tests.shop_history import (
    ShopHistory,
    config_of,
    local,
    restore_or_create,
    row_of,
    spring_history,
    store_plans,
    write_ledger,
)
from tests.web.conftest import Serve

HOSTILE = "<script>alert(1)</script>"
NOW = local(date(2025, 6, 30), 12)
MAY = date(2025, 5, 1)


@pytest.fixture
def life(database: Database) -> ShopHistory:
    """A shop from 14 March to 30 June 2025, with the rows of all closed days and months."""
    history = spring_history(database)
    restore_or_create(database, "closed", lambda: close(history))
    return history


@pytest.fixture
def page(life: ShopHistory, serve: Serve) -> Iterator[httpx2.Client]:
    with serve(headers={"Accept": "text/html"}) as client:
        yield client


def close(history: ShopHistory, now: datetime = NOW) -> None:
    Rollup(history.db, ActiveConfig(config_of(history.db))).close_missing(now)


def letter_of(page: httpx2.Client, month: str) -> str:
    answer = page.get(f"/analytics/mesi/{month}")
    assert answer.status_code == 200, answer.text
    return answer.text


def words(html: str) -> str:
    """Return the text of a page's letter as a person reads it."""
    article = html[html.index("<article") : html.index("</article>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", article)).split())


def waterfall(html: str) -> dict[str, str]:
    """Return the amounts of the waterfall by their kind."""
    lines = re.findall(r'<tr class="(\w+)">.*?<td class="number">(.*?)</td></tr>', html, re.DOTALL)
    return {kind: unescape(re.sub(r"<[^>]+>", "", amount)) for kind, amount in lines}


def links(html: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="(/analytics/perche/[^"]+)"', html)]


def expected_waterfall(row: dict[str, Any]) -> dict[str, str]:
    moved = {kind: one["amount"] for kind, one in row["mrr_movements"].items() if kind != "opening"}
    start = round(row["mrr"] * 100) - sum(round(amount * 100) for amount in moved.values())
    changes = {
        kind: italian.signed_cents(round(amount * 100)).replace("+€\xa00,00", "€\xa00,00")
        for kind, amount in moved.items()
    }
    return {"start": italian.cents(start), **changes, "end": italian.euro(row["mrr"])}


# The letter


@pytest.mark.parametrize("month", [date(2025, 3, 1), date(2025, 4, 1), MAY])
def test_the_letters_numbers_are_those_of_the_monthly_row(page: httpx2.Client, life: ShopHistory, month: date) -> None:
    html, row = letter_of(page, f"{month:%Y-%m}"), row_of(life.db, month, "monthly")

    assert waterfall(html) == expected_waterfall(row)
    text = words(html)
    assert f"MRR a {italian.euro(row['mrr'])}".replace(italian.NBSP, " ") in text
    assert f"Clienti totali {row['total_customers']}" in text
    if row["one_time_revenue"]:
        assert f"Vendite una tantum: {italian.euro(row['one_time_revenue'])}".replace(italian.NBSP, " ") in text


def test_every_number_of_a_letter_leads_to_its_explanation_and_is_the_explained_one(page: httpx2.Client) -> None:
    found = links(letter_of(page, "2025-04"))
    assert len(found) > 10
    for address in sorted(set(found)):
        _, _, _, when, number = address.partition("?")[0].split("/")
        explained = page.get("/api/explain", params={"when": when, "number": number}).json()
        assert explained["adds_up"], (address, explained)


@pytest.mark.parametrize("number", ["churn-clienti", "retention"])
def test_a_rate_of_a_few_subscribers_is_the_fraction_that_its_explanation_shows(
    page: httpx2.Client, number: str
) -> None:
    address = f"/analytics/perche/2025-04/{number}"
    [shown] = re.findall(rf'href="{address}">([^<]+)<', letter_of(page, "2025-04"))

    assert " su " in shown
    assert f"perché {shown}?" in page.get(address).text


def test_the_first_month_is_partial_and_begins_with_the_opening_balance(page: httpx2.Client) -> None:
    text = words(letter_of(page, "2025-03"))

    assert "I conti partono dal 14 marzo" in text
    assert "Marzo 2025 è il primo mese con i conti" in text
    assert letter_texts.START_OF_LEDGER in text


def test_the_running_month_is_marked_and_computed_from_the_ledger(page: httpx2.Client, life: ShopHistory) -> None:
    life.license(local(date(2025, 6, 30), 11), "L-new", "carla", "agency")
    life.store(NOW)
    html = letter_of(page, "2025-06")

    assert "Mese in corso: numeri aggiornati al 30 giugno" in words(html)
    assert waterfall(html)["expansion"] == italian.signed_cents(1999)
    assert all(f"riga={life.written}" in link for link in links(html) if "/2025-06/" in link)
    assert life.db.historical_analytics.count_documents({"period_type": "monthly"}) == 3


def test_a_limited_plan_is_in_the_letter_of_the_month_that_sold_it(page: httpx2.Client, life: ShopHistory) -> None:
    founders = {"_id": {"k": "plans", "id": "founders"}}
    life.db.analytics_mirror.update_one(founders, {"$set": {"plan.limit": 500}})

    assert ": 1 venduto , ne restano 499 ." in words(letter_of(page, "2025-05"))
    for other in ("2025-03", "2025-04", "2025-06"):
        assert "vendut" not in words(letter_of(page, other))
    with life.db.client.start_session() as session:
        for is_recent in (True, False):
            days = MAY, date(2025, 5, 31)
            found = ledger.licenses_by_plan(life.db, {"founders": 1}, days, session, is_recent=is_recent)
            assert found["founders"] == (1, 1)


def test_an_amended_month_shows_its_new_numbers_and_what_they_were(page: httpx2.Client, life: ShopHistory) -> None:
    before = row_of(life.db, MAY, "monthly")["mrr"]
    life.license(local(date(2025, 5, 20), 9), "L-late", "dario")
    life.store(NOW, reopen=True)
    close(life)
    after = row_of(life.db, MAY, "monthly")
    html = letter_of(page, "2025-05")

    assert after["revision"] == 1
    assert waterfall(html) == expected_waterfall(after)
    text = words(html).replace(" ", italian.NBSP)
    assert f"MRR {italian.euro(before)} → {italian.euro(after['mrr'])}".replace(" ", italian.NBSP) in text
    assert "Rettifica di maggio 2025" in words(html)
    assert "rettificat" not in words(letter_of(page, "2025-04")).lower()


def test_best_and_worst_days_are_the_days_with_the_greatest_changes(page: httpx2.Client) -> None:
    html = letter_of(page, "2025-04")

    assert "Giorni peggiori mercoledì 2 aprile : −€ 19,99 · 1 perso" in words(html)
    assert '<a href="/analytics/giorni/2025-04-02">' in html


def test_milestones_marks_and_interruptions_are_listed_and_hostile_texts_are_harmless(
    page: httpx2.Client, life: ShopHistory
) -> None:
    at = local(date(2025, 5, 12), 10)
    insert(life, "marketing_campaign", at, f"Campagna {HOSTILE} evil@example.com")
    insert(life, "marketing_campaign", at, "Buon 1º maggio!", special_date="05-01")
    insert(
        life, "milestone_reached", at, "Raggiunti 25 clienti totali!", milestone_type="customers", milestone_value=25
    )
    insert(
        life, "milestone_reached", at, "Raggiunti 25 clienti totali!", milestone_type="customers", milestone_value=25
    )
    insert(life, "milestone_reached", at, "Founders Deal: solo 3 rimasti!", founders_remaining=3)
    insert(life, "feature_released", at - timedelta(days=40), "Ad aprile")
    gap = {"cause": "history_lost", "opened_at": at, "recovered": {"customers": 2}, "closed_at": at}
    life.db.analytics_gaps.insert_one({**gap, "since": at - timedelta(hours=2), "until": at})
    html = letter_of(page, "2025-05")

    text = words(html)
    assert HOSTILE not in html
    assert "evil@example.com" not in html
    assert "Campagna ‹script›" in text
    assert text.count("25 clienti totali") == 1
    assert "Founders Deal: solo" not in text
    assert "Buon 1º maggio" not in text
    assert "Ad aprile" not in text
    assert "la cronologia del database" in text


def insert(life: ShopHistory, kind: str, at: datetime, description: str, **metadata: Any) -> None:
    event = {"event_type": kind, "event_date": at, "description": description, "metadata": metadata}
    life.db.business_events.insert_one(event)


def test_many_marks_are_shortened(page: httpx2.Client, life: ShopHistory) -> None:
    for number in range(20):
        insert(life, "partnership", local(date(2025, 5, 12), 10), f"Accordo {number}")

    assert "… e ancora 15" in words(letter_of(page, "2025-05"))


@pytest.mark.parametrize("month", ["2025-02", "2030-01", "2025-13", "maggio", "2025-05-01", "0000-00", "2025-5"])
def test_a_month_without_anything_is_a_page_in_italian(page: httpx2.Client, month: str) -> None:
    answer = page.get(f"/analytics/mesi/{month}")

    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]


# Months before the daemon


def dashboard_rows(database: Database, first: date, last: date, **more: Any) -> None:
    for number, day in enumerate(business_days.between(first, last)):
        row = {
            "date": business_days.stored(day),
            "period_type": "daily",
            "total_customers": number,
            "paying_customers": 1,
            "mrr": 100.0 + number,
            "arr": 0.0,
            "new_customers": 1,
            "churned_customers": 0,
            **more,
        }
        database.historical_analytics.insert_one(row)


def test_months_of_the_dashboards_days_are_there_and_marked(page: httpx2.Client, life: ShopHistory) -> None:
    dashboard_rows(life.db, date(2025, 1, 15), date(2025, 3, 13))
    html = page.get("/analytics/mesi").text
    text = words(letter_of(page, "2025-02"))

    assert html.count(f">{month_texts.STATES['days']}<") == 2
    assert "gennaio 2025" in html
    assert letter_texts.FROM_DAYS in text
    assert "MRR da € 116,00 a € 144,00" in text
    assert "Sono arrivati 28 nuovi clienti." in text
    assert links(letter_of(page, "2025-02")) == []


def test_no_number_before_the_ledger_leads_to_a_missing_page(page: httpx2.Client, life: ShopHistory) -> None:
    numbers = {"total_customers": 9, "paying_customers": 5, "active_licenses": 5, "mrr": 40.0, "notes": ""}
    early = [("daily", date(2025, 3, day)) for day in (11, 12, 13)] + [("monthly", date(2025, 2, 1))]
    for kind, day in early:
        row = {"date": business_days.stored(day), "period_type": kind, **numbers}
        life.db.historical_analytics.insert_one(row)
    for period in ("tutto", "mesi"):
        text = page.get(f"/analytics/andamento?periodo={period}").text
        found = {unescape(link) for link in re.findall(r'href="(/analytics/[^"]*2025-0[23][^"]*)"', text)}

        assert any("2025-03-12" in link for link in found)
        assert [link for link in found if page.get(link).status_code != 200] == []


def test_rows_with_invalid_values_show_dashes(page: httpx2.Client, life: ShopHistory) -> None:
    dashboard_rows(life.db, date(2025, 2, 1), date(2025, 2, 3), mrr="much", total_customers=[], new_customers=None)
    life.db.historical_analytics.insert_one(
        {"date": datetime(2025, 1, 1, tzinfo=UTC), "period_type": "monthly", "mrr": float("nan"), "notes": {"$ne": 1}}
    )

    assert "MRR a –" in words(letter_of(page, "2025-02"))
    assert page.get("/analytics/mesi").status_code == 200
    assert page.get("/analytics/mesi/2025-01").status_code == 200
    assert page.get("/analytics/scarica/mesi.csv").status_code == 200


def test_reconstructed_months_are_marked(page: httpx2.Client, life: ShopHistory) -> None:
    row = {"date": datetime(2025, 2, 1, tzinfo=UTC), "period_type": "monthly", "reconstructed": True, "mrr": 10.0}
    life.db.historical_analytics.insert_one(row)

    assert month_texts.STATES["reconstructed"] in page.get("/analytics/mesi").text
    assert letter_texts.RECONSTRUCTED in words(letter_of(page, "2025-02"))


def test_the_main_page_offers_backfill_while_the_table_begins_with_the_daemon(
    page: httpx2.Client, life: ShopHistory
) -> None:
    assert month_texts.BACKFILL_COMMAND not in page.get("/analytics").text
    life.db.analytics_ledger.update_one({"_id": 1}, {"$set": {"kind": "opening"}})
    assert month_texts.BACKFILL_COMMAND in page.get("/analytics").text
    dashboard_rows(life.db, date(2025, 3, 10), date(2025, 3, 10))
    assert month_texts.BACKFILL_COMMAND not in page.get("/analytics").text


# The list and its files


def test_the_list_shows_all_months_newest_first_with_their_states(page: httpx2.Client) -> None:
    html = page.get("/analytics/mesi").text
    names = re.findall(r'<a href="/analytics/mesi/\d{4}-\d\d">([^<]+)</a>', html)

    assert names == ["giugno 2025", "maggio 2025", "aprile 2025", "marzo 2025"]
    assert html.count(f">{month_texts.STATES['open']}<") == 1
    assert html.count(f">{month_texts.PARTIAL}<") == 1


def test_months_without_any_row_say_when_the_first_arrives(http_client: httpx2.Client) -> None:
    assert month_texts.EMPTY in http_client.get("/analytics/mesi", headers={"Accept": "text/html"}).text


def test_months_are_downloadable_with_italian_columns_and_the_rows_numbers(
    page: httpx2.Client, life: ShopHistory
) -> None:
    life.db.historical_analytics.update_one(
        {"date": business_days.stored(MAY), "period_type": "monthly"}, {"$set": {"notes": "=HYPERLINK(1)"}}
    )
    answer = page.get("/analytics/scarica/mesi.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    assert sheet is not None
    head, *lines = sheet.iter_rows(values_only=True)
    csv = page.get("/analytics/scarica/mesi.csv").content.decode("utf-8-sig")

    assert head[:3] == ("Data", "Stato", "Clienti totali")
    assert [line[1] for line in lines] == ["parziale", "chiuso", "chiuso", "in corso"]
    assert lines[2][head.index("MRR")] == row_of(life.db, MAY, "monthly")["mrr"]
    assert csv.startswith("Data;Stato;Clienti totali;")
    assert "'=HYPERLINK(1)" in csv


# Random histories, and forgotten customers


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(histories())
def test_the_months_of_a_random_history_are_those_of_a_recount(
    database: Database, serve: Serve, history: list[Change]
) -> None:
    if not history:
        return
    indexes.create(database)
    for name in database.list_collection_names():
        database[name].delete_many({})
    days = recount_days(history)
    end = local(days[-1] + business_days.ONE_DAY, 12)
    followed = Shop().follow(history).tick(business_days.start(days[-1] + business_days.ONE_DAY, ZONE))
    store_plans(database, followed)
    write_ledger(database, followed.movements, followed.totals, end)
    if not followed.movements:
        return
    Rollup(database, ActiveConfig(config_of(database))).close_missing(end)
    begin = business_days.business_day(followed.movements[0].at, ZONE)  # earlier changes moved nothing
    expected = {month: counted for month, counted in recounted_months(history).items() if month >= f"{begin:%Y-%m}"}
    with serve() as http_client:  # one for each history: it remembers the sums of the days
        pages = {month: letter_of(http_client, month) for month in sorted(expected)[-4:]}
    for month, html in pages.items():
        totals, churned = expected[month]
        levels = waterfall(html)
        assert levels["end"] == italian.cents(totals["mrr_cents"]), month
        assert f"Clienti totali {italian.integer(totals['customers'])}" in words(html)
        assert has_moves(history) or ("Nessun cliente perso." in words(html)) == (churned == 0)
        changes = [cents_of(amount) for kind, amount in levels.items() if kind not in ("start", "end")]
        assert cents_of(levels["start"]) + sum(changes) == cents_of(levels["end"])


def recounted_months(history: list[Change]) -> dict[str, tuple[dict[str, Any], int]]:
    """Return for each month the totals on its last day and the customers lost, counted from the source documents."""
    found: dict[str, tuple[dict[str, Any], int]] = {}
    for day in recounted_days(history):
        month = f"{day.day:%Y-%m}"
        found[month] = (day.totals, day.churned + found.get(month, ({}, 0))[1])
    return found


def cents_of(amount: str) -> int:
    digits = int("".join(character for character in amount if character.isdecimal()))
    return -digits if italian.MINUS in amount else digits


def test_a_forgotten_customer_is_not_named_in_a_letter(page: httpx2.Client, life: ShopHistory) -> None:
    at = local(date(2025, 5, 12), 10)
    event = {"event_type": "media_mention", "event_date": at, "description": "Segreta Srl sul giornale"}
    life.db.business_events.insert_one({**event, "customer_id": "ada"})
    assert "Segreta Srl" in words(letter_of(page, "2025-05"))
    forgotten.add(life.db, forgotten.prepare(life.db), "ada", NOW)

    assert "Segreta" not in letter_of(page, "2025-05")
