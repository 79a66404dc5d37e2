"""`GET /api/explain`: the movements of a number add up to it, and to the tests' own recount."""

from datetime import date
from typing import Any

import httpx2
import pytest

from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.rollup.rollup import Rollup
from rules import business_days
from tests.shop_history import config_of, local, row_of, spring_history
from tests.web.conftest import Serve

NOW = local(date(2025, 6, 30), 12)


@pytest.fixture
def history(database: Database) -> Database:
    spring_history(database)
    Rollup(database, ActiveConfig(config_of(database))).close_missing(NOW)
    return database


def explain(client: httpx2.Client, **query: Any) -> dict[str, Any]:
    answer = client.get("/api/explain", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def added(account: dict[str, Any]) -> int:
    """Return the sum of an account's parts, added here."""
    rest = sum(one["amount"] for one in account["rest"])
    listed = sum(one["amount"] for one in account["movements"])
    return int((account["start"] or 0) + account["skipped"] + listed + rest)


def test_the_movements_of_every_number_add_up(serve: Serve, history: Database) -> None:
    with serve() as client:
        for number in ("mrr", "clienti", "paganti", "licenze", "nuovi", "persi", "una-tantum", "piano.pro", "arpa",
                       "churn-clienti", "churn-ricavi", "retention", "retention-lorda", "quick-ratio"):  # fmt: skip
            for when in ("adesso", "2025-05-10", "2025-03-30", "2025-04", "2025-06-30"):
                found = explain(client, number=number, when=when)
                assert found["adds_up"], (number, when)
                assert all(added(account) == account["total"] for account in found["accounts"]), (number, when)


def test_a_rate_has_its_fraction_and_one_without_enough_days_says_so(serve: Serve, history: Database) -> None:
    with serve() as client:
        churn = explain(client, number="churn-clienti", when="2025-04")
        early = explain(client, number="churn-clienti", when="2025-03-20")

    assert (churn["value"], churn["fraction"]) == (0.333333, {"part": 1, "whole": 3})
    assert (early["value"], early["unknown"], early["fraction"], early["accounts"]) == (None, True, None, [])


def test_a_tampered_row_does_not_add_up_and_an_amended_one_shows_its_first_value(
    serve: Serve, history: Database
) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    right = row_of(history, date(2025, 5, 10))["mrr"]
    history.historical_analytics.update_one(key, {"$set": {"first_reported": {"mrr": 1.0}}})
    with serve() as client:
        amended = explain(client, number="mrr", when="2025-05-10")
        history.historical_analytics.update_one(key, {"$set": {"mrr": 99.0}})
        tampered = explain(client, number="mrr", when="2025-05-10")

    assert (amended["adds_up"], amended["first_reported"], amended["stored"]) == (True, 1.0, right)
    assert (tampered["adds_up"], tampered["stored"], tampered["computed"]) == (False, 99.0, right)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"number": "mrr", "when": "2025-03-13"}, 404),
        ({"number": "mrr", "when": "2031-01-01"}, 404),
        ({"number": "nowhere"}, 404),
        ({"number": "mrr", "when": "ieri"}, 422),
        ({"number": "mrr", "when": "2025-02-30"}, 404),
        ({"number": "mrr", "line": "99999999"}, 404),
        ({"number": "mrr", "line": "0"}, 422),
        ({"number": "mrr", "day": "2025-05-10"}, 400),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(
    serve: Serve, history: Database, query: dict[str, str], status: int
) -> None:
    with serve() as client:
        answer = client.get("/api/explain", params=query)

    assert (answer.status_code, answer.json()["success"]) == (status, False)


def test_an_empty_ledger_is_a_404(http_client: httpx2.Client) -> None:
    answer = http_client.get("/api/explain", params={"number": "mrr"})

    assert (answer.status_code, answer.json()["error"]) == (404, "the ledger is empty")
