"""One number over time, as a chart and as the table that the chart's script reads."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from daemon.mongo.types import ReadOnlyDocument
from daemon.store import rows as row_store
from daemon.web import goal_progress
from daemon.web.page import addresses, texts, trend_texts
from daemon.web.page.charts import goals, marks
from daemon.web.page.charts.lines import Drawn, LineChart, Point, line_chart, resample
from daemon.web.page.charts.marks import MarkedDay
from daemon.web.page.charts.metrics import METRICS, Metric
from daemon.web.page.snapshot import Snapshot
from rules.rows.row import are_comparable, is_comparable
from rules.settings import italian

View = dict[str, Any]
AROUND = timedelta(marks.COMPARED_DAYS + 1)
"""Days before the first one that the customers around its mark are compared with."""


class Wanted(NamedTuple):
    """What to show: `days` up to today (None: all), and whether the same number of days before is drawn too."""

    metric: Metric = METRICS["mrr"]
    days: int | None = 30
    compares: bool = False


class NumberRow(NamedTuple):
    """A row of the table below a chart; `x` and `y` are the place in the chart.

    `address` leads to the explanation of the value, or to the day if the ledger does not have it; `previous_address` to
    that of the day before by a period, "" if its value is unknown.
    """

    address: str
    day: str
    value: str
    previous: str
    previous_address: str
    x: float
    y: float


class History(NamedTuple):
    """A chart with its table; `chart` is None for fewer than two days."""

    metric: Metric
    chart: LineChart | None
    rows: list[NumberRow]
    summary: str
    has_previous: bool
    has_reconstructed: bool
    has_dashboard: bool
    marked: list[MarkedDay]
    goals: list[goals.GoalText]


def history(snapshot: Snapshot, wanted: Wanted) -> History:
    """Return the history of a number up to today, with the events, gaps and goals of the time."""
    days = _rows(snapshot, wanted)
    shown = resample(_points(days, snapshot, wanted.metric, _first(wanted, snapshot.today)))
    progress = goal_progress.read(snapshot.database, snapshot.settings, snapshot.current, snapshot.session)
    goal_texts = [goals.goal_text(one) for one in progress]
    if len(shown) < 2:
        return History(wanted.metric, None, [], "", False, False, False, [], goal_texts)
    previous = _previous(days, snapshot, wanted)
    marked = marks.marked_days(snapshot, shown[0].day, _customers(days, snapshot))
    chart = line_chart(
        Drawn(
            shown,
            previous,
            goals.goal_lines(progress, wanted.metric),
            [one.mark for one in marked],
            list(marks.bands(snapshot)),
        )
    )
    return History(
        wanted.metric,
        chart,
        _table(chart, previous, snapshot, wanted),
        _summary(chart, snapshot.today, wanted.metric),
        bool(previous),
        any(point.reconstructed for point in shown),
        any(point.dashboard for point in shown),
        marked,
        goal_texts,
    )


def _first(wanted: Wanted, today: date) -> date | None:
    return today - timedelta(wanted.days - 1) if wanted.days else None


def _rows(snapshot: Snapshot, wanted: Wanted) -> Mapping[date, ReadOnlyDocument]:
    """Return the rows of the period by day, of the one before it, and of the days around the first mark."""
    first = _first(wanted, snapshot.today)
    if first is not None:
        first -= max(timedelta(wanted.days or 0) if wanted.compares else timedelta(), AROUND)
    found = row_store.daily_numbers(snapshot.database, first, snapshot.today, snapshot.session)
    return {row["date"].date(): row for row in found}


def _points(
    days: Mapping[date, ReadOnlyDocument], snapshot: Snapshot, metric: Metric, first: date | None
) -> list[Point]:
    """Return the number of the rows since `first`, and for today that of the totals."""
    points = [
        Point(day, metric.value_of(row), bool(row.get("reconstructed")), not is_comparable(row))
        for day, row in days.items()
        if first is None or day >= first
    ]
    if snapshot.current is None or not points or points[-1].day != snapshot.today:
        return points
    return [*points[:-1], Point(snapshot.today, metric.now(snapshot.current.totals))]


def _previous(days: Mapping[date, ReadOnlyDocument], snapshot: Snapshot, wanted: Wanted) -> list[Point]:
    """Return the numbers of the period before, on the days that they are compared with.

    One that is missing, or was counted by other rules than the day's, is unknown.
    """
    if not wanted.compares or wanted.days is None:
        return []
    span, first = timedelta(wanted.days), snapshot.today - timedelta(wanted.days - 1)
    shown = [(day, days.get(day - span, {})) for day in (first + timedelta(number) for number in range(wanted.days))]
    found = [
        Point(day, wanted.metric.value_of(row) if are_comparable(row, days.get(day, row)) else None)
        for day, row in shown
    ]
    return found if any(point.value is not None for point in found) else []


def _customers(days: Mapping[date, ReadOnlyDocument], snapshot: Snapshot) -> dict[date, int]:
    metric = METRICS["clienti"]
    return {point.day: round(point.value) for point in _points(days, snapshot, metric, None) if point.value is not None}


def _table(chart: LineChart, previous: Sequence[Point], snapshot: Snapshot, wanted: Wanted) -> list[NumberRow]:
    """Return a row for each point of the chart, newest first."""
    metric, span = wanted.metric, timedelta(wanted.days or 0)
    before = {point.day: point.value for point in previous if point.value is not None}
    return [
        NumberRow(
            _address(point.day, snapshot, metric),
            texts.day(point.day),
            metric.format(point.value),
            metric.format(before.get(point.day)),
            _address(point.day - span, snapshot, metric) if point.day in before else "",
            place.x,
            place.y,
        )
        for point, place in reversed(chart.places)
    ]


def _address(day: date, snapshot: Snapshot, metric: Metric) -> str:
    current = snapshot.current
    if current is not None and day == snapshot.today:
        return addresses.why(texts.NOW, metric.key, line=current.line)
    is_known = current is not None and current.first_day is not None and current.first_day <= day
    return addresses.why(day, metric.key) if is_known else addresses.day(day)


def _summary(chart: LineChart, today: date, metric: Metric) -> str:
    end = chart.places[-1][0]
    start = next(point for point, _ in chart.places if point.dashboard == end.dashboard)
    return trend_texts.SUMMARY.format(
        metric=metric.name,
        first=italian.with_article(italian.DAL, start.day, today),
        last=italian.with_article(italian.AL, end.day, today),
        start=metric.format(start.value),
        end=metric.format(end.value),
    )
