"""Milestones: a number passes a level for the first time in its life.

Remembered is the highest number ever seen of each kind, not the level: so down and up again is silence, and
so is a level that is added to the configuration after it was passed.
"""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from rules.catalogue import Texts, say
from rules.model import Event, EventType, Totals
from rules.settings import Settings
from rules.thresholds import Memory, Thresholds

KEY = "milestone:"
"""What the natural keys of milestones begin with."""


class Milestone(StrEnum):
    """What is counted, by the dashboard's `milestone_type`. MRR is in whole euros, API calls are a day's."""

    CUSTOMERS = "customers"
    LICENSES = "licenses"
    MRR = "mrr"
    API_CALLS = "api_calls"


def measured(totals: Totals) -> dict[Milestone, int]:
    """The numbers of the running totals that have milestones."""
    return {
        Milestone.CUSTOMERS: totals.customers,
        Milestone.LICENSES: totals.active_licenses,
        Milestone.MRR: totals.mrr_cents // 100,
    }


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
        description=say(texts, f"milestone_{kind}", value=level),
        metadata={"milestone_type": kind.value, "milestone_value": level},
    )
