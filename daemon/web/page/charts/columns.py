"""Amounts by month and kind as stacked columns: gains above the axis, losses below it."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from daemon.web.page import texts
from daemon.web.page.charts.axes import Box, Scale, Tick, axis_ticks, value_scale
from rules.model.ledger import MovementKind

MAX_MONTHS, MIN_MONTHS = 12, 6
POSITIVE = (MovementKind.NEW, MovementKind.REACTIVATION, MovementKind.EXPANSION)
NEGATIVE = (MovementKind.CONTRACTION, MovementKind.CHURN)
SHOWN_KINDS = (*POSITIVE, *NEGATIVE)
MARGIN = 0.15
"""The share of a month's width that is empty on each side of its column."""

Months = Mapping[date, Mapping[MovementKind, int]]


class Bar(NamedTuple):
    kind: MovementKind
    month: date
    cents: int
    x: float
    y: float
    width: float
    height: float


class Part(NamedTuple):
    """A part of a stack from `low` to `high`, in cents."""

    kind: MovementKind
    cents: int
    low: int
    high: int


class ColumnChart(NamedTuple):
    """Places of all bars; `months` has the middle of each column."""

    box: Box
    values: list[Tick]
    months: list[Tick]
    bars: list[Bar]


def recent_months(months: Months, today: date) -> list[date]:
    """Return the months to show, up to `today`: from the first with a movement, within MIN_MONTHS and MAX_MONTHS.

    Empty if there are no movements.
    """
    if not months:
        return []
    found = [today.replace(day=1)]
    while len(found) < MIN_MONTHS or (len(found) < MAX_MONTHS and found[0] > min(months)):
        found.insert(0, (found[0] - timedelta(1)).replace(day=1))
    return found


def column_chart(months: Months, shown: Sequence[date], box: Box = Box()) -> ColumnChart:  # noqa: B008 - a tuple
    stacks = [_stack(months.get(month, {})) for month in shown]
    edges = [0, *(edge for stack in stacks for part in stack for edge in (part.low, part.high))]
    ticks = axis_ticks(min(edges) / 100, max(edges) / 100)
    up, across = value_scale(ticks, box), Scale(0, len(shown), box.left, box.right)
    return ColumnChart(
        box,
        [Tick(up.at(tick), tick) for tick in ticks],
        [Tick(across.at(place + 0.5), place, texts.short_month(month)) for place, month in enumerate(shown)],
        [
            _bar(month, part, across.at(place + MARGIN), round(across.at(1 - MARGIN) - across.at(MARGIN), 1), up)
            for place, (month, stack) in enumerate(zip(shown, stacks, strict=True))
            for part in stack
        ],
    )


def _stack(amounts: Mapping[MovementKind, int]) -> list[Part]:
    """Return the parts of one month: gains upwards from zero, losses downwards."""
    parts = []
    for kinds in (POSITIVE, NEGATIVE):
        end = 0
        for kind in kinds:
            cents = amounts.get(kind, 0)
            if cents:
                parts.append(Part(kind, cents, min(end, end + cents), max(end, end + cents)))
                end += cents
    return parts


def _bar(month: date, part: Part, x: float, width: float, up: Scale) -> Bar:
    y, bottom = up.at(part.high / 100), up.at(part.low / 100)
    return Bar(part.kind, month, part.cents, x, y, width, round(bottom - y, 1))
