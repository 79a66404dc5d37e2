from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import business_days
from rules.insights.summaries import events, iso_week
from rules.insights.trends import Day
from rules.model.events import EventType

MONDAY = date(2025, 11, 24)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def flat(first: date, last: date, **numbers: int) -> list[Day]:
    usual = {"customers": 20, "paying": 9, "mrr_cents": 200_00, "new_customers": 0, "sales": 0, "cancellations": 0}
    return [Day(day, **{**usual, **numbers}) for day in business_days.between(first, last)]


def texts(day: date, history: list[Day]) -> list[str]:
    return [event.description for event in events(day, noon(day), history)]


def a_week() -> list[Day]:
    """Return week 47 of 2025 and the day before it."""
    history = flat(date(2025, 11, 16), date(2025, 11, 23))
    history[0] = history[0]._replace(mrr_cents=204_72, sales=90)
    history[3] = history[3]._replace(sales=3, cancellations=0)
    history[7] = history[7]._replace(customers=23, mrr_cents=217_70, sales=2)
    return history


def test_a_monday_has_a_summary_of_the_week_that_ended() -> None:
    [event] = events(MONDAY, noon(MONDAY), a_week())

    assert event.description == "Settimana 17–23 novembre: +3 clienti, MRR €217.70 (+€12.98), 5 nuove licenze"
    assert event.type is EventType.MILESTONE_REACHED
    assert (event.key, event.metadata, event.at) == ("week:2025-48", {"week_start": "2025-48"}, noon(MONDAY))


def test_the_first_of_a_month_has_a_summary_of_the_month_that_ended() -> None:
    history = flat(date(2025, 9, 30), date(2025, 10, 31))
    history[-1] = history[-1]._replace(customers=19, mrr_cents=190_00)
    history[5] = history[5]._replace(sales=1, cancellations=2)

    [event] = events(date(2025, 11, 1), noon(date(2025, 11, 1)), history)
    assert event.description == "Ottobre 2025: -1 cliente, MRR €190.00 (-€10.00), 1 nuova licenza, 2 cancellazioni"
    assert (event.key, event.metadata) == ("month:2025-11", {"month_start": "2025-11"})


def test_a_week_without_changes_has_a_summary() -> None:
    assert texts(MONDAY, flat(date(2025, 11, 16), date(2025, 11, 23))) == [
        "Settimana 17–23 novembre: clienti invariati, MRR €200.00 (invariato), nessuna nuova licenza"
    ]


def test_a_monday_that_is_a_first_has_both_summaries() -> None:
    history = flat(date(2025, 8, 31), date(2025, 11, 30))

    assert [text.split(":")[0] for text in texts(date(2025, 12, 1), history)] == [
        "Settimana 24–30 novembre",
        "Novembre 2025",
    ]


@pytest.mark.parametrize("missing", range(8))
def test_a_week_with_a_missing_day_has_no_summary(missing: int) -> None:
    history = a_week()
    del history[missing]

    assert texts(MONDAY, history) == []


def test_no_history_and_an_empty_shop_have_no_summary() -> None:
    nothing = [Day(day, 0, 0, 0, 0, 0, 0) for day in business_days.between(date(2025, 11, 16), date(2025, 11, 23))]

    assert texts(MONDAY, []) == texts(MONDAY, nothing) == []


@pytest.mark.parametrize(
    ("monday", "starts", "ended"),
    [
        (date(2021, 1, 4), "2021-01", "Settimana 28 dicembre – 3 gennaio"),
        (date(2027, 1, 4), "2027-01", "Settimana 28 dicembre – 3 gennaio"),
        (date(2020, 12, 28), "2020-53", "Settimana 21–27 dicembre"),
        (date(2024, 12, 30), "2025-01", "Settimana 23–29 dicembre"),
        (date(2025, 1, 6), "2025-02", "Settimana 30 dicembre – 5 gennaio"),
    ],
)
def test_weeks_have_iso_keys_and_are_named_by_their_days_around_new_year(monday: date, starts: str, ended: str) -> None:
    [event] = events(monday, noon(monday), flat(monday - timedelta(8), monday - timedelta(1)))

    assert event.key == f"week:{starts}"
    assert event.description.startswith(f"{ended}:")


def test_march_has_a_summary_of_a_february_of_28_or_29_days() -> None:
    for year, sales in ((2023, 28), (2024, 29)):
        history = flat(date(year, 1, 1), date(year, 2, 29 if sales == 29 else 28), sales=1)

        assert texts(date(year, 3, 1), history)[-1].endswith(f"{sales} nuove licenze")


counts = st.tuples(*[st.integers(0, 500)] * 6)


@given(st.dates(date(1999, 1, 1), date(2060, 1, 1)), st.lists(counts, min_size=8, max_size=8))
def test_the_numbers_of_any_week_are_its_own(day: date, rows: list[tuple[int, ...]]) -> None:
    monday = day - timedelta(day.weekday())
    history = [Day(monday - timedelta(8 - number), *row) for number, row in enumerate(rows)]
    # days outside the week have no effect
    around = [*flat(monday - timedelta(30), monday - timedelta(9), sales=77), *history, *flat(monday, monday, sales=77)]

    found = texts(monday, history)
    sales, customers = sum(row[4] for row in rows[1:]), rows[-1][0] - rows[0][0]
    assert [text for text in texts(monday, around) if text.startswith("Settimana")] == found
    if found:
        assert (f", {sales} nuov" in found[0]) == (sales > 0)
        assert (f" {customers:+d} client" in found[0]) == (customers != 0)
        assert f"MRR €{rows[-1][2] / 100:.2f}" in found[0]
    else:
        assert not any(any(row) for row in rows)


@given(st.dates(date(1999, 1, 1), date(2060, 1, 1)))
def test_only_mondays_and_firsts_have_summaries_and_their_keys_are_distinct(day: date) -> None:
    history = flat(day - timedelta(40), day - timedelta(1))

    assert len(texts(day, history)) == (day.weekday() == 0) + (day.day == 1)
    assert iso_week(day - timedelta(day.weekday())) != iso_week(day + timedelta(7 - day.weekday()))


def test_one_cancellation_is_written_in_the_singular() -> None:
    history = flat(date(2025, 11, 16), date(2025, 11, 23))
    history[2] = history[2]._replace(cancellations=1)

    assert texts(MONDAY, history)[0].endswith(", 1 cancellazione")


def test_an_mrr_that_rose_by_one_cent_has_a_sign() -> None:
    history = flat(date(2025, 11, 16), date(2025, 11, 23))
    history[-1] = history[-1]._replace(mrr_cents=200_01)

    assert "MRR €200.01 (+€0.01)" in texts(MONDAY, history)[0]


def test_a_shop_whose_only_number_is_its_customers_has_a_summary() -> None:
    nothing = {"paying": 0, "mrr_cents": 0, "new_customers": 0, "sales": 0, "cancellations": 0}
    assert len(texts(MONDAY, flat(date(2025, 11, 16), date(2025, 11, 23), customers=1, **nothing))) == 1


def test_a_summary_of_a_month_is_dated_like_that_of_a_week() -> None:
    first = date(2025, 12, 1)
    found = events(first, noon(first), flat(date(2025, 10, 31), date(2025, 11, 30)))

    assert [(event.key, event.at) for event in found] == [("week:2025-49", noon(first)), ("month:2025-12", noon(first))]
