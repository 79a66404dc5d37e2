"""Goals: the event when one is reached, and the pace towards it.

The memory holds for each goal whether it was reached. A goal that is configured after the number reached it emits no
event, and neither does a fall and a new rise.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings.catalog import Texts
from rules.settings.goal_texts import goal_reached
from rules.settings.goals import Goal, amount_of
from rules.settings.settings import Settings

SPAN_DAYS, SPANS, LEAST_SPANS = 30, 3, 2
LEAST_DAYS = SPAN_DAYS * LEAST_SPANS
FARTHEST = timedelta(days=3650)
"""No forecast goes beyond."""


class GoalTracker:
    """Emits the goals that the totals reach. `totals` are those before the first check."""

    def __init__(self, memory: Memory, totals: Totals, settings: Settings) -> None:
        self._settings = settings
        self._is_reached = {
            goal.key: bool(memory.get(goal.key, amount_of(goal.metric, totals) >= goal.amount))
            for goal in settings.goals
        }

    def check(self, totals: Totals, at: datetime) -> Iterator[Event]:
        """Yield the goals that the totals reach at `at`."""
        for goal in self._settings.goals:
            if not self._is_reached[goal.key] and amount_of(goal.metric, totals) >= goal.amount:
                self._is_reached[goal.key] = True
                yield _event(goal, at, self._settings.texts)

    @property
    def memory(self) -> Memory:
        """The next memory; it forgets goals that are no longer configured."""
        return {key: int(reached) for key, reached in self._is_reached.items()}


def seed(totals: Totals, settings: Settings) -> Memory:
    """Return the memory after a first start on an existing database, without events for goals that are reached."""
    return GoalTracker({}, totals, settings).memory


def _event(goal: Goal, at: datetime, texts: Texts) -> Event:
    return Event(
        key=goal.key,
        type=EventType.MILESTONE_REACHED,
        at=at,
        description=goal_reached(goal.metric, goal.value, texts),
        metadata={"goal_metric": goal.metric.value, "goal_value": goal.value, "goal_by": goal.by.isoformat()},
    )


class PaceState(StrEnum):
    """Where a goal stands; `INSUFFICIENT`: there are too few days for a forecast."""

    REACHED = "reached"
    SLIPPED = "slipped"
    MISSED = "missed"
    INSUFFICIENT = "insufficient"
    FALLING = "falling"
    FLAT = "flat"
    AHEAD = "ahead"
    ON_PACE = "on_pace"
    BEHIND = "behind"


class Progress(NamedTuple):
    """The number of a goal's metric today, and at the end of earlier days by age in days, where they are known.

    MRR is in cents. `reached` is the day on which the goal was reached first.
    """

    goal: Goal
    amount: int
    earlier: Mapping[int, int]
    today: date
    reached: date | None = None

    @property
    def rest(self) -> int:
        return self.goal.amount - self.amount

    @property
    def gains(self) -> list[int]:
        """The gains of the last spans of 30 days, newest first, as far back as they are known."""
        ends = [self.amount]
        for number in range(1, SPANS + 1):
            before = self.earlier.get(number * SPAN_DAYS)
            if before is None:
                break
            ends.append(before)
        return [after - before for after, before in pairwise(ends)]

    @property
    def known_days(self) -> int:
        return max(self.earlier, default=0)

    @property
    def needed(self) -> int | None:
        """The gain per 30 days that reaches the goal in time, rounded up; None if it is too late or reached."""
        left = (self.goal.by - self.today).days
        return None if left < 0 or self.rest <= 0 else -(-self.rest * SPAN_DAYS // max(left, 1))


class Pace(NamedTuple):
    """A forecast as a range of days; `latest` is None if the worst span gained nothing, `soonest` if none did."""

    state: PaceState
    soonest: date | None = None
    latest: date | None = None


def pace(progress: Progress) -> Pace:
    """Return when the goal is reached if the next spans are like the best or the worst of the last ones."""
    settled = _settled(progress)
    if settled is not None:
        return Pace(settled)
    gains = progress.gains
    if len(gains) < LEAST_SPANS:
        return Pace(PaceState.INSUFFICIENT)
    if max(gains) <= 0:
        return Pace(PaceState.FALLING if sum(gains) < 0 else PaceState.FLAT)
    soonest, latest = (_forecast(progress, gain) for gain in (max(gains), min(gains)))
    return Pace(_compared(soonest, latest, progress.goal.by), soonest, latest)


def _settled(progress: Progress) -> PaceState | None:
    if progress.rest <= 0:
        return PaceState.REACHED
    if progress.reached is not None:
        return PaceState.SLIPPED
    return PaceState.MISSED if progress.today > progress.goal.by else None


def _forecast(progress: Progress, gain: int) -> date | None:
    """Return the day on which the rest is gained, at `gain` per span; None if never, or too far away."""
    if gain <= 0:
        return None
    days = -(-progress.rest * SPAN_DAYS // gain)
    return progress.today + timedelta(days) if days <= FARTHEST.days else None


def _compared(soonest: date | None, latest: date | None, by: date) -> PaceState:
    if soonest is None or soonest > by:
        return PaceState.BEHIND
    return PaceState.AHEAD if latest is not None and latest <= by else PaceState.ON_PACE
