from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.insights.milestones import (
    TOTALS_MILESTONES,
    Milestone,
    MilestoneTracker,
    highest_level,
    milestone_values,
    next_level,
    reached,
    seed,
)
from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

AT = datetime(2025, 8, 20, 10, tzinfo=UTC)
DEFAULTS = Thresholds()
steps = st.lists(st.integers(-40, 60), max_size=60)


def emitted(kind: Milestone, numbers: list[int], memory: Memory, thresholds: Thresholds = DEFAULTS) -> list[Event]:
    events = []
    for number in numbers:
        event, memory = reached(kind, number, AT, memory, Settings(thresholds=thresholds))
        events += [event] if event else []
    return events


def values(events: list[Event]) -> list[int]:
    return [event.metadata["milestone_value"] for event in events]


@pytest.mark.parametrize(
    ("kind", "number", "text"),
    [
        (Milestone.CUSTOMERS, 25, "Raggiunti 25 clienti totali!"),
        (Milestone.LICENSES, 10, "Raggiunte 10 licenze attive!"),
        (Milestone.API_CALLS, 100, "Superate 100 chiamate API in un giorno!"),
        (Milestone.MRR, 250, "Raggiunti €250 di MRR!"),
        (Milestone.MRR, 2500, "Raggiunti €2500 di MRR!"),
        (Milestone.MRR, 25_000, "Raggiunti 25 mila euro di MRR!"),
        (Milestone.MRR, 1_000_000, "Raggiunto 1 milione di euro di MRR!"),
        (Milestone.MRR, 2_500_000, "Raggiunti 2,5 milioni di euro di MRR!"),
        (Milestone.MRR, 10_000_000, "Raggiunti 10 milioni di euro di MRR!"),
    ],
)
def test_a_milestone_has_the_dashboards_text_and_metadata_keys(kind: Milestone, number: int, text: str) -> None:
    [event] = emitted(kind, [number], {kind: number - 1})

    assert event.type is EventType.MILESTONE_REACHED
    assert event.description == text
    assert event.metadata == {"milestone_type": kind.value, "milestone_value": number}
    assert (event.key, event.at) == (f"milestone:{kind.value}:{number}", AT)


def test_a_fall_and_a_new_rise_emit_no_event() -> None:
    assert values(emitted(Milestone.CUSTOMERS, [9, 10, 9, 10, 8, 11, 0, 25, 10], {"customers": 0})) == [10, 25]


def test_a_jump_over_several_levels_emits_the_highest_only() -> None:
    assert values(emitted(Milestone.CUSTOMERS, [60, 99, 100], {"customers": 3})) == [50, 100]


def test_a_first_start_on_an_existing_database_emits_no_past_milestones() -> None:
    totals = Totals(customers=120, active_licenses=80, mrr_cents=512_34)
    memory = seed({}, milestone_values(totals))

    assert memory == {"customers": 120, "licenses": 80, "mrr": 512}
    assert emitted(Milestone.CUSTOMERS, [120, 119, 249], memory) == []
    assert values(emitted(Milestone.MRR, [999, 1000], memory)) == [1000]


def test_a_kind_without_a_peak_is_seeded_without_an_event() -> None:
    assert values(emitted(Milestone.API_CALLS, [700, 999, 1000], {})) == [1000]


def test_seeding_again_never_forgets_a_higher_peak() -> None:
    assert seed({"customers": 100, "mrr": 7}, {Milestone.CUSTOMERS: 40}) == {"customers": 100, "mrr": 7}


def test_a_level_added_after_it_was_reached_emits_no_event() -> None:
    denser = replace(DEFAULTS, customers=(10, 25, 50, 75, 100))

    assert values(emitted(Milestone.CUSTOMERS, [82, 74, 81, 100], {"customers": 80}, denser)) == [100]


def test_the_memory_holds_the_number_so_a_level_added_later_emits_no_event() -> None:
    _, memory = reached(Milestone.CUSTOMERS, 82, AT, {"customers": 3}, Settings())
    denser = replace(DEFAULTS, customers=(10, 25, 50, 75, 100))

    assert memory == {"customers": 82}
    assert emitted(Milestone.CUSTOMERS, [83], memory, denser) == []


