from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.insights.milestones import MEASURED, Milestone, MilestoneTracker, following, highest, measured, reached, seed
from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

AT = datetime(2025, 8, 20, 10, tzinfo=UTC)
HOUSE = Thresholds()
steps = st.lists(st.integers(-40, 60), max_size=60)


def told(kind: Milestone, numbers: list[int], memory: Memory, thresholds: Thresholds = HOUSE) -> list[Event]:
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
        (Milestone.API_CALLS, 100, "Superati 100 API calls giornaliere!"),
        (Milestone.MRR, 250, "Raggiunti €250 di MRR!"),
    ],
)
def test_a_milestone_is_told_in_the_dashboards_words_and_keys(kind: Milestone, number: int, text: str) -> None:
    [event] = told(kind, [number], {kind: number - 1})

    assert event.type is EventType.MILESTONE_REACHED
    assert event.description == text
    assert event.metadata == {"milestone_type": kind.value, "milestone_value": number}
    assert (event.key, event.at) == (f"milestone:{kind.value}:{number}", AT)


def test_down_and_up_again_is_silence() -> None:
    assert values(told(Milestone.CUSTOMERS, [9, 10, 9, 10, 8, 11, 0, 25, 10], {"customers": 0})) == [10, 25]


def test_a_jump_over_several_levels_reports_the_highest_only() -> None:
    assert values(told(Milestone.CUSTOMERS, [60, 99, 100], {"customers": 3})) == [50, 100]


def test_a_first_start_over_an_old_database_reports_nothing_of_the_past() -> None:
    totals = Totals(customers=120, active_licenses=80, mrr_cents=512_34)
    memory = seed({}, measured(totals))

    assert memory == {"customers": 120, "licenses": 80, "mrr": 512}
    assert told(Milestone.CUSTOMERS, [120, 119, 249], memory) == []
    assert values(told(Milestone.MRR, [999, 1000], memory)) == [1000]


def test_a_kind_that_was_never_seeded_begins_in_silence() -> None:
    assert values(told(Milestone.API_CALLS, [700, 999, 1000], {})) == [1000]


def test_seeding_again_never_forgets_a_higher_peak() -> None:
    assert seed({"customers": 100, "mrr": 7}, {Milestone.CUSTOMERS: 40}) == {"customers": 100, "mrr": 7}


def test_a_level_added_after_it_was_passed_is_not_news() -> None:
    denser = replace(HOUSE, customers=(10, 25, 50, 75, 100))

    assert values(told(Milestone.CUSTOMERS, [82, 74, 81, 100], {"customers": 80}, denser)) == [100]


def test_what_is_remembered_is_the_number_itself_so_a_level_added_later_is_not_news() -> None:
    _, memory = reached(Milestone.CUSTOMERS, 82, AT, {"customers": 3}, Settings())
    denser = replace(HOUSE, customers=(10, 25, 50, 75, 100))

    assert memory == {"customers": 82}
    assert told(Milestone.CUSTOMERS, [83], memory, denser) == []


def test_an_mrr_of_a_cent_less_than_the_level_has_not_reached_it() -> None:
    assert measured(Totals(mrr_cents=99_99))[Milestone.MRR] == 99


@pytest.mark.parametrize(
    ("total", "level"),
    [(-5, 0), (0, 0), (9, 0), (10, 10), (999, 500), (1000, 1000), (2499, 1000), (2500, 2500), (4999, 2500),
     (5000, 5000), (9999, 5000), (10_000, 10_000), (25_000, 25_000), (10**9, 10**9)],
)  # fmt: skip
def test_a_thousand_and_on_continues_with_1_2_5_and_5(total: int, level: int) -> None:
    assert highest(HOUSE.customers, total) == level


@given(st.integers(-10, 10**7), st.integers(0, 10**6))
def test_levels_never_fall_as_the_number_rises(total: int, more: int) -> None:
    for levels in (HOUSE.customers, HOUSE.api_calls, (1,), (3, 7), (70_000,)):
        assert highest(levels, total) <= max(total, 0)
        assert highest(levels, total) <= highest(levels, total + more)


@given(st.integers(0, 80), steps)
def test_any_ups_and_downs_tell_each_level_once_and_only_ever_higher_ones(start: int, moves: list[int]) -> None:
    numbers = list(accumulate(moves, lambda total, step: max(0, total + step), initial=start))
    told_values = values(told(Milestone.CUSTOMERS, numbers, seed({}, {Milestone.CUSTOMERS: start})))

    assert told_values == sorted(set(told_values))
    assert (max(told_values, default=0) > 0) == (highest(HOUSE.customers, max(numbers)) > start)
    assert all(start < value <= max(numbers) for value in told_values)


@given(steps, st.data())
def test_a_restart_in_between_tells_nothing_twice_and_loses_nothing(moves: list[int], data: st.DataObject) -> None:
    numbers = list(accumulate(moves, lambda total, step: max(0, total + step), initial=0))
    cut = data.draw(st.integers(0, len(numbers)))
    memory: Memory = {"licenses": 0}
    for number in numbers[:cut]:
        memory = reached(Milestone.LICENSES, number, AT, memory, Settings())[1]

    before = told(Milestone.LICENSES, numbers[:cut], {"licenses": 0})
    assert before + told(Milestone.LICENSES, numbers[cut:], memory) == told(
        Milestone.LICENSES, numbers, {"licenses": 0}
    )


@pytest.mark.parametrize("levels", [(), (0, 5), (5, 5), (10, 5), (-1,)])
def test_levels_out_of_order_are_refused_by_name(levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="customers must be positive numbers in ascending order"):
        Thresholds(customers=levels)


@given(st.integers(-10, 10**7))
def test_the_level_that_follows_is_the_first_that_would_be_reached(total: int) -> None:
    level = following(HOUSE.customers, total)

    assert level > total
    assert highest(HOUSE.customers, level) == level
    assert highest(HOUSE.customers, level - 1) <= max(0, total)


totals = st.builds(Totals, st.integers(0, 3000), st.just(0), st.integers(0, 3000), st.integers(0, 3000_00))
memories = st.dictionaries(st.sampled_from([*MEASURED, Milestone.API_CALLS]).map(str), st.integers(0, 2000))


@given(memories, st.lists(totals, max_size=30))
def test_a_lookout_tells_and_remembers_what_a_look_at_each_number_would(memory: Memory, ways: list[Totals]) -> None:
    lookout = MilestoneTracker(memory, Settings())
    seen = [event for standing in ways for event in lookout.look(standing, AT)]

    expected = []
    for standing in ways:
        for kind, number in measured(standing).items():
            event, memory = reached(kind, number, AT, memory, Settings())
            expected += [event] if event else []

    assert seen == expected
    assert lookout.memory == memory
