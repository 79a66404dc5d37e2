"""A number over days as a line: with the period before, goals, marks of events and bands of gaps."""

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from daemon.web.page.charts.axes import Box, Place, Scale, Tick, day_scale, day_ticks, value_scale, value_ticks

MAX_POINTS = 366
"""Longer spans are drawn as buckets of days, each by its last known day."""
MARK_GAP = 44.0
"""Distance at which two marks are drawn as one: 24 px where a phone shrinks the box."""
LABEL_ROOM = 16.0
"""Goals nearer to the upper edge have their name below the line."""


class Point(NamedTuple):
    """The number at the end of a day; None if it is unknown.

    `dashboard`: the dashboard counted it, by other rules, so it is not connected with a number of ours.
    """

    day: date
    value: float | None
    reconstructed: bool = False
    dashboard: bool = False


class Goal(NamedTuple):
    value: float
    name: str


class Mark(NamedTuple):
    """A day with events; `anchor` is the element that lists them."""

    day: date
    title: str
    anchor: str
    number: int = 1


class Band(NamedTuple):
    first: date
    last: date
    title: str


class Drawn(NamedTuple):
    """What a line chart shows. `previous` has the days of the current period that its numbers stand beside."""

    points: Sequence[Point]
    previous: Sequence[Point] = ()
    goals: Sequence[Goal] = ()
    marks: Sequence[Mark] = ()
    bands: Sequence[Band] = ()


class Stroke(NamedTuple):
    """Connected places; `kind` is current, reconstructed, dashboard or previous."""

    kind: str
    places: list[Place]


class GoalLine(NamedTuple):
    y: float
    name_y: float
    name: str


class MarkPlace(NamedTuple):
    """One mark, or several that are close together; `number` is that of the events."""

    x: float
    number: int
    title: str
    anchor: str


class BandPlace(NamedTuple):
    x: float
    width: float
    title: str


class LineChart(NamedTuple):
    """Places of everything; `places` are those of the known points, in order."""

    box: Box
    values: list[Tick]
    days: list[Tick]
    area: list[list[Place]]
    strokes: list[Stroke]
    goals: list[GoalLine]
    marks: list[MarkPlace]
    bands: list[BandPlace]
    places: list[tuple[Point, Place]]

    @property
    def starts_at_zero(self) -> bool:
        return self.values[0].value == 0


def resample(points: Sequence[Point]) -> list[Point]:
    """Return one point per day without gaps, or per bucket of days; the value is None where it is unknown."""
    known = sorted((point for point in points if point.value is not None), key=lambda point: point.day)
    if not known:
        return []
    last, span = known[-1].day, (known[-1].day - known[0].day).days + 1
    size = math.ceil(span / MAX_POINTS)
    newest = {(last - point.day).days // size: point for point in known}
    buckets = range((span - 1) // size, -1, -1)
    return [newest.get(number) or Point(last - timedelta(number * size), None) for number in buckets]


def line_chart(drawn: Drawn, box: Box = Box()) -> LineChart:  # noqa: B008 - a tuple
    """Return the chart of points on two days or more, in order."""
    first, last = drawn.points[0].day, drawn.points[-1].day
    previous = [point for point in drawn.previous if first <= point.day <= last]
    ticks = value_ticks([*_values(drawn.points), *_values(previous), *(goal.value for goal in drawn.goals)])
    across, up = day_scale(first, last, box), value_scale(ticks, box)
    runs = [_run(run, across, up) for run in _runs(drawn.points)]
    starts_at_zero = ticks[0] == 0
    return LineChart(
        box=box,
        values=[Tick(up.at(tick), tick) for tick in ticks],
        days=day_ticks(first, last, across),
        area=[_closed(run, box) for run in runs if starts_at_zero],
        strokes=[
            *(Stroke("previous", _run(run, across, up)) for run in _runs(previous)),
            *(Stroke(kind, _run(part, across, up)) for run in _runs(drawn.points) for kind, part in _parts(run)),
        ],
        goals=[_goal_line(goal, up, box) for goal in drawn.goals],
        marks=list(_fold([mark for mark in drawn.marks if first <= mark.day <= last], across)),
        bands=[_band(band, across, box) for band in drawn.bands if first <= band.last and band.first <= last],
        places=[(point, _place(point, across, up)) for point in drawn.points if point.value is not None],
    )


def _values(points: Sequence[Point]) -> Iterator[float]:
    return (point.value for point in points if point.value is not None)


def _runs(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the known points between unknown ones that were counted by the same rules."""
    for (is_known, _), run in groupby(points, lambda point: (point.value is not None, point.dashboard)):
        if is_known:
            yield list(run)


def _parts(run: list[Point]) -> Iterator[tuple[str, list[Point]]]:
    """Split a run where reconstructed days begin or end, with the kind of each stroke; the parts meet in a point."""
    if len(run) == 1:
        yield _kind(run[0]), run
        return
    for kind, group in groupby(pairwise(run), lambda step: _kind(*step)):
        pairs = list(group)
        yield kind, [pairs[0][0], *(after for _, after in pairs)]


def _kind(*points: Point) -> str:
    if points[0].dashboard:
        return "dashboard"
    return "reconstructed" if any(point.reconstructed for point in points) else "current"


def _run(points: Sequence[Point], across: Scale, up: Scale) -> list[Place]:
    """Return the places of known points; a single one twice, so that it is drawn as a dot."""
    places = [_place(point, across, up) for point in points]
    return places * 2 if len(places) == 1 else places


def _place(point: Point, across: Scale, up: Scale) -> Place:
    return Place(across.at(point.day.toordinal()), up.at(point.value or 0.0))


def _closed(run: list[Place], box: Box) -> list[Place]:
    return [Place(run[0].x, box.bottom), *run, Place(run[-1].x, box.bottom)]


def _goal_line(goal: Goal, up: Scale, box: Box) -> GoalLine:
    y = up.at(goal.value)
    return GoalLine(y, y - 5 if y - box.top > LABEL_ROOM else y + LABEL_ROOM, goal.name)


def _fold(marks: Sequence[Mark], across: Scale) -> Iterator[MarkPlace]:
    """Yield marks from left to right; one that is closer than `MARK_GAP` to the last is added to it."""
    open_mark: MarkPlace | None = None
    for mark in sorted(marks, key=lambda mark: mark.day):
        x = across.at(mark.day.toordinal())
        if open_mark is not None and x - open_mark.x < MARK_GAP:
            title = f"{open_mark.title}; {mark.title}"
            open_mark = open_mark._replace(number=open_mark.number + mark.number, title=title)
            continue
        if open_mark is not None:
            yield open_mark
        open_mark = MarkPlace(x, mark.number, mark.title, mark.anchor)
    if open_mark is not None:
        yield open_mark


def _band(band: Band, across: Scale, box: Box) -> BandPlace:
    """Return the part of a band inside the box; one of a single day is as wide as a day, at least 3."""
    day = max(3.0, across.at(across.low + 1) - box.left)
    start = min(max(across.at(band.first.toordinal()), box.left), box.right - day)
    end = min(max(across.at(band.last.toordinal()), start + day), box.right)
    return BandPlace(start, round(end - start, 1), band.title)
