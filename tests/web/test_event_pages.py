"""Eventi: filters, pages by position, and the form for a new event, without a script."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize
from uuid import uuid4

import httpx2
import pytest
from bson import ObjectId

from daemon import clock
from daemon.mongo.types import Database
from daemon.store import event_search
from daemon.web.page import event_texts
from tests.web.conftest import Serve

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(number: int, kind: str = "marketing_campaign", text: str = "", **more: Any) -> dict[str, Any]:
    at = START + timedelta(minutes=number // 3)
    return {
        "_id": ObjectId(),
        "event_type": kind,
        "event_date": at,
        "description": text or f"Campagna {number}",
        **more,
    }


@pytest.fixture
def pages(serve: Serve, database: Database) -> Iterator[httpx2.Client]:
    events = [event(number, metadata={}) for number in range(130)]
    events += [event(200, "feature_released", "Rilasciato il Caffe\u0301", customer_id="c-1", metadata={})]
    events += [event(201, "media_mention", "Articolo", metadata={"recovered": True, "source": "chatello-analytics"})]
    database.business_events.insert_many(events)
    with serve() as client:
        yield client


def texts_of(page: str) -> list[str]:
    return re.findall(r'<span class="what"><bdi>(.*?)</bdi>', page)


def test_every_event_is_on_one_page_although_many_have_one_time(pages: httpx2.Client, database: Database) -> None:
    seen, address = [], "/analytics/eventi?tipo=marketing_campaign"
    while address:
        page = pages.get(address).text
        seen += texts_of(page)
        database.business_events.insert_one(event(10_000 + len(seen), metadata={}))  # a newer one moves nothing
        following = re.search(r'href="([^"]*pagina=[^"]*)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""

    assert sorted(seen) == sorted(f"Campagna {number}" for number in range(130))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"tipo": "media_mention"}, ["Articolo"]),
        ({"cliente": "c-1"}, ["Rilasciato il Caffé"]),
        ({"cerca": "CAFFÉ"}, ["Rilasciato il Caffé"]),
        ({"cerca": "caffe\u0301"}, ["Rilasciato il Caffé"]),
        ({"cerca": "campagna 77"}, ["Campagna 77"]),
        ({"cerca": ".*"}, []),
        ({"giorno": "2026-02-28"}, []),
        ({"giorno": "2026-03-01", "tipo": "feature_released"}, ["Rilasciato il Caffé"]),
    ],
)
def test_filters_select_by_type_day_customer_and_words(
    pages: httpx2.Client, query: dict[str, str], found: list[str]
) -> None:
    page = pages.get("/analytics/eventi", params=query)

    assert [normalize("NFC", text) for text in texts_of(page.text)] == found


def test_a_search_reads_some_events_says_how_far_it_came_and_continues(
    pages: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = texts_of(pages.get("/analytics/eventi?cerca=campagna+7").text)
    monkeypatch.setattr(event_search, "SEARCHED", 40)
    found, address, said = [], "/analytics/eventi?cerca=campagna+7", 0
    while address:
        page = pages.get(address).text
        found += texts_of(page)
        said += "Cercato dagli eventi più recenti fino " in page
        following = re.search(r'href="([^"]*pagina=[^"]*)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""

    assert found == expected
    assert (len(found), said) == (11, 3)


def test_a_text_that_is_not_shown_is_not_found(pages: httpx2.Client, database: Database) -> None:
    database.business_events.insert_one(event(300, text="Scritto a mario@example.com", metadata={}))

    assert texts_of(pages.get("/analytics/eventi", params={"cerca": "mario@example"}).text) == []


def test_recovered_events_are_recognizable_and_sources_are_named(pages: httpx2.Client) -> None:
    page = pages.get("/analytics/eventi?tipo=media_mention").text

    assert event_texts.RECOVERED in page
    assert event_texts.SOURCES["own"] in page
    assert event_texts.SOURCES["dashboard"] in pages.get("/analytics/eventi?tipo=feature_released").text


@pytest.mark.parametrize(
    ("query", "status"), [({"giorno": "ieri"}, 422), ({"pagina": "x"}, 422), ({"day": "2026-03-01"}, 400)]
)
def test_an_invalid_filter_is_a_page_in_italian(pages: httpx2.Client, query: dict[str, str], status: int) -> None:
    answer = pages.get("/analytics/eventi", params=query, headers={"Accept": "text/html"})

    assert (answer.status_code, '<html lang="it">' in answer.text) == (status, True)


# Aggiungi evento


def fields(**changed: str) -> dict[str, str]:
    today = str(clock.now().date() - timedelta(1))
    given = {"chiave": str(uuid4()), "tipo": "feature_released", "testo": "Rilasciata la 3.5", "giorno": today}
    return {**given, **changed}


def test_a_second_press_adds_the_event_once(http_client: httpx2.Client, database: Database) -> None:
    form = fields()
    answers = [http_client.post("/analytics/eventi/nuovo", data=form) for _ in range(2)]
    (stored,) = database.business_events.find()

    assert [answer.status_code for answer in answers] == [303, 303]
    assert (stored["event_type"], stored["description"]) == ("feature_released", "Rilasciata la 3.5")
    assert stored["metadata"]["source"] == "api"
    assert event_texts.ADDED_LATE in http_client.get(answers[0].headers["location"]).text


@pytest.mark.parametrize(
    "changed",
    [
        {"tipo": "new_customer"},
        {"tipo": ""},
        {"testo": " \u200b"},
        {"testo": "x" * 1001},
        {"giorno": "2999-01-01"},
        {"giorno": "1999-01-01"},
        {"giorno": "ieri"},
        {"chiave": "mia"},
    ],
)
def test_an_event_that_cannot_be_added_keeps_its_text(
    http_client: httpx2.Client, database: Database, changed: dict[str, str]
) -> None:
    answer = http_client.post("/analytics/eventi/nuovo", data=fields(**changed))

    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    assert database.business_events.count_documents({}) == 0
    assert "testo" in changed or "Rilasciata la 3.5" in answer.text


def test_a_key_used_for_another_event_is_a_conflict(http_client: httpx2.Client, database: Database) -> None:
    form = fields()
    http_client.post("/analytics/eventi/nuovo", data=form)
    answer = http_client.post("/analytics/eventi/nuovo", data={**form, "testo": "Altro"})

    assert (answer.status_code, database.business_events.count_documents({})) == (409, 1)


def test_adding_needs_the_token(serve: Serve, database: Database) -> None:
    with serve(headers={}) as client:
        answer = client.post("/analytics/eventi/nuovo", data=fields())

    assert (answer.status_code, database.business_events.count_documents({})) == (401, 0)


def test_the_form_starts_with_today_as_the_newest_day(http_client: httpx2.Client) -> None:
    page = http_client.get("/analytics/eventi/nuovo").text

    assert re.search(r'name="giorno" type="date" max="(\d{4}-\d\d-\d\d)" value="\1"', page)
