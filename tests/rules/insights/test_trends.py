from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.insights.trends import Day, detect, initial_memory, outlier_bound
from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

FIRST = date(2025, 6, 1)
DEFAULTS = Thresholds()


def day(number: int, mrr: int = 0, new: int = 0, sales: int = 0, canceled: int = 0) -> Day:
    return Day(FIRST + timedelta(number), 10, 5, mrr, new, sales, canceled)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def detected(
    history: Sequence[Day], memory: Memory | None = None, thresholds: Thresholds = DEFAULTS
) -> tuple[list[Event], Memory]:
    return detect(history, noon(history[-1].date), memory or {}, Settings(thresholds=thresholds))


def events_over(history: Sequence[Day], thresholds: Thresholds = DEFAULTS, window: int = 1000) -> list[tuple[int, str]]:
    """Return day number and trend of all events when the days end one after the other."""
    memory: Memory = {}
    found = []
    for end in range(1, len(history) + 1):
        events, memory = detected(history[max(0, end - window) : end], memory, thresholds)
        found += [(end - 1, str(event.metadata["trend"])) for event in events]
    return found


def of(trend: str, found: list[tuple[int, str]]) -> list[int]:
    return [number for number, name in found if name == trend]


def test_a_record_mrr_is_emitted_at_the_end_of_the_day() -> None:
    history = [*(day(n, mrr=200_00) for n in range(20)), day(20, mrr=217_70)]

    [event], memory = detected(history, initial_memory(history[:-1]))
    assert event.description == "Nuovo record di MRR: €217.70!"
    assert event.metadata == {"trend": "record_mrr", "mrr": 217.70}
    assert (event.type, event.key) == (EventType.MILESTONE_REACHED, "trend:record_mrr:2025-06-21")
    assert (memory["peak_mrr_cents"], memory["told_mrr_cents"], memory["told_mrr_on"]) == (217_70, 217_70, "2025-06-21")


@pytest.mark.parametrize("mrr", [190_00, 200_00, 204_99])
def test_no_record_and_a_record_below_the_threshold_emit_no_event(mrr: int) -> None:
    assert events_over([*(day(n, mrr=200_00) for n in range(20)), day(20, mrr=mrr)]) == []


def test_a_slow_climb_adds_up_to_a_record() -> None:
    assert events_over([day(n, mrr=n * 1_00) for n in range(40)]) == [(14, "record_mrr"), (21, "record_mrr"),
                                                                    (28, "record_mrr"), (35, "record_mrr")]  # fmt: skip


def test_a_return_to_a_peak_of_the_cooldown_is_not_a_record() -> None:
    flat = [day(n, mrr=100_00) for n in range(20)]
    history = [*flat, day(20, mrr=110_00), day(21, mrr=150_00), *(day(n, mrr=140_00) for n in range(22, 40))]

    assert events_over([*history, day(40, mrr=150_00), day(41, mrr=150_01)]) == [(20, "record_mrr"), (41, "record_mrr")]


def test_the_best_day_needs_a_minimum_and_enough_history() -> None:
    few = [day(n, new=1) for n in range(20)]

    assert events_over([*few, day(20, new=2)]) == []
    assert events_over([*few, day(20, new=7), day(21, new=7), day(22, new=6), day(23, new=8)]) == [
        (20, "best_day"),
        (23, "best_day"),
    ]
    assert events_over([*few[:5], day(5, new=9)]) == []
    [event], _ = detected([*few, day(20, new=7)], initial_memory(few))
    assert event.description == "Giorno record: 7 nuovi clienti!"


def test_a_sales_streak_is_emitted_at_its_levels_and_again_after_a_break() -> None:
    sales = [1] * 31 + [0] + [2] * 8
    history = [day(n, sales=count) for n, count in enumerate([0, *sales])]

    assert of("sales_streak", events_over(history)) == [7, 14, 30, 39]


def test_a_streak_longer_than_the_window_is_finally_emitted_yearly() -> None:
    history = [day(n, sales=min(n, 1)) for n in range(800)]

    assert of("sales_streak", events_over(history, window=60)) == [7, 14, 30, 60, 90, 180, 365, 730]


def test_a_missing_day_breaks_a_streak() -> None:
    history = [day(n, sales=int(n > 0)) for n in range(12) if n != 5]

    assert of("sales_streak", events_over(history)) == []


def test_unusual_cancellations_are_compared_with_the_last_weeks() -> None:
    usual = [day(n, canceled=n % 3) for n in range(30)]

    [event], _ = detected([*usual, day(30, canceled=6)], initial_memory(usual))
    assert event.description == "Più cancellazioni del solito: 6 in un giorno (di solito 1)"
    assert event.metadata == {"trend": "cancellations", "cancellations": 6, "median": 1.0}
    assert events_over([*usual, day(30, canceled=5)]) == []


def test_few_cancellations_and_a_short_history_emit_no_event() -> None:
    quiet = [day(n) for n in range(28)]

    assert events_over([*quiet, day(28, canceled=2)]) == []
    assert events_over([*quiet[1:], day(28, canceled=90)]) == []
    assert events_over([*quiet, day(28, canceled=3)]) == [(28, "cancellations")]


def test_one_outlier_does_not_hide_the_next_one() -> None:
    history = [*(day(n, canceled=1) for n in range(30)), day(30, canceled=50), day(31, canceled=9)]

    assert of("cancellations", events_over(history)) == [30, 31]