def test_an_mrr_of_a_cent_less_than_the_level_has_not_reached_it() -> None:
    assert milestone_values(Totals(mrr_cents=99_99))[Milestone.MRR] == 99


@pytest.mark.parametrize(
    ("total", "level"),
    [(-5, 0), (0, 0), (9, 0), (10, 10), (999, 500), (1000, 1000), (2499, 1000), (2500, 2500), (4999, 2500),
     (5000, 5000), (9999, 5000), (10_000, 10_000), (25_000, 25_000), (10**9, 10**9)],
)  # fmt: skip
def test_levels_continue_with_1_2_5_and_5_after_a_thousand(total: int, level: int) -> None:
    assert highest_level(DEFAULTS.customers, total) == level


@given(st.integers(-10, 10**7), st.integers(0, 10**6))
def test_levels_never_fall_as_the_number_rises(total: int, more: int) -> None:
    for levels in (DEFAULTS.customers, DEFAULTS.api_calls, (1,), (3, 7), (70_000,)):
        assert highest_level(levels, total) <= max(total, 0)
        assert highest_level(levels, total) <= highest_level(levels, total + more)


@given(st.integers(0, 80), steps)
def test_any_sequence_emits_each_level_once_in_ascending_order(start: int, moves: list[int]) -> None:
    numbers = list(accumulate(moves, lambda total, step: max(0, total + step), initial=start))
    emitted_values = values(emitted(Milestone.CUSTOMERS, numbers, seed({}, {Milestone.CUSTOMERS: start})))

    assert emitted_values == sorted(set(emitted_values))
    assert (max(emitted_values, default=0) > 0) == (highest_level(DEFAULTS.customers, max(numbers)) > start)
    assert all(start < value <= max(numbers) for value in emitted_values)


@given(steps, st.data())
def test_a_restart_emits_no_milestone_twice_and_loses_none(moves: list[int], data: st.DataObject) -> None:
    numbers = list(accumulate(moves, lambda total, step: max(0, total + step), initial=0))
    cut = data.draw(st.integers(0, len(numbers)))
    memory: Memory = {"licenses": 0}
    for number in numbers[:cut]:
        memory = reached(Milestone.LICENSES, number, AT, memory, Settings())[1]

    before = emitted(Milestone.LICENSES, numbers[:cut], {"licenses": 0})
    assert before + emitted(Milestone.LICENSES, numbers[cut:], memory) == emitted(
        Milestone.LICENSES, numbers, {"licenses": 0}
    )


@pytest.mark.parametrize("levels", [(), (0, 5), (5, 5), (10, 5), (-1,)])
def test_levels_out_of_order_are_refused_by_name(levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="customers must be positive numbers in ascending order"):
        Thresholds(customers=levels)


@given(st.integers(-10, 10**7))
def test_the_next_level_is_the_first_that_would_be_reached(total: int) -> None:
    level = next_level(DEFAULTS.customers, total)

    assert level > total
    assert highest_level(DEFAULTS.customers, level) == level
    assert highest_level(DEFAULTS.customers, level - 1) <= max(0, total)


totals = st.builds(Totals, st.integers(0, 3000), st.just(0), st.integers(0, 3000), st.integers(0, 3000_00))
memories = st.dictionaries(st.sampled_from([*TOTALS_MILESTONES, Milestone.API_CALLS]).map(str), st.integers(0, 2000))


@given(memories, st.lists(totals, max_size=30))
def test_a_milestone_tracker_gives_the_events_and_memory_of_single_evaluations(
    memory: Memory, ways: list[Totals]
) -> None:
    tracker = MilestoneTracker(memory, Settings())
    seen = [event for current in ways for event in tracker.check(current, AT)]

    expected = []
    for current in ways:
        for kind, number in milestone_values(current).items():
            event, memory = reached(kind, number, AT, memory, Settings())
            expected += [event] if event else []

    assert seen == expected
    assert tracker.memory == memory
