"""Goals: reached once over any split into batches, and the pace towards them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.insights.goals import GoalTracker, Pace, PaceState, Progress, pace, seed
from rules.model.changes import Change
from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.privacy import rendering
from rules.rows import daily_note
from rules.settings import goals as goal_rules
from rules.settings.goals import Goal, GoalMetric
from rules.settings.settings import Settings
from tests.rules.histories import cuts, histories
from tests.rules.shop import Shop

AT = datetime(2026, 11, 26, 10, tzinfo=UTC)
TODAY = AT.date()
BY = date(2027, 3, 31)
FIELDS = {"mrr": "mrr_cents", "customers": "customers", "paying": "paying_customers", "licenses": "active_licenses"}


def goal(metric: str = "customers", value: int = 100, by: date = BY) -> Goal:
    return Goal(GoalMetric(metric), value, by)


def totals(metric: str, number: int) -> Totals:
    found = Totals()
    setattr(found, FIELDS[metric], number)
    return found


def followed(numbers: list[int], one: Goal, start: int = 0, memory: Memory | None = None) -> tuple[list[Event], Memory]:
    tracker = GoalTracker(memory or {}, totals(one.metric, start), Settings(goals=(one,)))
    events = [event for number in numbers for event in tracker.check(totals(one.metric, number), AT)]
    return events, tracker.memory


# The event


@pytest.mark.parametrize(
    ("metric", "value", "number", "text"),
    [
        ("mrr", 3000, 3000_00, "Obiettivo raggiunto: MRR a €3000!"),
        ("mrr", 25_000, 25_000_00, "Obiettivo raggiunto: MRR a 25 mila euro!"),
        ("mrr", 1_000_000, 1_000_000_00, "Obiettivo raggiunto: MRR a 1 milione di euro!"),
        ("customers", 100, 100, "Obiettivo raggiunto: clienti totali a 100!"),
        ("paying", 1, 1, "Obiettivo raggiunto: clienti paganti a 1!"),
        ("licenses", 41, 41, "Obiettivo raggiunto: licenze attive a 41!"),
    ],
)
def test_a_goal_is_reached_at_its_value_and_not_one_below(metric: str, value: int, number: int, text: str) -> None:
    one = goal(metric, value)
    assert followed([number - 1], one)[0] == []
    [event] = followed([number - 1, number, number + 1], one)[0]

    assert (event.type, event.at, event.key) == (EventType.MILESTONE_REACHED, AT, f"goal:{metric}:{value}")
    assert event.description == text
    assert event.metadata == {"goal_metric": metric, "goal_value": value, "goal_by": "2027-03-31"}
    assert daily_note.emoji(event.type, event.metadata, Settings()) == "🎯"
    stored = {"event_type": event.type.value, "metadata": event.metadata}
    assert rendering.of_numbers(stored, {}, Settings()) == text


def test_a_goal_configured_after_it_was_reached_emits_no_event() -> None:
    events, memory = followed([99, 150], goal(), start=120)

    assert (events, memory) == ([], {"goal:customers:100": 1})
    assert (
        followed([99, 150], goal(), start=99, memory=seed(totals("customers", 120), Settings(goals=(goal(),))))[0] == []
    )


def test_a_number_that_was_higher_before_the_goal_was_configured_reaches_it_again() -> None:
    assert len(followed([90, 100, 80, 130], goal(), start=85)[0]) == 1


@given(st.lists(st.integers(-40, 60), max_size=60), st.integers(0, 200), st.data())
def test_any_sequence_reaches_a_goal_at_most_once_over_any_split(
    moves: list[int], start: int, data: st.DataObject
) -> None:
    numbers = list(accumulate(moves, lambda number, step: max(0, number + step), initial=start))
    cut = data.draw(st.integers(0, len(numbers) - 1))
    before, memory = followed(numbers[: cut + 1], goal(), start)
    after, memory = followed(numbers[cut + 1 :], goal(), numbers[cut], memory)

    assert (before + after, memory) == followed(numbers, goal(), start)
    assert len(before + after) == (start < 100 <= max(numbers))


SMALL = tuple(goal(metric, value) for metric in FIELDS for value in (1, 2, 3))


@given(histories(), cuts(), st.integers(1, 3))
def test_any_split_of_a_history_into_batches_reaches_the_same_goals_once(
    history: list[Change], where: set[int], chunk: int
) -> None:
    alone = Shop(settings=Settings(goals=SMALL)).one_by_one(history)
    together = Shop(settings=Settings(goals=SMALL), chunk=chunk).follow(history, where)
    reached = [(event.key, event.at) for event in alone.events if event.key.startswith("goal:")]

    assert reached == [(event.key, event.at) for event in together.events if event.key.startswith("goal:")]
    assert len({key for key, _ in reached}) == len(reached)


# The pace


def progress(*ends: int, value: int = 100, by: date = BY, reached: date | None = None) -> Progress:
    """Return the progress of a number that was `ends` today, 30 days ago, 60 days ago and so on."""
    return Progress(goal("customers", value, by), ends[0], {30 * n: end for n, end in enumerate(ends)}, TODAY, reached)


def in_days(days: int) -> date:
    return TODAY + timedelta(days)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (progress(90, 80, 75, 70), Pace(PaceState.AHEAD, in_days(30), in_days(60))),
        (progress(70, 60, 59, 50), Pace(PaceState.ON_PACE, in_days(90), in_days(900))),
        (progress(50, 40, 35), Pace(PaceState.BEHIND, in_days(150), in_days(300))),
        (progress(90, 80, 85, 70), Pace(PaceState.ON_PACE, in_days(20), None)),
        (progress(60, 50, 55), Pace(PaceState.ON_PACE, in_days(120), None)),
        (progress(90, 90, 90), Pace(PaceState.FLAT)),
        (progress(80, 90, 90, 95), Pace(PaceState.FALLING)),
        (progress(90, 80), Pace(PaceState.INSUFFICIENT)),
        (progress(90), Pace(PaceState.INSUFFICIENT)),
        (progress(100, 50), Pace(PaceState.REACHED)),
        (progress(99, 50, 10, reached=TODAY), Pace(PaceState.SLIPPED)),
        (progress(99, 50, 10, by=in_days(-1)), Pace(PaceState.MISSED)),
        (progress(99, 98, 97, by=TODAY), Pace(PaceState.BEHIND, in_days(30), in_days(30))),
        (progress(1, 0, 0, value=10**9), Pace(PaceState.BEHIND, None, None)),
    ],
)
def test_the_pace_is_the_range_between_the_best_and_the_worst_of_three_spans(found: Progress, expected: Pace) -> None:
    assert pace(found) == expected


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=4),
    st.integers(1, 10**9),
    st.dates(date(2026, 1, 1), date(2030, 1, 1)),
)
def test_a_pace_is_never_later_at_its_soonest_and_silent_below_60_days(ends: list[int], value: int, by: date) -> None:
    found = progress(*ends, value=value, by=by)
    forecast = pace(found)

    if len(ends) < 3:
        assert forecast.soonest is forecast.latest is None
    if forecast.soonest and forecast.latest:
        assert TODAY < forecast.soonest <= forecast.latest
    if forecast.soonest:
        assert (forecast.soonest - TODAY).days * max(found.gains) >= found.rest * 30


def test_the_pace_that_is_needed_reaches_the_goal_in_time() -> None:
    assert progress(70, by=in_days(60)).needed == 15
    assert progress(70, by=in_days(61)).needed == 15
    assert progress(70, by=TODAY).needed == 900
    assert progress(70, by=in_days(-1)).needed is progress(100).needed is None


# The configuration


@pytest.mark.parametrize("value", [0, -1, goal_rules.MAX_VALUE + 1])
def test_a_goal_without_a_possible_value_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f"value must be a number from 1 to .*, got {value}"):
        goal(value=value)


def test_two_goals_of_one_metric_and_value_are_refused_and_so_are_too_many() -> None:
    other: Any = replace(goal(), by=BY + timedelta(1))
    with pytest.raises(ValueError, match="two goals have the metric 'customers' and the value 100"):
        goal_rules.check([goal(), other])
    with pytest.raises(ValueError, match="at most 20 goals, got 21"):
        goal_rules.check([goal(value=number) for number in range(1, 22)])
    goal_rules.check([goal(), goal("paying"), goal(value=101)])


def test_a_goal_reached_on_its_last_day_is_on_pace_and_at_the_soonest_before_it_ahead() -> None:
    def state(by: date, gain_now: int, gain_before: int) -> PaceState:
        earlier = {30: 100 - gain_now, 60: 100 - gain_now - gain_before}
        return pace(Progress(goal(value=130, by=by), 100, earlier, TODAY)).state

    assert state(TODAY + timedelta(30), 30, 30) is PaceState.AHEAD
    assert state(TODAY + timedelta(29), 30, 30) is PaceState.BEHIND
    assert state(TODAY + timedelta(30), 30, 15) is PaceState.ON_PACE
