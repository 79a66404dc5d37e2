"""Milestones: a number reaches a level for the first time ever.

The memory holds the highest number ever seen of each kind, not the level. So a fall and a new rise emit no event, nor
does a level that is added to the configuration after it was reached.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings import catalog
from rules.settings.catalog import Texts
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

KEY = "milestone:"
"""Prefix of the natural keys of milestones."""


class Milestone(StrEnum):
    """The kinds, by the dashboard's `milestone_type`. MRR is in whole euros, API calls are those of one day."""

    CUSTOMERS = "customers"
    LICENSES = "licenses"
    MRR = "mrr"
    API_CALLS = "api_calls"


TOTALS_MILESTONES = (Milestone.CUSTOMERS, Milestone.LICENSES, Milestone.MRR)
"""The kinds computed from the running totals, in order of evaluation."""


def milestone_values(totals: Totals) -> dict[Milestone, int]:
    """Return the numbers of the running totals that have milestones."""
    return dict(zip(TOTALS_MILESTONES, _values(totals), strict=True))


def _values(totals: Totals) -> tuple[int, int, int]:
    return totals.customers, totals.active_licenses, totals.mrr_cents // 100


class MilestoneTracker:
    """Emits milestones of the running totals; each check only compares with the next level of each kind."""

    def __init__(self, memory: Memory, settings: Settings) -> None:
        self.settings = settings
        self._set_memory(memory)

    def _set_memory(self, memory: Memory) -> None:
        self._memory = memory
        self._peaks = [_peak(memory, kind) for kind in TOTALS_MILESTONES]
        levels = (_levels(kind, self.settings.thresholds) for kind in TOTALS_MILESTONES)
        self._next = [0 if peak is None else next_level(ls, peak) for ls, peak in zip(levels, self._peaks, strict=True)]

    def check(self, totals: Totals, at: datetime) -> Iterator[Event]:
        """Yield the milestones that the totals reach at `at`."""
        for place, total in enumerate(_values(totals)):
            peak = self._peaks[place]
            if total >= self._next[place]:
                event, memory = reached(TOTALS_MILESTONES[place], total, at, self.memory, self.settings)
                self._set_memory(memory)
                if event is not None:
                    yield event
            elif peak is None or total > peak:
                self._peaks[place] = total

    @property
    def memory(self) -> Memory:
        """The next memory, with the peaks of all totals checked so far."""
        peaks = zip(TOTALS_MILESTONES, self._peaks, strict=True)
        return {**self._memory, **{kind.value: peak for kind, peak in peaks if peak is not None}}


def seed(memory: Memory, totals: Mapping[Milestone, int]) -> dict[str, int | str]:
    """Return the memory with `totals` as peaks, without events: for a first start on an existing database."""
    raised = {kind.value: max(total, _peak(memory, kind) or 0) for kind, total in totals.items()}
    return {**memory, **raised}


def reached(
    kind: Milestone, total: int, at: datetime, memory: Memory, settings: Settings
) -> tuple[Event | None, Memory]:
    """Return the milestone that `total` reaches, if it is new, and the next memory (key: the kind, value: its peak).

    A jump over several levels emits only the highest. A kind without a peak is seeded without an event.
    """
    peak = _peak(memory, kind)
    if peak is not None and total <= peak:
        return None, memory
    following = {**memory, kind.value: total}
    level = highest_level(_levels(kind, settings.thresholds), total)
    if peak is None or level <= peak:
        return None, following
    return _event(kind, level, at, settings.texts), following


def highest_level(levels: tuple[int, ...], total: int) -> int:
    """Return the highest level reached, 0 if none; after the list levels are 1, 2.5 and 5 times a power of ten."""
    if total < levels[-1]:
        place = bisect_right(levels, total)
        return levels[place - 1] if place else 0
    ten: int = 10 ** (len(str(total)) - 1)
    beyond = max(step for step in (ten, ten * 5 // 2, ten * 5) if step <= total)
    return max(beyond, levels[-1])


def next_level(levels: tuple[int, ...], total: int) -> int:
    """Return the lowest level above `total`."""
    if total < levels[-1]:
        return levels[bisect_right(levels, total)]
    ten: int = 10 ** (len(str(total)) - 1)
    return min(step for step in (ten, ten * 5 // 2, ten * 5, ten * 10) if step > total)


def is_passed(key: str, memory: Memory) -> bool:
    """Return whether the milestone with this key was reached, with or without an event."""
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
        description=catalog.milestone(kind, level, texts),
        metadata={"milestone_type": kind.value, "milestone_value": level},
    )
