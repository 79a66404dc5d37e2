"""Milestones: a number passes a level for the first time in its life.

Remembered is the highest number ever seen of each kind, not the level: so down and up again is silence, and
so is a level that is added to the configuration after it was passed.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings.catalog import Texts, render
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

KEY = "milestone:"
"""What the natural keys of milestones begin with."""


class Milestone(StrEnum):
    """What is counted, by the dashboard's `milestone_type`. MRR is in whole euros, API calls are a day's."""

    CUSTOMERS = "customers"
    LICENSES = "licenses"
    MRR = "mrr"
    API_CALLS = "api_calls"


MEASURED = (Milestone.CUSTOMERS, Milestone.LICENSES, Milestone.MRR)
"""Those of the running totals, in the order they are looked at."""


def measured(totals: Totals) -> dict[Milestone, int]:
    """The numbers of the running totals that have milestones."""
    return dict(zip(MEASURED, _heights(totals), strict=True))


def _heights(totals: Totals) -> tuple[int, int, int]:
    return totals.customers, totals.active_licenses, totals.mrr_cents // 100


class MilestoneTracker:
    """Looks at the running totals while they rise, and speaks at the next level of each: cheap in between."""

    def __init__(self, memory: Memory, settings: Settings) -> None:
        self.settings = settings
        self._remember(memory)

    def _remember(self, memory: Memory) -> None:
        self._memory = memory
        self._peaks = [_peak(memory, kind) for kind in MEASURED]
        levels = (_levels(kind, self.settings.thresholds) for kind in MEASURED)
        self._next = [0 if peak is None else following(ls, peak) for ls, peak in zip(levels, self._peaks, strict=True)]

    def look(self, totals: Totals, at: datetime) -> Iterator[Event]:
        """The milestones that the totals reach now."""
        for place, total in enumerate(_heights(totals)):
            peak = self._peaks[place]
            if total >= self._next[place]:
                event, memory = reached(MEASURED[place], total, at, self.memory, self.settings)
                self._remember(memory)
                if event is not None:
                    yield event
            elif peak is None or total > peak:
                self._peaks[place] = total

    @property
    def memory(self) -> Memory:
        """What is to be remembered of all that was seen so far."""
        peaks = zip(MEASURED, self._peaks, strict=True)
        return {**self._memory, **{kind.value: peak for kind, peak in peaks if peak is not None}}


def seed(memory: Memory, totals: Mapping[Milestone, int]) -> dict[str, int | str]:
    """The memory that has passed all of `totals` in silence: for a first start over an old database."""
    raised = {kind.value: max(total, _peak(memory, kind) or 0) for kind, total in totals.items()}
    return {**memory, **raised}


def reached(
    kind: Milestone, total: int, at: datetime, memory: Memory, settings: Settings
) -> tuple[Event | None, Memory]:
    """The milestone that `total` reaches, if it is new, and the next memory (key: the kind, value: its peak).

    A jump over several levels reports the highest. A kind that was never seeded is seeded, in silence.
    """
    peak = _peak(memory, kind)
    if peak is not None and total <= peak:
        return None, memory
    following = {**memory, kind.value: total}
    level = highest(_levels(kind, settings.thresholds), total)
    if peak is None or level <= peak:
        return None, following
    return _event(kind, level, at, settings.texts), following


def highest(levels: tuple[int, ...], total: int) -> int:
    """The highest level that `total` has reached, 0 if none; beyond the list 1, 2.5 and 5 times ten goes on."""
    if total < levels[-1]:
        place = bisect_right(levels, total)
        return levels[place - 1] if place else 0
    ten: int = 10 ** (len(str(total)) - 1)
    beyond = max(step for step in (ten, ten * 5 // 2, ten * 5) if step <= total)
    return max(beyond, levels[-1])


def following(levels: tuple[int, ...], total: int) -> int:
    """The lowest level above `total`."""
    if total < levels[-1]:
        return levels[bisect_right(levels, total)]
    ten: int = 10 ** (len(str(total)) - 1)
    return min(step for step in (ten, ten * 5 // 2, ten * 5, ten * 10) if step > total)


def is_passed(key: str, memory: Memory) -> bool:
    """Whether the milestone with this key was reached, or passed in silence."""
    kind, _, level = key.removeprefix(KEY).rpartition(":")
    peak = memory.get(kind)
    return isinstance(peak, int) and peak >= int(level)


def _peak(memory: Memory, kind: Milestone) -> int | None:
    peak = memory.get(kind.value)
    return peak if isinstance(peak, int) else None


def _levels(kind: Milestone, thresholds: Thresholds) -> tuple[int, ...]:
    if kind is Milestone.CUSTOMERS:
        return thresholds.customers
    if kind is Milestone.LICENSES:
        return thresholds.licenses
    return thresholds.mrr_euros if kind is Milestone.MRR else thresholds.api_calls


def _event(kind: Milestone, level: int, at: datetime, texts: Texts) -> Event:
    return Event(
        key=f"{KEY}{kind}:{level}",
        type=EventType.MILESTONE_REACHED,
        at=at,
        description=render(texts, f"milestone_{kind}", value=level),
        metadata={"milestone_type": kind.value, "milestone_value": level},
    )
