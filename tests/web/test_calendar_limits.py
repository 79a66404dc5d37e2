"""Days and months in addresses: those that do not exist, those in another form, and the ends of the calendar."""

from datetime import UTC, datetime

import httpx2
import pytest

from daemon.mongo.types import Database
from tests import oracle, shop
from tests.shop_history import spring_history
from tests.web.conftest import BEARER, Serve

ENDS = ("0001-01-01", "9999-12-31")
DAYS = (*ENDS, "2026-02-30", "2026-13-01", "0000-01-01", "20260101", "1767225600", "2026-W01-1", "x")
MONTHS = ("0001-01", "9999-12", "0000-01", "2026-13", "2026-W1", "x")
OF_DAYS = (
    "/analytics/giorni/{}",
    "/analytics/notes/{}",
    "/analytics/eventi?giorno={}",
    "/analytics/eventi?cerca=licenza&giorno={}",
    "/analytics/eventi/nuovo?aggiunto={}",
    "/analytics/perche/{}/mrr",
    "/analytics/perche/{}/arpa?riga=1",
    "/analytics/perche/{}/nota/new_customer",
    "/analytics/scarica/perche.csv?numero=mrr&quando={}",
    "/api/explain?number=mrr&when={}",
    "/api/explain?number=arpa&line=1&when={}",
)
OF_MONTHS = ("/analytics/mesi/{}", "/analytics/perche/{}/retention", "/api/explain?number=retention&when={}")
ADDRESSES = [address.format(day) for address in OF_DAYS for day in DAYS]
ADDRESSES += [address.format(month) for address in OF_MONTHS for month in MONTHS]


@pytest.fixture
def followed(database: Database) -> None:
    spring_history(database)


def is_refused(answer: httpx2.Response) -> bool:
    """Return whether a page is an Italian one with status 404 or 422, and an answer of the API an error in JSON."""
    is_api = answer.url.path.startswith("/api")
    expected = '{"success":false,' if is_api else '<!doctype html>\n<html lang="it">'
    return answer.status_code in (404, 422) and answer.text.startswith(expected)


def test_a_day_or_a_month_that_no_shop_has_is_refused_in_italian_or_in_json(serve: Serve, followed: None) -> None:
    api = {"Accept": "application/json"}
    with serve({**BEARER, "Accept": "text/html"}) as client:
        answers = {address: client.get(address, headers=api if "/api" in address else {}) for address in ADDRESSES}
        answers |= {day: client.post(f"/analytics/giorni/{day}/commento", data={"testo": "x" * 9999}) for day in DAYS}
        answers |= {f"{day}!": client.post("/analytics/eventi/nuovo", data={"giorno": day}) for day in DAYS}

    assert {what: answer.status_code for what, answer in answers.items() if not is_refused(answer)} == {}


def test_days_that_a_shop_could_have_are_served(serve: Serve, followed: None) -> None:
    with serve() as client:
        for day in ("2024-02-29", "2025-06-29", "1999-12-31", "0002-01-01", "9998-12-31"):
            assert client.get(f"/analytics/giorni/{day}").status_code == 200
            assert client.get(f"/analytics/eventi?giorno={day}").status_code == 200
        assert client.get("/analytics/eventi?giorno=").status_code == 200
        assert client.get("/analytics/mesi/2025-05").status_code == 200


def test_an_event_that_another_program_dated_at_an_end_of_the_calendar_is_listed(
    mongo_uri: str, serve: Serve, database: Database
) -> None:
    with shop.running(shop.config_for(mongo_uri, database)):
        who = shop.customer(database, "Rossi")
        shop.until(lambda: oracle.totals(database) == oracle.recount(database), "the totals")
    dates = (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC))
    of_who = {"description": "Mai", "customer_id": who}
    kinds = ("marketing_campaign", "payment_failed", "milestone_reached")
    events = [{**of_who, "event_type": kind, "event_date": at} for kind in kinds for at in dates]
    database.business_events.insert_many(events)
    paths = ("", "/eventi", "/eventi?cerca=mai", "/andamento?periodo=tutto", f"/clienti/o-{who}", "/mesi", "/sistema")
    with serve() as client:
        pages = {path: client.get(f"/analytics{path}") for path in paths}

    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(paths, 200)
    assert "31/12/9999" in pages["/eventi"].text
