"""Axes of the charts: the box, round ticks of values, and the days that are written below."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from daemon.web.page import texts

LABELS = 5
LONG_DAYS = 180
FLAT_RATIO = 0.6
"""If the minimum is above this share of the maximum, the axis starts at the minimum, so that movement is visible."""


class Box(NamedTuple):
    """The size of a drawing, and the edges of the part inside the axes. The style sheet scales it to the page."""

    width: int = 640
    height: int = 260
    left: int = 96
    right: int = 614
    top: int = 18
    bottom: int = 222


class Place(NamedTuple):
    x: float
    y: float


class Tick(NamedTuple):
    """A place on an axis, with what is written there: a value or a text."""

    at: float
    value: float
    text: str = ""


class Scale(NamedTuple):
    """Maps values from `low` to `high` to places from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def value_ticks(values: Sequence[float]) -> list[float]:
    """Return ticks that cover `values` (not empty), from zero unless they hardly differ."""
    low, high = min(values), max(values)
    return axis_ticks(low if low > FLAT_RATIO * high else min(0.0, low), high)


def axis_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round axis ticks that cover `low` to `high`, in steps of 1, 2 or 5 times a power of ten, at least 1."""
    rough = max(high - low, abs(high) * 0.02, count) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def value_scale(ticks: Sequence[float], box: Box) -> Scale:
    return Scale(ticks[0], ticks[-1], box.bottom, box.top)


def day_scale(first: date, last: date, box: Box) -> Scale:
    """Return the scale of the ordinals of days from `first` to `last`, a later one."""
    return Scale(first.toordinal(), last.toordinal(), box.left, box.right)


def day_ticks(first: date, last: date, scale: Scale) -> list[Tick]:
    """Return about `LABELS` ticks that end with the last day: days for a short span, months for a long one."""
    span = (last - first).days
    every = max(1, math.ceil((span + 1) / LABELS))
    days = [last - timedelta(ago) for ago in range(0, span + 1, every)]
    is_long = span > LONG_DAYS
    return [
        Tick(
            scale.at(day.toordinal()),
            day.toordinal(),
            texts.short_month(day, with_year=True) if is_long else f"{day:%d/%m}",
        )
        for day in reversed(days)
    ]
