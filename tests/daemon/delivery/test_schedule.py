"""State machine of a target: delays, order, parking, disabling, as properties of any history of outcomes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.delivery.channels.outcome import Outcome, OutcomeKind
from daemon.delivery.schedule import (
    LONGEST_RETRY_AFTER,
    MAX_PARKED,
    REFUSALS,
    REFUSED_FOR,
    State,
    Step,
    TargetState,
    after,
    pause,
    resume,
    retry,
)

START = datetime(2026, 11, 26, 9, tzinfo=UTC)
NEW = TargetState(State.ACTIVE, START)
DELIVERED = Outcome(OutcomeKind.DELIVERED)
FAILED = Outcome(OutcomeKind.FAILED, "HTTP 503 Service Unavailable", 503)
REFUSED = Outcome(OutcomeKind.REFUSED, "HTTP 422 Unprocessable Entity", 422)
GONE = Outcome(OutcomeKind.GONE, "HTTP 410 Gone", 410)

jitters = st.floats(-1, 1)
outcomes = st.sampled_from([DELIVERED, FAILED, REFUSED, GONE, FAILED._replace(retry_after_seconds=10**9)])
attempts = st.lists(st.tuples(outcomes, jitters, st.integers(0, 7200)), max_size=60)


def repeated(outcome: Outcome, times: int, jitter: float = 0) -> list[Step]:
    """Attempts with one outcome, each when it is due."""
    steps, at = [Step(NEW, is_passed=False)], START
    for _ in range(times):
        steps.append(after(steps[-1].target, outcome, at, jitter))
        at = steps[-1].target.next_attempt_at or at
    return steps[1:]


def test_a_failing_target_is_tried_after_5_s_30_s_2_min_10_min_30_min_and_then_hourly() -> None:
    times = [START, *(step.target.next_attempt_at or START for step in repeated(FAILED, 8))]
    waited = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]

    assert waited == [5, 30, 120, 600, 1800, 3600, 3600, 3600]
    assert repeated(FAILED, 8)[-1].target.attempts == 8


@pytest.mark.parametrize(("jitter", "seconds"), [(-1, 4), (0, 5), (0.5, 5.5), (1, 6)])
def test_the_jitter_is_a_fifth(jitter: float, seconds: float) -> None:
    assert after(NEW, FAILED, START, jitter).target.next_attempt_at == START + timedelta(seconds=seconds)


@pytest.mark.parametrize(("asked_for", "seconds"), [(1, 5), (900, 900), (86_400, 86_400), (10**12, 86_400)])
def test_a_longer_retry_after_is_heeded_up_to_a_day(asked_for: float, seconds: float) -> None:
    step = after(NEW, FAILED._replace(retry_after_seconds=asked_for), START, 0)

    assert step.target.next_attempt_at == START + timedelta(seconds=seconds)


def test_a_success_after_failures_sends_everything_that_waits_at_once() -> None:
    step = after(repeated(FAILED, 20)[-1].target, DELIVERED, START + timedelta(days=2), 0)

    assert step.target == TargetState(
        State.ACTIVE, START + timedelta(days=2), last_success_at=START + timedelta(days=2)
    )
    assert step.is_passed
    assert step.target.is_due(START + timedelta(days=2))


def test_a_message_is_parked_after_five_refusals_over_ten_minutes_and_the_next_one_is_due() -> None:
    steps = repeated(REFUSED, 5)

    assert [step.is_parked for step in steps] == [False] * 4 + [True]
    assert steps[-1].is_passed
    assert (steps[-1].target.state, steps[-1].target.parked) == (State.ACTIVE, 1)
    assert steps[-1].target.next_attempt_at is None


def test_refusals_within_less_than_ten_minutes_park_nothing() -> None:
    target = NEW
    for second in range(100):
        step = after(target, REFUSED, START + timedelta(seconds=second), 0)
        target = step.target
        assert not step.is_passed

    assert after(target, REFUSED, START + REFUSED_FOR, 0).is_parked


def test_refusals_of_one_message_do_not_count_for_the_next_one() -> None:
    target = repeated(REFUSED, 4)[-1].target
    target = after(target, DELIVERED, START + timedelta(hours=1), 0).target

    assert not after(target, REFUSED, START + timedelta(hours=2), 0).is_parked


def test_a_target_with_more_than_a_hundred_parked_messages_is_disabled() -> None:
    target, at, parked = NEW, START, 0
    while target.is_sending:
        step = after(target, REFUSED, at, 0)
        target, at = step.target, step.target.next_attempt_at or at
        parked += step.is_parked

    assert (target.state, parked) == (State.DISABLED, MAX_PARKED + 1)


def test_gone_disables_until_resumed() -> None:
    gone = after(NEW, GONE, START, 0)

    assert (gone.target.state, gone.is_passed, gone.target.last_error) == (State.DISABLED, False, "HTTP 410 Gone")
    assert not gone.target.is_due(START + timedelta(days=400))
    assert resume(gone.target, START).is_due(START)


@given(attempts)
def test_any_history_keeps_the_rules(history: list[tuple[Outcome, float, int]]) -> None:
    target, at = NEW, START
    for outcome, jitter, seconds in history:
        at += timedelta(seconds=seconds)
        before, (target, is_passed, is_parked) = target, after(target, outcome, at, jitter)

        assert is_passed == (outcome.kind is OutcomeKind.DELIVERED or is_parked)
        assert (target.attempts, target.refusals.number) == (0, 0) if is_passed else target.attempts > before.attempts
        assert target.since == (before.since if target.state is before.state else at)
        assert target.next_attempt_at is None or at < target.next_attempt_at <= at + LONGEST_RETRY_AFTER
        assert target.parked == before.parked + is_parked <= MAX_PARKED + 1
        if is_parked:
            assert before.refusals.number + 1 >= REFUSALS
            assert before.refusals.since is not None
            assert at - before.refusals.since >= REFUSED_FOR
        if not before.is_sending:
            assert target.state in (before.state, State.DISABLED)
        elif outcome.kind is OutcomeKind.FAILED:
            assert target.state is State.FAILING


@given(attempts, jitters)
def test_a_target_paused_during_an_attempt_stays_paused_except_when_it_is_gone(
    history: list[tuple[Outcome, float, int]], jitter: float
) -> None:
    paused = pause(NEW, START)
    for outcome, _, seconds in history:
        state = after(paused, outcome, START + timedelta(seconds=seconds), jitter).target.state

        assert state is (State.DISABLED if outcome.kind is OutcomeKind.GONE else State.PAUSED)


def test_retry_makes_the_next_message_due_and_forgets_the_parked_ones() -> None:
    waiting = repeated(FAILED, 6)[-1].target._replace(parked=3)

    assert not waiting.is_due(START)
    assert retry(waiting).is_due(START)
    assert retry(waiting).parked == 0
    assert retry(pause(waiting, START)).state is State.PAUSED
