"""`explain` on the real replica set: every number adds up, and every sentence has its events behind it."""

from datetime import date
from typing import Any

import pytest
from bson import ObjectId

from daemon.diagnostics.explanation import Explanation
from daemon.rollup.rollup import Rollup
from rules import business_days
from rules.rows import periods
from rules.rows.provenance import NAMES
from rules.settings.settings import Settings
from tests.shop_history import Life, config_of, local, row_of
from tests.system.test_process import run_once

NOW = local(date(2025, 6, 30), 12)


def explain(mongo_uri: str, life: Life, *arguments: str) -> tuple[int, str]:
    return run_once("explain", *arguments, MONGODB_URI=mongo_uri, MONGODB_DATABASE=life.db.name)


def test_every_number_of_every_row_adds_up_to_what_the_table_says(closed: Life) -> None:
    explanation = Explanation(closed.db, Settings(), 100)
    asked = (*map(periods.day, list(business_days.between(date(2025, 3, 14), date(2025, 6, 29)))[::9]), *(
        periods.month(date(2025, month, 1)) for month in (3, 4, 5)
    ))  # fmt: skip

    for period in asked:
        row = row_of(closed.db, period.first, period.kind.value)
        for name in NAMES:
            answers = explanation.numbers(name, period)
            assert answers, name
            assert all(answer.adds_up for answer in answers), (name, period)
            assert all(answer.stored in (None, answer.made) for answer in answers), (name, period)
            if not isinstance(row.get(name), dict) and name in row:
                assert answers[0].made == row[name]


def test_the_lines_below_a_number_are_those_of_its_day_with_what_stood_before(mongo_uri: str, closed: Life) -> None:
    status, output = explain(mongo_uri, closed, "2025-03-30", "mrr")

    assert status == 0, output
    assert [" ".join(line.split()) for line in output.splitlines()] == [
        "mrr of 2025-03-30: €47.97",
        "€43.96 as 2025-03-30 began",
        "+€12.00 2025-03-30 01:30:00 expansion plan_changed customer ada licence L-ada pro -> agency",
        "-€7.99 2025-03-30 03:30:00 churn cancelled customer bruno licence L-bruno pro",
        "€47.97 in all",
    ]


def test_a_rate_shows_its_formula_and_every_part_of_it(mongo_uri: str, closed: Life) -> None:
    status, output = explain(mongo_uri, closed, "2025-04", "customer_churn_rate")

    assert status == 0, output
    assert "customer_churn_rate of 2025-04: 0.333333" in output
    assert "= churned customers / subscribers at the start" in output
    assert "churn  expired  customer dario  licence L-dario  agency" in output
    assert "subscribers at the start: 3" in output
    _, early = explain(mongo_uri, closed, "2025-04-02", "quick_ratio")
    assert "quick_ratio of 2025-04-02: no value\n" in early


def test_a_sentence_of_the_note_shows_its_events_and_their_movements(mongo_uri: str, closed: Life) -> None:
    status, output = explain(mongo_uri, closed, "2025-05-10", "riattivata")

    assert status == 0, output
    assert "✅ Licenza riattivata: Pro, bruno\n" in output
    assert "license_activated  Licenza riattivata: Pro, bruno" in output
    assert "reactivation  activated  customer bruno  licence L-bruno  pro  (MRR +€7.99" in output


def test_a_count_shows_all_it_counts_and_says_how_many_more_there_are(life: Life, mongo_uri: str) -> None:
    day = date(2025, 6, 29)
    for number in range(12):
        life.customer(local(day, 10, number), f"c{number}")
    life.store(NOW)
    Rollup(life.db, config_of(life.db)).close_missing(NOW)
    status, output = explain(mongo_uri, life, str(day), "12 nuovi clienti", "--limit", "10")

    assert status == 0, output
    assert "🎉 12 nuovi clienti: c0, c1 e altri 10\n" in output
    assert output.count("  new_customer  Nuovo cliente: c") == 10
    assert output.count("customer_created") == 10
    assert "  and 2 more (--limit shows them)\n" in output


def test_an_event_the_dashboard_told_is_found_beside_its_movement(closed: Life, mongo_uri: str) -> None:
    ours = closed.db.business_events.find_one_and_delete({"event_type": "license_activated"})
    assert ours is not None
    theirs = {**ours, "_id": ObjectId(), "metadata": {}, "event_date": local(date(2025, 5, 10)).replace(second=2)}
    closed.db.business_events.insert_one(theirs)
    _, output = explain(mongo_uri, closed, "2025-05-10", "notes")

    assert ", by others]\n" in output
    assert "reactivation  activated" in output


def test_a_persons_note_and_deleted_events_are_told_as_what_they_are(closed: Life, mongo_uri: str) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    closed.db.historical_analytics.update_one(key, {"$set": {"notes": "Bruno è tornato"}})
    closed.db.business_events.delete_many({})

    assert "a person wrote in notes: Bruno è tornato" in explain(mongo_uri, closed, "2025-05-10", "tornato")[1]
    _, output = explain(mongo_uri, closed, "2025-05-10", "riattivata")
    assert "its events were deleted since; the row remembers:\n    06:00  license_activated" in output


def test_a_number_the_table_does_not_say_is_told_by_the_exit_status(closed: Life, mongo_uri: str) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    closed.db.historical_analytics.update_one(key, {"$set": {"mrr": 1.5}})
    status, output = explain(mongo_uri, closed, "2025-05-10", "mrr")

    assert status == 1
    assert "but the table says 1.5: see rollup --check" in output


def test_a_hostile_name_stays_one_line_of_plain_text(life: Life, mongo_uri: str) -> None:
    evil = "\x1b[31mred\r\nmrr of 2025-06-29: €0.00\u202e"
    life.customer(local(date(2025, 6, 29), 10), "evil")
    life.store(NOW)
    state: dict[str, Any] = {"fields": {"name": evil}, "present": True, "mrr_cents": 0, "active_licenses": 0,
                             "paid_licenses": 0, "ever_mrr": False}  # fmt: skip
    life.db.analytics_mirror.insert_one({"_id": {"k": "customers", "id": "evil"}, **state})
    _, output = explain(mongo_uri, life, "2025-06-29", "total_customers")

    assert not set(output) & set("\x1b\r\u202e")
    assert output.count("mrr of") == 1, "within the line of its movement"
    assert len(output.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("2025-05-10", "nonsense"), "neither in the note of 2025-05-10 nor a number of its row"),
        (("2025-13-01", "mrr"), "is no day such as"),
        (("2024-01-01", "mrr"), "the ledger begins on 2025-03-14"),
        (("2027-10-26", "mrr"), "2027-10-26 is still to come"),
        (("2027-10", "mrr"), "2027-10 is still to come"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_sentence(
    closed: Life, mongo_uri: str, arguments: tuple[str, ...], told: str
) -> None:
    status, output = explain(mongo_uri, closed, *arguments)

    assert (status, "Traceback" in output) == (2, False)
    assert told in output
