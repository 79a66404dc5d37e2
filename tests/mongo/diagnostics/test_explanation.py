"""`explain` on a real replica set: every number adds up, and every sentence has its events."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from bson import ObjectId

from daemon.config.active import ActiveConfig
from daemon.diagnostics.explanation import Explanation
from daemon.rollup.rollup import Rollup
from rules import business_days
from rules.rows import periods
from rules.rows.number_values import NAMES
from rules.settings.settings import Settings
from tests.shop_history import ShopHistory, config_of, local, row_of
from tests.system.test_process import run_once

NOW = local(date(2025, 6, 30), 12)


def explain(mongo_uri: str, life: ShopHistory, *arguments: str) -> tuple[int, str]:
    return run_once("explain", *arguments, MONGODB_URI=mongo_uri, MONGODB_DATABASE=life.db.name)


def test_every_number_of_every_row_adds_up_to_the_stored_value(closed: ShopHistory) -> None:
    explanation = Explanation(closed.db, Settings(), 100)
    checked = (*map(periods.day, list(business_days.between(date(2025, 3, 14), date(2025, 6, 29)))[::9]), *(
        periods.month(date(2025, month, 1)) for month in (3, 4, 5)
    ))  # fmt: skip

    for period in checked:
        row = row_of(closed.db, period.first, period.kind.value)
        for name in NAMES:
            answers = explanation.number_sources(name, explanation.ask(str(period)))
            assert answers, name
            assert all(answer.adds_up for answer in answers), (name, period)
            assert all(answer.stored in (None, answer.computed) for answer in answers), (name, period)
            if not isinstance(row.get(name), dict) and name in row:
                assert answers[0].computed == row[name]


def test_a_number_shows_the_balance_before_its_day_and_its_movements(mongo_uri: str, closed: ShopHistory) -> None:
    status, output = explain(mongo_uri, closed, "2025-03-30", "mrr")

    assert status == 0, output
    assert [" ".join(line.split()) for line in output.splitlines()] == [
        "mrr of 2025-03-30: €47.97",
        "€43.96 at the start of 2025-03-30",
        "+€12.00 2025-03-30 01:30:00 CET expansion plan_changed customer ada license L-ada pro -> agency",
        "-€7.99 2025-03-30 03:30:00 CEST churn cancelled customer bruno license L-bruno pro",
        "€47.97 total",
    ]


def test_a_rate_shows_its_formula_and_every_part_of_it(mongo_uri: str, closed: ShopHistory) -> None:
    status, output = explain(mongo_uri, closed, "2025-04", "customer_churn_rate")

    assert status == 0, output
    assert "customer_churn_rate of 2025-04: 0.333333" in output
    assert "= churned customers / subscribers at the start" in output
    assert "churn  expired  customer dario  license L-dario  agency" in output
    assert "subscribers at the start: 3" in output
    _, early = explain(mongo_uri, closed, "2025-04-02", "quick_ratio")
    assert "quick_ratio of 2025-04-02: no value\n" in early


def test_a_sentence_of_a_note_shows_its_events_and_their_movements(mongo_uri: str, closed: ShopHistory) -> None:
    status, output = explain(mongo_uri, closed, "2025-05-10", "riattivata")

    assert status == 0, output
    assert "✅ Licenza Pro riattivata: bruno\n" in output
    assert "license_activated  Licenza Pro riattivata: bruno" in output
    assert "reactivation  activated  customer bruno  license L-bruno  pro  (MRR +€7.99" in output


def test_a_count_shows_events_up_to_the_limit_and_how_many_are_omitted(life: ShopHistory, mongo_uri: str) -> None:
    day = date(2025, 6, 29)
    for number in range(12):
        life.customer(local(day, 10, number), f"c{number}")
    life.store(NOW)
    Rollup(life.db, ActiveConfig(config_of(life.db))).close_missing(NOW)
    status, output = explain(mongo_uri, life, str(day), "12 nuovi clienti", "--limit", "10")

    assert status == 0, output
    assert "🎉 12 nuovi clienti: c0, c1 e altri 10\n" in output
    assert output.count("  new_customer  Nuovo cliente: c") == 10
    assert output.count("customer_created") == 10
    assert "  and 2 more (raise --limit to show them)\n" in output


def test_an_event_of_the_dashboard_is_shown_with_its_movement(closed: ShopHistory, mongo_uri: str) -> None:
    own = closed.db.business_events.find_one_and_delete({"event_type": "license_activated"})
    assert own is not None
    external = {**own, "_id": ObjectId(), "metadata": {}, "event_date": local(date(2025, 5, 10)).replace(second=2)}
    closed.db.business_events.insert_one(external)
    _, output = explain(mongo_uri, closed, "2025-05-10", "notes")

    assert ", source: external]\n" in output
    assert "reactivation  activated" in output


def test_an_edited_note_and_deleted_events_are_marked_as_such(closed: ShopHistory, mongo_uri: str) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    closed.db.historical_analytics.update_one(key, {"$set": {"notes": "Bruno è tornato"}})
    closed.db.business_events.delete_many({})

    assert "manually edited note: Bruno è tornato" in explain(mongo_uri, closed, "2025-05-10", "tornato")[1]
    _, output = explain(mongo_uri, closed, "2025-05-10", "riattivata")
    assert "its events were deleted; the row contains:\n    06:00  license_activated" in output


def test_a_number_that_differs_from_the_table_is_exit_status_one(closed: ShopHistory, mongo_uri: str) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    closed.db.historical_analytics.update_one(key, {"$set": {"mrr": 1.5}})
    status, output = explain(mongo_uri, closed, "2025-05-10", "mrr")

    assert status == 1
    assert "but the table contains 1.5: run rollup --check" in output


def test_a_hostile_name_is_printed_as_one_line_of_plain_text(life: ShopHistory, mongo_uri: str) -> None:
    evil = "\x1b[31mred\r\nmrr of 2025-06-29: €0.00\u202e"
    life.customer(local(date(2025, 6, 29), 10), "evil")
    life.store(NOW)
    state: dict[str, Any] = {"fields": {"name": evil}, "present": True, "mrr_cents": 0, "active_licenses": 0,
                             "paid_licenses": 0, "ever_mrr": False}  # fmt: skip
    life.db.analytics_mirror.insert_one({"_id": {"k": "customers", "id": "evil"}, **state})
    _, output = explain(mongo_uri, life, "2025-06-29", "total_customers")

    assert not set(output) & set("\x1b\r\u202e")
    assert output.count("mrr of") == 1, "inside the line of its movement"
    assert len(output.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2025-05-10", "nonsense"), "neither in the note of 2025-05-10 nor a number of its row"),
        (("2025-13-01", "mrr"), "is neither a day"),
        (("2027-10-26", "mrr"), "2027-10-26 is in the future"),
        (("2027-10", "mrr"), "2027-10 is in the future"),
    ],
)
def test_invalid_arguments_are_one_message(
    closed: ShopHistory, mongo_uri: str, arguments: tuple[str, ...], message: str
) -> None:
    status, output = explain(mongo_uri, closed, *arguments)

    assert (status, "Traceback" in output) == (2, False)
    assert message in output


@pytest.mark.parametrize("day", ["2024-01-01", "2024-01"])
def test_a_day_before_the_ledger_is_one_sentence_with_status_one(closed: ShopHistory, mongo_uri: str, day: str) -> None:
    sentence = f"no row for {day}: the first day is 2025-03-14; backfill creates earlier rows"

    assert explain(mongo_uri, closed, day, "mrr") == (1, f"chatello-analytics: {sentence}\n")


def test_a_reconstructed_day_has_a_row_that_cannot_be_explained(closed: ShopHistory, mongo_uri: str) -> None:
    row = {"date": datetime(2024, 1, 2, tzinfo=UTC), "period_type": "daily", "reconstructed": True}
    closed.db.historical_analytics.insert_one(row)
    status, output = explain(mongo_uri, closed, "2024-01-02", "mrr")
    closed.db.historical_analytics.delete_one({"_id": row["_id"]})

    assert (status, "the row of 2024-01-02 cannot be recomputed: the ledger's first day is 2025-03-14" in output) == (
        1,
        True,
    )