def test_days_before_the_window_no_longer_count() -> None:
    busy = [day(n, canceled=20) for n in range(100)]
    calm = [day(n, canceled=0) for n in range(100, 156)]

    assert of("cancellations", events_over([*busy, *calm, day(156, canceled=5)])) == [156]
    assert of("cancellations", events_over([*busy, *calm[:20], day(120, canceled=5)])) == []


def test_the_outlier_bound_is_that_of_leys_et_al() -> None:
    """Their example: 1, 3, 3, 6, 8, 10, 10, 1000 has median 7 and MAD 5.1891 (3.5 x 1.4826)."""
    assert outlier_bound([1, 3, 3, 6, 8, 10, 10, 1000], 3) == pytest.approx(7 + 3 * 5.1891)


days = st.lists(
    st.tuples(st.integers(0, 300_00), st.integers(0, 9), st.integers(0, 2), st.integers(0, 12)), min_size=1, max_size=70
).map(lambda rows: [day(n, *row) for n, row in enumerate(rows)])


@given(days)
def test_the_first_and_a_repeated_evaluation_of_a_day_emit_no_events(history: list[Day]) -> None:
    events, memory = detected(history)

    assert events == []
    assert detected(history, memory) == ([], memory)
    assert detected(history[:1], memory) == ([], memory)
    assert all(type(value) in (int, str) for value in memory.values())


@given(days)
def test_in_any_history_records_are_emitted_exactly_when_due(history: list[Day]) -> None:
    expected: list[int] = []
    for number in range(14, len(history)):
        highest = max(day.mrr_cents for day in history[:number])
        last = history[expected[-1] if expected else 0].mrr_cents
        rested = not expected or number - expected[-1] >= 7
        if history[number].mrr_cents > highest and history[number].mrr_cents >= last + 5_00 and rested:
            expected.append(number)

    assert of("record_mrr", events_over(history)) == expected


@given(days)
def test_in_any_history_the_best_day_is_emitted_exactly_when_it_is_the_best(history: list[Day]) -> None:
    expected = [
        number
        for number in range(14, len(history))
        if history[number].new_customers > max(2, *(day.new_customers for day in history[:number]))
    ]

    assert of("best_day", events_over(history)) == expected


@given(days, st.sampled_from([60, 1000]))
def test_in_any_history_a_streak_is_emitted_exactly_at_its_levels(history: list[Day], window: int) -> None:
    runs, run = [], 0
    for today in history:
        run = run + 1 if today.sales else 0
        runs.append(run)

    expected = [number for number, run in enumerate(runs) if number > 0 and run in DEFAULTS.streak_days]
    assert of("sales_streak", events_over(history, window=window)) == expected


@given(days, st.integers(0, 40))
def test_more_cancellations_than_an_unusual_number_are_unusual_too(history: list[Day], more: int) -> None:
    thresholds = replace(DEFAULTS, cancellations_history_days=5)
    worse = [*history[:-1], history[-1]._replace(cancellations=history[-1].cancellations + more)]
    memory = detected(history[:-1])[1] if history[:-1] else {}

    was = [e for e in detected(history, memory, thresholds)[0] if e.metadata["trend"] == "cancellations"]
    now = [e for e in detected(worse, memory, thresholds)[0] if e.metadata["trend"] == "cancellations"]
    assert bool(now) >= bool(was)


def test_an_empty_history_emits_no_event() -> None:
    assert detect([], noon(FIRST), {}, Settings()) == ([], {})


def test_the_window_has_the_configured_number_of_days() -> None:
    quiet = [day(n) for n in range(28)]
    tight = replace(DEFAULTS, cancellations_window_days=28)

    assert events_over([*quiet, day(28, canceled=3)], tight) == [(28, "cancellations")]


def test_the_memory_begins_with_the_streak_at_the_end_of_the_history() -> None:
    gap = [day(0, sales=1), day(1), day(2, sales=1), day(4, sales=1), day(5, sales=2), day(6, sales=1)]

    assert initial_memory(gap)["streak_days"] == 3
    assert initial_memory([*gap, day(7)])["streak_days"] == 0
    assert initial_memory([day(3, sales=1)])["streak_days"] == 1


def test_the_memory_begins_with_the_peaks_of_the_whole_history() -> None:
    memory = initial_memory([day(0, mrr=300_00, new=2), day(1, mrr=100_00, new=7), day(2, mrr=200_00, new=1)])

    assert (memory["peak_mrr_cents"], memory["told_mrr_cents"], memory["best_new_customers"]) == (300_00, 300_00, 7)
    assert (memory["since"], memory["seen"]) == ("2025-06-01", "2025-06-03")


def test_a_known_streak_continues_on_the_next_day_with_a_sale() -> None:
    usual = [day(n, sales=1) for n in range(10)]
    [event], memory = detected([*usual, day(10, sales=1)], {**initial_memory(usual), "streak_days": 29})

    assert (event.metadata, event.at) == ({"trend": "sales_streak", "streak_days": 30}, noon(day(10).date))
    assert "30" in event.description
    assert memory["streak_days"] == 30


def test_a_best_day_is_emitted_from_its_minimum_on_with_the_number() -> None:
    usual = [day(n, new=1) for n in range(30)]
    [event], _ = detected([*usual, day(30, new=DEFAULTS.best_day_minimum)], initial_memory(usual))

    assert event.metadata == {"trend": "best_day", "new_customers": DEFAULTS.best_day_minimum}


def test_a_record_is_emitted_from_its_threshold_on() -> None:
    usual = [day(n, mrr=200_00) for n in range(20)]
    [event], _ = detected([*usual, day(20, mrr=200_00 + DEFAULTS.record_mrr_cents)], initial_memory(usual))

    assert event.metadata["trend"] == "record_mrr"
