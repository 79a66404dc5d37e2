"""Corrections: the net difference of all amendments, one line for days in a row, never a level without its day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules.messages import corrections
from rules.messages.corrections import LateFact
from rules.model.events import EventType
from rules.model.facts import Difference, EventFact, Fact, FactType, RowFact

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


def late(day: date, text: str = "😞 Licenza cancellata: Rossi", **options: Any) -> LateFact:
    kind = options.pop("type", FactType.EVENT_RECORDED)
    event = EventFact(1, EventType.LICENSE_CANCELLED, **options)
    return LateFact(day, Fact("a", kind, datetime(day.year, day.month, day.day, tzinfo=UTC), event), text)


def reasons(*facts: LateFact) -> list[str]:
    """Return the lines of two corrected runs of days and a corrected month."""
    first, second = date(2026, 11, 10), date(2026, 11, 20)
    rows = [amended(first, 1000, 900), amended(second, 1000, 800), amended(date(2026, 10, 1), 1, 2, month=True)]
    return [line[:25] for line in corrections.lines(corrections.net(rows, TODAY), TODAY, facts)]


def test_the_only_late_fact_of_a_run_of_days_is_its_reason() -> None:
    (_, reason, *_) = corrections.lines(
        corrections.net([amended(date(2026, 11, 10), 1000, 900)], TODAY),
        TODAY,
        [late(date(2026, 11, 10), "💰 Pagamento ricevuto: €7.99 da Rossi")],
    )

    assert reason == "Motivo: 💰 Pagamento ricevuto: €\xa07,99 da Rossi"


def test_a_late_fact_is_the_reason_of_the_first_run_that_does_not_begin_before_it() -> None:
    assert reasons(late(date(2026, 11, 20)), late(date(2026, 9, 20)), late(date(2026, 11, 21))) == [
        "✏️ Rettifica del 10 novem",
        "Motivo: 😞 Licenza cancell",
        "✏️ Rettifica del 20 novem",
        "Motivo: 😞 Licenza cancell",
        "✏️ Rettifica di ottobre 2",
    ]


def test_several_late_facts_are_counted_by_their_kind_and_a_withdrawn_one_is_named_as_such() -> None:
    day = date(2026, 11, 10)
    rows = corrections.net([amended(day, 1000, 900)], TODAY)
    many = [late(day), late(day), late(day, recovered=True), late(day, type=FactType.EVENT_WITHDRAWN)]

    assert corrections.lines(rows, TODAY, many)[1] == (
        "Motivo: 2 eventi arrivati in ritardo, 1 evento recuperato dopo un’interruzione, 1 evento annullato"
    )
    assert corrections.lines(rows, TODAY, many[3:])[1] == "Motivo: ↩️ Non è più così: 😞 Licenza cancellata: Rossi"
    assert corrections.lines(rows, TODAY, [late(day, "")])[1] == "Motivo: 1 evento arrivato in ritardo"


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
