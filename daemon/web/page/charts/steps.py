"""An amount that changes in steps, over time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from daemon.web.page.charts.axes import Box, Place, Scale, Tick, axis_ticks, day_scale, day_ticks, value_scale
from rules import business_days

BOX = Box(height=160, bottom=124)
DAY = timedelta(days=1)


class Level(NamedTuple):
    """The amount in cents from an instant (local time) on."""

    at: datetime
    cents: int


class StepChart(NamedTuple):
    """Places of the line, and of the begin of each level."""

    box: Box
    values: list[Tick]
    days: list[Tick]
    line: list[Place]
    area: list[Place]
    places: list[Place]


def step_chart(levels: Sequence[Level], end: datetime, box: Box = BOX) -> StepChart | None:
    """Return the chart of levels, oldest first, up to `end`; None if they do not span two days."""
    if not levels or levels[0].at.date() >= end.date():
        return None
    ticks = axis_ticks(min(0, *(level.cents / 100 for level in levels)), max(level.cents / 100 for level in levels), 2)
    across, up = day_scale(levels[0].at.date(), end.date() + business_days.ONE_DAY, box), value_scale(ticks, box)
    places = [Place(_at(level.at, across), up.at(level.cents / 100)) for level in levels]
    line = list(_corners([*places, Place(_at(end, across), places[-1].y)]))
    bottom = up.at(max(ticks[0], 0))
    return StepChart(
        box=box,
        values=[Tick(up.at(tick), tick) for tick in ticks],
        days=day_ticks(levels[0].at.date(), end.date(), across),
        line=line,
        area=[Place(line[0].x, bottom), *line, Place(line[-1].x, bottom)],
        places=places,
    )


def _at(at: datetime, across: Scale) -> float:
    return across.at(at.toordinal() + (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) / DAY)


def _corners(places: Sequence[Place]) -> Iterator[Place]:
    """Yield the places of a line that goes to the right and then up or down."""
    for before, after in pairwise(places):
        yield before
        if before.y != after.y:
            yield Place(after.x, before.y)
    yield places[-1]
