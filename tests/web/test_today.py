"""Oggi: what happened today leads on, from each fact of the note and from each of the newest events."""

import re
from datetime import timedelta
from html import unescape

import httpx2
import pytest

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules import business_days
from rules.settings.settings import Settings
from tests import oracle, shop
from tests.web.conftest import Serve


@pytest.fixture
def followed(mongo_uri: str, database: Database) -> Database:
    """A shop with a customer whose license ends soon, an article, and the row of today with a comment."""
    config = shop.config_for(mongo_uri, database)
    with shop.running(config):
        pro = shop.plans(database)["pro"]
        shop.license(database, shop.customer(database, "Rossi & Figli"), pro, expires_at=clock.now() + timedelta(3))
        shop.until(lambda: oracle.totals(database) == oracle.recount(database), "the totals")
    article = {"event_type": "media_mention", "description": "Articolo su Wired", "metadata": {}}
    database.business_events.insert_one({**article, "event_date": clock.now()})
    rollup = Rollup(database, ActiveConfig(config))
    rollup.write_today(rollup.now())
    database.historical_analytics.update_one({}, [{"$set": {"notes": {"$concat": ["$notes", " | chiamare Rossi"]}}}])
    return database


def section(page: str, start: str, end: str) -> str:
    return page.partition(start)[2].partition(end)[0]


def links(part: str) -> dict[str, str]:
    """Return the addresses of the links in a list by their text, "" for an item without a link."""
    items = re.findall(r'<li.*?(?:<a href="([^"]*)">)?<bdi>(.*?)</bdi>', part)
    return {unescape(text): unescape(address) for address, text in items}


def test_each_fact_of_today_and_each_of_the_newest_events_leads_on(serve: Serve, followed: Database) -> None:
    today = business_days.business_day(clock.now(), Settings().zone)
    who = followed.customers.find_one({})["_id"]  # type: ignore[index]
    with serve() as client:
        answer = client.get("/analytics")
        assert answer.status_code == 200, answer.text
        page = answer.text
        facts, feed = links(section(page, 'id="today-note"', "</section>")), links(section(page, 'id="feed"', "</ol>"))
        reached = {address: _status(client, address) for address in [*facts.values(), *feed.values()] if address}

    assert set(reached.values()) == {200}
    assert facts.pop("chiamare Rossi") == f"/analytics/giorni/{today}#commento"
    assert [text.partition("\xa0")[2] for text in facts] == [
        "Nuovo cliente: Rossi & Figli",
        "Nuova licenza Pro: Rossi & Figli",
        "Pagamento ricevuto: €\xa07,99",
        "Articolo su Wired",
    ]
    assert all(address.startswith(f"/analytics/perche/{today}/nota/") for address in facts.values())
    assert feed["Articolo su Wired"] == f"/analytics/giorni/{today}"
    assert feed["Nuovo cliente: Rossi & Figli"] == f"/analytics/clienti/o-{who}"
    assert '<a href="/analytics/eventi">tutti</a>' in page
    assert page.index('id="todo"') < page.index('id="today-note"') < page.index('class="columns"')


def _status(client: httpx2.Client, address: str) -> int:
    return client.get(address).status_code
