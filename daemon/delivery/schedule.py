"""State of a target and the time of its next attempt. Pure: time and jitter are arguments.

    active -- failure --> failing -- success --> active
    any -- 410, or more than 100 parked messages --> disabled -- resume --> active
    any -- pause --> paused -- resume --> active

The schedule belongs to the target, not to a message, so that all messages arrive in order: when a receiver is back,
everything that waits is sent at once. Only a message that is refused as such is parked, and passed over.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from daemon.delivery.channels.outcome import Outcome, OutcomeKind

DELAYS = (*(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800)), timedelta(hours=1))
"""Delays after the first, second, ... failure; the last one is repeated."""
JITTER = 0.2
"""Share by which a delay is shortened or extended."""
LONGEST_RETRY_AFTER = timedelta(hours=24)

REFUSALS = 5
REFUSED_FOR = timedelta(minutes=10)
"""A message is parked after so many refusals over at least this time."""
MAX_PARKED = 100


class State(StrEnum):
    ACTIVE = "active"
    FAILING = "failing"
    DISABLED = "disabled"
    PAUSED = "paused"


class Refusals(NamedTuple):
    """Refusals of the message that is tried now: their number, and the time of the first one."""

    number: int = 0
    since: datetime | None = None


class TargetState(NamedTuple):
    """State of a target, as stored. `attempts` counts failures in a row; `parked` the messages passed over."""

    state: State
    since: datetime
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str = ""
    refusals: Refusals = Refusals()
    parked: int = 0

    @property
    def is_sending(self) -> bool:
        return self.state in (State.ACTIVE, State.FAILING)

    def is_due(self, at: datetime) -> bool:
        """Return whether a waiting message may be sent now."""
        return self.is_sending and (self.next_attempt_at is None or self.next_attempt_at <= at)


class Step(NamedTuple):
    """State after an attempt; `is_passed`: go on to the next message; `is_parked`: because this one was parked."""

    target: TargetState
    is_passed: bool
    is_parked: bool = False


def after(target: TargetState, outcome: Outcome, at: datetime, jitter: float) -> Step:
    """Return what follows from an attempt at `at`; `jitter` is a random number from -1 to 1."""
    match outcome.kind:
        case OutcomeKind.DELIVERED:
            return Step(_succeeded(target, at), is_passed=True)
        case OutcomeKind.GONE:
            return Step(_stopped(_failed(target, outcome, at, jitter), State.DISABLED, at), is_passed=False)
        case OutcomeKind.REFUSED:
            return _refused(target, outcome, at, jitter)
        case OutcomeKind.FAILED:
            return Step(_failed(target, outcome, at, jitter), is_passed=False)


def _succeeded(target: TargetState, at: datetime) -> TargetState:
    return _reachable(target, at)._replace(last_success_at=at, last_error="")


def _reachable(target: TargetState, at: datetime) -> TargetState:
    """Return the target ready for the next message; a target that was stopped meanwhile stays so."""
    ready = target._replace(attempts=0, next_attempt_at=None, refusals=Refusals())
    return _in_state(ready, State.ACTIVE, at) if target.is_sending else ready


def _failed(target: TargetState, outcome: Outcome, at: datetime, jitter: float) -> TargetState:
    delay = DELAYS[min(target.attempts, len(DELAYS) - 1)] * (1 + JITTER * jitter)
    asked_for = min(timedelta(seconds=outcome.retry_after_seconds), LONGEST_RETRY_AFTER)
    waiting = target._replace(
        attempts=target.attempts + 1, next_attempt_at=at + max(delay, asked_for), last_error=outcome.problem
    )
    return _in_state(waiting, State.FAILING, at) if target.is_sending else waiting


def _refused(target: TargetState, outcome: Outcome, at: datetime, jitter: float) -> Step:
    refusals = Refusals(target.refusals.number + 1, target.refusals.since or at)
    if refusals.number < REFUSALS or at - (refusals.since or at) < REFUSED_FOR:
        return Step(_failed(target, outcome, at, jitter)._replace(refusals=refusals), is_passed=False)
    parked = _reachable(target, at)._replace(parked=target.parked + 1, last_error=outcome.problem)
    if parked.parked > MAX_PARKED:
        parked = _stopped(parked, State.DISABLED, at)
    return Step(parked, is_passed=True, is_parked=True)


def pause(target: TargetState, at: datetime) -> TargetState:
    return _stopped(target, State.PAUSED, at)


def resume(target: TargetState, at: datetime) -> TargetState:
    """Return the target active again, whatever it was; its next message is due at once."""
    ready = target._replace(attempts=0, next_attempt_at=None, refusals=Refusals())
    return _in_state(ready, State.ACTIVE, at)


def retry(target: TargetState) -> TargetState:
    """Return the target with its next message due now and no parked messages: the caller sends those again."""
    return target._replace(next_attempt_at=None, refusals=Refusals(), parked=0)


def _stopped(target: TargetState, state: State, at: datetime) -> TargetState:
    return _in_state(target._replace(next_attempt_at=None), state, at)


def _in_state(target: TargetState, state: State, at: datetime) -> TargetState:
    return target if target.state is state else target._replace(state=state, since=at)
