"""The comment beside a day's note: edited alone, confirmed, undone, and never lost."""

import re
from datetime import date

import httpx2
import pytest

from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from daemon.store import rows
from daemon.web.page import event_texts, texts
from rules import business_days
from tests.shop_history import config_of, local, row_of, spring_history

DAY, QUIET = date(2025, 5, 10), date(2025, 5, 9)
NOTE = "✅ Licenza Pro riattivata: bruno"


@pytest.fixture
def shop(database: Database) -> Rollup:
    spring_history(database)
    rollup = Rollup(database, ActiveConfig(config_of(database)))
    rollup.close_missing(local(date(2025, 6, 30), 12))
    return rollup


def page_of(client: httpx2.Client, day: date) -> str:
    return client.get(f"/analytics/giorni/{day}").text


def post(client: httpx2.Client, day: date, text: str | None, seen: str | None = None) -> httpx2.Response:
    """Save a text, or press "Annulla" (None), with the digest that the form shows now or an earlier one."""
    (shown, *_) = re.findall(r'name="visto" value="(\w+)"', page_of(client, day))
    fields = {"annulla": "si"} if text is None else {"testo": text}
    return client.post(f"/analytics/giorni/{day}/commento", data={**fields, "visto": seen or shown})


def notes(database: Database, day: date = DAY) -> str:
    return str(row_of(database, day)["notes"])


def test_a_comment_stands_beside_the_note_and_survives_the_next_rollup(
    http_client: httpx2.Client, shop: Rollup, database: Database
) -> None:
    answer = post(http_client, DAY, "Ho chiamato Bruno | domani di nuovo")
    confirmed = http_client.get(answer.headers["location"].partition("#")[0]).text
    shop.write(DAY, final=True)

    assert (answer.status_code, answer.headers["location"].endswith("#commento")) == (303, True)
    assert notes(database) == f"{NOTE} | Ho chiamato Bruno | domani di nuovo"
    assert event_texts.COMMENT_SAVED in confirmed
    assert f">{texts.AUTO}<" in confirmed, "the note is still the system's"


@pytest.mark.parametrize("day", [DAY, QUIET])
def test_a_comment_is_undone_and_done_again(
    http_client: httpx2.Client, shop: Rollup, database: Database, day: date
) -> None:
    empty = notes(database, day)
    for text in ("primo", "secondo"):
        post(http_client, day, text)
    found = []
    for _ in range(2):
        answer = post(http_client, day, None)
        found.append(notes(database, day).removeprefix(empty).removeprefix(" | "))
        assert event_texts.COMMENT_RESTORED in http_client.get(answer.headers["location"].partition("#")[0]).text

    assert found == ["primo", "secondo"]


def test_a_comment_on_a_quiet_day_lets_later_facts_through(
    http_client: httpx2.Client, shop: Rollup, database: Database
) -> None:
    assert notes(database, QUIET) == ""
    post(http_client, QUIET, "Tutto tranquillo")
    event = {"event_type": "partnership", "event_date": local(QUIET, 12), "description": "Accordo", "metadata": {}}
    database.business_events.insert_one(event)
    shop.write(QUIET, final=True)

    assert notes(database, QUIET) == "🤝 Accordo | Tutto tranquillo"


def test_emptying_the_comment_leaves_the_note(http_client: httpx2.Client, shop: Rollup, database: Database) -> None:
    post(http_client, DAY, "provvisorio")
    answer = post(http_client, DAY, "")

    assert notes(database) == NOTE
    assert event_texts.COMMENT_DELETED in http_client.get(answer.headers["location"].partition("#")[0]).text


@pytest.mark.parametrize("note", ["Fiera di Milano", "🎉 Nuovo cliente: Ada | Fiera"])
def test_emptying_a_row_of_the_dashboards_never_destroys_its_text(
    http_client: httpx2.Client, database: Database, note: str
) -> None:
    row = {"date": business_days.stored(DAY), "period_type": "daily", "mrr": 1.0, "notes": note}
    database.historical_analytics.insert_one({**row, "auto_events": []})
    answer = post(http_client, DAY, "")

    assert notes(database) == note
    assert event_texts.COMMENT_KEPT in http_client.get(answer.headers["location"].partition("#")[0]).text
    body = {"date": str(DAY), "notes": ""}
    assert http_client.post("/api/update_historical_notes", json=body).status_code == 200
    assert notes(database) == note


def test_a_whole_note_of_a_person_gives_way_to_ours_and_comes_back(
    http_client: httpx2.Client, shop: Rollup, database: Database
) -> None:
    rows.set_note(database, DAY, "La mia nota", NOTE, local(DAY))
    assert f">{texts.BY_HAND}<" in page_of(http_client, DAY)
    post(http_client, DAY, "")
    emptied = notes(database)
    post(http_client, DAY, None)

    assert (emptied, notes(database)) == (NOTE, "La mia nota")


def test_a_comment_changed_since_the_form_was_loaded_is_not_overwritten(
    http_client: httpx2.Client, shop: Rollup, database: Database
) -> None:
    (seen, *_) = re.findall(r'name="visto" value="(\w+)"', page_of(http_client, DAY))
    post(http_client, DAY, "Quello del socio")
    answer = post(http_client, DAY, "Il mio", seen)

    assert (answer.status_code, notes(database)) == (409, f"{NOTE} | Quello del socio")
    assert "Il mio" in answer.text
    assert "Quello del socio" in answer.text


def test_a_comment_that_is_too_long_or_without_a_row_is_refused(
    http_client: httpx2.Client, shop: Rollup, database: Database
) -> None:
    answer = post(http_client, DAY, "x" * 5001)
    missing = http_client.post("/analytics/giorni/2024-01-01/commento", data={"testo": "a", "visto": "b"})

    assert (answer.status_code, answer.text.count("x" * 5001), notes(database)) == (422, 1, NOTE)
    assert missing.status_code == 404
