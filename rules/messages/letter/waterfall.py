"""The waterfall of a month: start, movements and end of MRR as bars on one scale."""

from collections.abc import Sequence
from typing import NamedTuple

WIDTH = 1000
MIN_BAR = 4
"""Width of the bar of a small amount, so that it is visible."""
MIN_MOVED = 0.2
"""If the levels move by less than this share of the highest one, the scale does not begin at zero."""


class Step(NamedTuple):
    """A line: `cents` is a level for the first and the last line, else a change. `kind` is its name."""

    kind: str
    cents: int


class Bar(NamedTuple):
    """A bar on a scale from 0 to `WIDTH`."""

    x: int
    width: int


class Waterfall(NamedTuple):
    """A bar for each step; `is_cut`: the scale does not begin at zero."""

    bars: tuple[Bar, ...]
    is_cut: bool


def waterfall(steps: Sequence[Step]) -> Waterfall:
    """Return the bars of a start, changes, and an end."""
    spans = list(_spans(steps))
    levels = [level for low, high in spans[1:-1] for level in (low, high)] + [steps[0].cents, steps[-1].cents]
    lowest, highest = min(levels), max(levels)
    is_cut = lowest > 0 and highest - lowest < MIN_MOVED * highest
    base = max(0, lowest - max(highest - lowest, highest // 10)) if is_cut else min(0, lowest)
    scale = WIDTH / max(1, max(highest, 0) - base)
    return Waterfall(tuple(_bar(low, high, base, scale) for low, high in spans), is_cut)


def _spans(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """Return the lower and the upper level of each step."""
    level, found = steps[0].cents, [_ordered(0, steps[0].cents)]
    for step in steps[1:-1]:
        found.append(_ordered(level, level + step.cents))
        level += step.cents
    return [*found, _ordered(0, steps[-1].cents)]


def _ordered(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _bar(low: int, high: int, base: int, scale: float) -> Bar:
    """Return a bar inside the scale; no bar for a change of zero."""
    if low == high:
        return Bar(0, 0)
    start, end = (round((max(level, base) - base) * scale) for level in (low, high))
    width = max(MIN_BAR, end - start)
    return Bar(min(start, WIDTH - width), width)
