"""Corrections: the net difference of all amendments, one line for days in a row, never a level without its day."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules.messages import corrections
from rules.model.facts import Difference, RowFact

TODAY = date(2026, 11, 26)


def amended(day: date, before: float, after: float, field: str = "mrr_cents", *, month: bool = False) -> RowFact:
    return RowFact(day, 1, month=month, changes=(Difference(field, before, after),))


def lines(*rows: RowFact, today: date = TODAY) -> list[str]:
    return corrections.lines(corrections.net(rows, today), today)


def test_a_corrected_day_states_the_number_before_and_after() -> None:
    assert lines(amended(date(2026, 11, 8), 21770, 20971)) == [
        "✏️ Rettifica dell’8 novembre: MRR €\xa0217,70 → €\xa0209,71"
    ]


def test_days_in_a_row_with_one_difference_are_one_line() -> None:
    days = [date(2026, 11, 21) + timedelta(days=count) for count in range(5)]
    rows = [amended(day, 21770 + count, 20971 + count) for count, day in enumerate(days)]

    (line,) = lines(*rows)
    assert line.startswith("✏️ Rettifica dal 21 novembre al 25 novembre: MRR −€\xa07,99 ")
    assert line.endswith("(per esempio il 21 novembre MRR €\xa0217,70 → €\xa0209,71)")


def test_a_gap_in_the_days_or_another_difference_begins_a_new_line() -> None:
    first, second = date(2026, 11, 20), date(2026, 11, 22)

    assert len(lines(amended(first, 1000, 900), amended(second, 1000, 900))) == 2
    assert len(lines(amended(first, 1000, 900), amended(date(2026, 11, 21), 1000, 800))) == 2


def test_a_number_that_is_back_where_it_was_is_silent() -> None:
    day = date(2026, 11, 20)

    assert lines(amended(day, 1000, 900), amended(day, 900, 1000)) == []
    assert lines(amended(day, 1000, 900), amended(day, 900, 700)) == [
        "✏️ Rettifica del 20 novembre: MRR €\xa010,00 → €\xa07,00"
    ]


def test_only_the_numbers_of_a_message_and_the_last_weeks_and_months_are_corrected() -> None:
    old, old_month = TODAY - timedelta(days=36), date(2025, 9, 1)

    assert lines(amended(old, 1, 2), amended(TODAY, 1, 2, "quick_ratio"), amended(old_month, 1, 2, month=True)) == []
    assert lines(amended(date(2026, 10, 1), 100, 200, month=True)) == [
        "✏️ Rettifica di ottobre 2026: MRR €\xa01,00 → €\xa02,00"
    ]


days = st.integers(0, 30).map(lambda count: TODAY - timedelta(days=count))
steps = st.lists(st.tuples(days, st.sampled_from(["mrr_cents", "total_customers"]), st.integers(-3, 3)), max_size=30)


@given(steps)
def test_what_was_sent_plus_the_corrections_is_what_stands(changes: list[tuple[date, str, int]]) -> None:
    sent = {(day, field): 100 for day, field, _ in changes}
    stands = dict(sent)
    rows = []
    for day, field, change in changes:
        before = stands[day, field]
        stands[day, field] += change
        rows.append(amended(day, before, stands[day, field], field))

    corrected = {
        (one.day, field): after for one in corrections.net(rows, TODAY) for field, (_, after) in one.changes.items()
    }
    assert {**sent, **corrected} == stands
    assert all(sent[place] != after for place, after in corrected.items())
