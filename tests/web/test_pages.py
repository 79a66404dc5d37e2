"""The pages over a real socket: addresses, errors for people, rates, today's line, downloads, the alarm."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from bson.timestamp import Timestamp

from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.mongo.cluster_time import newest
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.web.context import WebContext
from daemon.web.page import error_texts, system_texts, texts
from daemon.web.page.parts import alarm, rates
from daemon.web.page.snapshot import open_snapshot
from rules import business_days
from rules.settings import italian
from rules.settings.settings import Settings
from tests import shop
from tests.web.conftest import TOKEN, Serve

PERSON = {"Accept": "text/html,application/xhtml+xml"}
PROGRAM = {"Accept": "application/json"}
N = italian.NBSP


def today() -> Any:
    return business_days.business_day(clock.now(), Settings().zone)


# Addresses


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("?period=30", "?periodo=30"),
        ("?period=30&page=2", "?periodo=30&pagina=2"),
        ("?period=all&page=7", "?periodo=tutto&pagina=7"),
        ("?period=months", "?periodo=mesi"),
        ("?page=3", "?pagina=3"),
        ("?period=nonsense&page=-1", ""),
        ("?period=30&page=999999999999", "?periodo=30"),
    ],
)
def test_an_address_of_the_former_page_leads_on(http_client: httpx2.Client, old: str, new: str) -> None:
    answer = http_client.get(f"/analytics{old}")

    assert (answer.status_code, answer.headers["Location"]) == (301, f"/analytics/andamento{new}")
    assert http_client.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize("query", ["", "?periodo=30&pagina=2"])
def test_the_address_of_the_former_form_of_a_note_leads_to_the_comment_of_its_day(
    http_client: httpx2.Client, query: str
) -> None:
    answer = http_client.get(f"/analytics/notes/2026-11-23{query}")

    assert (answer.status_code, answer.headers["Location"]) == (301, "/analytics/giorni/2026-11-23#commento")
    assert http_client.post("/analytics/notes/2026-11-23", data={"note": "x"}).status_code == 405


@pytest.mark.parametrize("path", ["/analytics", "/analytics/andamento", "/analytics/sistema"])
def test_a_page_marks_its_entry_in_the_navigation_and_refuses_unknown_parameters(
    http_client: httpx2.Client, path: str
) -> None:
    page, refused = http_client.get(path), http_client.get(path, params={"kanarienvogel": "1"}, headers=PERSON)

    assert f'<a href="{path}" aria-current="page">' in page.text
    assert all(f'<a href="{address}"' in page.text for _, address in texts.NAVIGATION.values())
    assert refused.status_code == 400
    assert error_texts.ERRORS[400][0] in refused.text
    assert 'href="/analytics"' in refused.text
    assert "kanarienvogel" not in refused.text


def test_only_the_paths_of_the_dashboard_ignore_unknown_parameters(http_client: httpx2.Client) -> None:
    def status(path: str) -> int:
        return http_client.get(path, params={"cache": "1"}, headers=PROGRAM).status_code

    assert [status(path) for path in ("/api/get_recent_events", "/api/get_historical_data")] == [200, 200]
    assert [status(path) for path in ("/api/get_mrr_movements", "/api/events/stream")] == [400, 400]


@pytest.mark.parametrize("query", ["periodo=8", "pagina=0", "pagina=x", "pagina=100000"])
def test_a_parameter_with_an_invalid_value_is_an_error_in_italian(http_client: httpx2.Client, query: str) -> None:
    answer = http_client.get(f"/analytics/andamento?{query}", headers=PERSON)

    assert answer.status_code == 422
    assert error_texts.ERRORS[422][0] in answer.text


# Errors


def errors(client: httpx2.Client) -> dict[int, httpx2.Response]:
    """Return an answer of each status, as the given client gets it."""
    answers = [
        client.get("/analytics?x=1"),
        client.get("/analytics", headers={"X-Forwarded-For": "203.0.113.7", "Authorization": ""}),
        client.post("/analytics/giorni/2026-11-23/commento", headers={"Origin": "http://evil.example"}),
        client.get("/nowhere"),
        client.post("/analytics"),
        client.get("/analytics/giorni/yesterday"),
        client.post("/analytics/giorni/2020-01-01/commento", data={"testo": "a"}),
    ]
    return {answer.status_code: answer for answer in answers}


def test_people_get_errors_as_pages_in_italian_and_programs_as_json(http_client: httpx2.Client) -> None:
    http_client.headers.update(PERSON)
    shown = errors(http_client)
    http_client.headers.update(PROGRAM)
    read = errors(http_client)

    assert set(shown) == set(read) == {400, 401, 403, 404, 405, 422}
    for status, answer in shown.items():
        assert answer.headers["Content-Type"].startswith("text/html")
        assert f"<h1>{error_texts.ERRORS[status][0]}</h1>" in answer.text
        assert '<html lang="it">' in answer.text and 'lang="en"' in answer.text
    for answer in read.values():
        assert answer.json()["success"] is False
    assert shown[401].headers["WWW-Authenticate"] == read[401].headers["WWW-Authenticate"]


def test_a_database_that_does_not_answer_is_a_page_that_tries_again(serve: Serve, database: Database) -> None:
    gone = database.client.__class__("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200", tz_aware=True)["x"]
    with serve(served_database=gone, role="retrying", reason="127.0.0.1:1 is away") as client:
        shown, read = client.get("/analytics", headers=PERSON), client.get("/analytics", headers=PROGRAM)
    gone.client.close()

    assert (shown.status_code, read.status_code) == (503, 503)
    assert error_texts.ERRORS["database"][0] in shown.text
    assert system_texts.ROLES["retrying"] in shown.text
    assert error_texts.AGAIN in shown.text and "data-retry" in shown.text
    assert texts.FEED_LIVE not in shown.text
    assert read.json()["error"].startswith("the database is not responding")


# Numbers


@pytest.fixture
def context(mongo_uri: str, database: Database) -> WebContext:
    health = Health()
    health.set_role("leader", clock.monotonic())
    return WebContext(database, ActiveConfig(shop.config_for(mongo_uri, database, http={"token": TOKEN})), health)


def run_daemon(context: WebContext, licenses: int) -> None:
    """Let the daemon count a shop with so many licenses."""
    database = context.database
    plan = shop.plans(database)["pro"]
    for number in range(licenses):
        shop.license(database, shop.customer(database, f"Cliente {number}"), plan)
    with shop.running(context.config()):
        shop.until(
            lambda: database.analytics_checkpoint.find_one({"totals.active_licenses": licenses}) is not None,
            "the totals",
        )


def age_ledger(database: Database, days: int) -> None:
    database.analytics_ledger.update_many({}, [{"$set": {"day": {"$add": ["$day", -days * 86_400_000]}}}])


def shown_rates(context: WebContext) -> dict[str, rates.RateLine]:
    with open_snapshot(context) as snapshot:
        return {line.key: line for line in rates.lines(context.explanation(1), snapshot, snapshot.today)}


def test_rates_that_would_look_back_before_the_ledger_are_unknown_and_say_why(context: WebContext) -> None:
    run_daemon(context, 2)
    age_ledger(context.database, 12)
    found = shown_rates(context)

    assert list(found) == list(texts.RATES)
    assert (found["arpa"].value, found["arpa"].fraction) == (f"€{N}7,99", f"€{N}15,98 su 2")
    for key in list(texts.RATES)[1:]:
        assert (found[key].value, found[key].reason) == (italian.DASH, "Non disponibile: giorni di conti 12 su 30.")


def lose(database: Database, number: int) -> None:
    """Append ledger lines of today by which so many customers churn, and the totals after them."""
    first = database.analytics_ledger.find_one({"mrr_cents": {"$gt": 0}}) or {}
    last = (database.analytics_ledger.find_one({}, sort=[("_id", -1)]) or {})["_id"]
    of_line = {"day": business_days.stored(today()), "kind": "churn", "reason": "cancelled", "at": clock.now()}
    for one in range(1, number + 1):
        changes = {"mrr_cents": -799, "customers": 0, "paying_customers": -1, "active_licenses": -1, "subscribers": -1}
        line = {**first, **of_line, **changes, "_id": last + one, "customer_id": f"lost {one}", "count": 1}
        database.analytics_ledger.insert_one({**line, "cause": f"test {one}"})
    change = {f"totals.{name}": -number for name in ("paying_customers", "active_licenses", "subscribers")}
    database.analytics_checkpoint.update_one(
        {"_id": "checkpoint"}, {"$inc": {**change, "totals.mrr_cents": -799 * number, "seq": number}}
    )


def test_rates_have_a_fraction_and_no_percentage_of_a_few_subscribers(context: WebContext) -> None:
    run_daemon(context, 12)
    age_ledger(context.database, 40)
    lose(context.database, 2)
    many = shown_rates(context)

    assert (many["churn-clienti"].value, many["churn-clienti"].fraction) == ("16,7%", "2 su 12")
    assert (many["churn-ricavi"].value, many["churn-ricavi"].fraction) == ("16,7%", f"€{N}15,98 su €{N}95,88")
    assert (many["retention"].value, many["retention-lorda"].value) == ("83,3%", "83,3%")
    assert (many["quick-ratio"].value, many["quick-ratio"].fraction) == (
        "0,0",
        f"€{N}0,00 entrati, €{N}15,98 usciti",
    )


def test_few_subscribers_have_fractions_only_and_nothing_lost_is_no_ratio(context: WebContext) -> None:
    run_daemon(context, 3)
    age_ledger(context.database, 40)
    nothing_lost = shown_rates(context)
    lose(context.database, 1)
    few = shown_rates(context)

    assert nothing_lost["quick-ratio"].reason == texts.UNKNOWN_NOTHING_LOST
    assert (few["churn-clienti"].value, few["churn-clienti"].fraction) == ("1 su 3", "")
    assert few["retention"].value == f"€{N}15,98 su €{N}23,97"


def test_todays_line_has_the_totals_of_the_header_although_the_stored_row_is_old(
    context: WebContext, serve: Serve
) -> None:
    run_daemon(context, 2)
    key = {"date": business_days.stored(today()), "period_type": "daily"}
    old = {"mrr": 1.0, "total_customers": 77, "paying_customers": 77, "auto_notes": "", "notes": "", "final": False}
    context.database.historical_analytics.update_one(key, {"$set": old}, upsert=True)
    with serve() as client:
        page, table = client.get("/analytics").text, client.get("/analytics/andamento").text
        file = client.get("/analytics/scarica/giorni.csv?periodo=7").text

    line = context.database.analytics_checkpoint.find_one({"_id": "checkpoint"})["seq"]  # type: ignore[index]
    assert f'<a class="why" href="/analytics/perche/adesso/mrr?riga={line}">€{N}15,98</a>' in page
    assert f'<a class="why" href="/analytics/perche/adesso/mrr?riga={line}">€{N}15,98</a>' in table
    assert f"{today()};2;2;15,98;" in file
    assert "77" not in file
    assert page.count(texts.COMPARE_TOMORROW) == 5, "the ledger began today"


def test_a_download_has_italian_columns_and_the_rows_of_the_period(
    http_client: httpx2.Client, database: Database
) -> None:
    note = "💰 Pagamento ricevuto: €7.99"
    rows = [
        {"date": business_days.stored(today() - timedelta(ago)), "period_type": "daily", "mrr": 7.99, "notes": note}
        for ago in range(40)
    ]
    month = {"date": business_days.stored(today().replace(day=1)), "period_type": "monthly", "mrr": 5.0, "notes": ""}
    database.historical_analytics.insert_many([*rows, month])

    def lines(path: str) -> list[str]:
        answer = http_client.get(f"/analytics/scarica/{path}")
        assert answer.status_code == 200
        return answer.text.removeprefix("\ufeff").splitlines()

    assert lines("giorni.csv?periodo=7")[0] == "Data;Clienti totali;Clienti paganti;MRR;Note"
    assert lines("giorni.csv?periodo=7")[1] == f"{today()};;;7,99;💰 Pagamento ricevuto: €{N}7,99"
    assert [len(lines(path)) for path in ("giorni.csv?periodo=7", "giorni.csv")] == [8, 41]
    assert http_client.get("/analytics/scarica/giorni.xlsx").content.startswith(b"PK")
    assert http_client.get("/analytics/scarica/giorni.exe").status_code == 422


# The alarm


def worst(context: WebContext) -> tuple[str, str] | None:
    with open_snapshot(context) as snapshot:
        found = alarm.current(context, snapshot)
    return (found.kind, found.title) if found else None


def test_the_alarm_is_the_worst_problem_with_its_time_and_what_to_do(context: WebContext) -> None:
    run_daemon(context, 1)
    database = context.database
    assert worst(context) is None

    database.historical_analytics.insert_one(
        {"date": business_days.stored(today() - timedelta(4)), "period_type": "daily", "final": True}
    )
    expected = texts.of_day(today() - timedelta(3), today())
    assert worst(context) == ("day", f"⏳ Giorno non chiuso: manca la riga {expected}")

    gap = {"cause": "drop", "since": None, "opened_at": clock.now(), "closed_at": None}
    database.analytics_gaps.insert_one(gap)
    assert worst(context) == ("gap", f"🔌 Interruzione in corso {_since(context)}")

    database.analytics_gaps.update_one({"closed_at": None}, {"$set": {"waiting": "2 of 3 customers disappeared"}})
    counts = {"missing": {"customers": 220, "licenses": 1}, "known": {"customers": 1503, "licenses": 9}}
    with open_snapshot(context) as snapshot:
        assert alarm.current(context, snapshot).meaning == system_texts.ALARMS["decision"][2]  # type: ignore[union-attr]
    database.analytics_gaps.update_one({"closed_at": None}, {"$set": counts})
    with open_snapshot(context) as snapshot:
        assert alarm.current(context, snapshot).meaning == (  # type: ignore[union-attr]
            "220 clienti su 1.503 sono spariti dal database. 1 licenza su 9 è sparita dal database. "
            "Il sistema non ha tolto nulla dai numeri e ricontrolla ogni minuto."
        )
    assert worst(context) == (
        "decision",
        f"🚨 Serve una tua decisione {_since(context)}: sono spariti troppi documenti",
    )

    context.health.set_role("retrying", clock.monotonic(), "host:27017 is away")
    assert (worst(context) or ("",))[0] == "not_following"


def _since(context: WebContext) -> str:
    gap = context.database.analytics_gaps.find_one({"closed_at": None}) or {}
    now = clock.now().astimezone(context.config().time.zone)
    return texts.day_and_time(italian.DAL, gap["opened_at"], now)


def age_totals(database: Database, seconds: int) -> None:
    at = Timestamp(newest(database).time - seconds, 1)
    database.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": {"cluster_time": at}})


def test_old_totals_are_an_alarm_and_the_pill_has_its_word(mongo_uri: str, context: WebContext, serve: Serve) -> None:
    run_daemon(context, 1)
    database = context.database
    rarely = shop.config_for(mongo_uri, database, stream={"checkpoint_seconds": 60})
    patient = WebContext(database, ActiveConfig(rarely), context.health)
    age_totals(database, 36)
    assert worst(context) is None, "so old are the totals of an idle shop"
    age_totals(database, 46)
    assert ((worst(context) or ("",))[0], worst(patient)) == ("not_following", None)
    with serve() as client:
        page = client.get("/analytics/sistema").text

    word = system_texts.ALARMS["not_following"][0]
    assert f"data-live>{word}</a>" in page
    assert '<div class="alarm stale">' in page
