"""Geometry of the charts: everything inside the box, in order; ticks cover the range; unknown days are holes."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.web.page.charts import axes, columns, lines
from daemon.web.page.charts.axes import Box, Place
from daemon.web.page.charts.lines import Band, Drawn, Goal, LineChart, Mark, Point, line_chart
from rules.model.ledger import MovementKind

DAY = date(2026, 11, 24)
BOX = Box()

numbers = st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(0, 900).map(float))
days = st.integers(0, 800).map(lambda ago: DAY - timedelta(ago))
series = st.lists(
    st.builds(Point, days, numbers, st.booleans(), st.booleans()), unique_by=lambda point: point.day, max_size=60
)


def points(count: int, first: float = 100.0) -> list[Point]:
    return [Point(DAY - timedelta(ago), first + count - ago) for ago in reversed(range(count))]


@st.composite
def drawings(draw: st.DrawFn) -> Drawn:
    shown = lines.resample(draw(series.filter(lambda found: sum(point.value is not None for point in found) > 1)))
    return Drawn(
        shown,
        sorted(draw(series), key=lambda point: point.day),
        draw(st.lists(st.builds(Goal, st.floats(0, 1e9), st.just("obiettivo")), max_size=2)),
        draw(st.lists(st.builds(Mark, days, st.just("campagna"), st.just("m"), st.integers(1, 5)), max_size=30)),
        [
            Band(first, first + timedelta(length), "")
            for first, length in draw(st.lists(st.tuples(days, st.integers(0, 99)), max_size=5))
        ],
    )


def places(chart: LineChart) -> Iterator[Place]:
    yield from (place for _, place in chart.places)
    yield from (place for stroke in chart.strokes for place in stroke.places)
    yield from (place for area in chart.area for place in area)
    yield from (Place(mark.x, BOX.bottom) for mark in chart.marks)
    yield from (Place(BOX.left, y) for line in chart.goals for y in (line.y, line.name_y))
    yield from (Place(x, BOX.top) for band in chart.bands for x in (band.x, band.x + band.width))
    yield from (Place(tick.at, BOX.bottom) for tick in chart.days)
    yield from (Place(BOX.left, tick.at) for tick in chart.values)


# The line


@given(drawings())
def test_everything_is_inside_the_box(drawn: Drawn) -> None:
    for place in places(line_chart(drawn)):
        assert BOX.left - 0.1 <= place.x <= BOX.right + 0.1
        assert BOX.top - 0.1 <= place.y <= BOX.bottom + 0.1


@given(drawings())
def test_every_known_number_has_a_place_and_places_keep_the_order_of_days_and_values(drawn: Drawn) -> None:
    found = line_chart(drawn).places

    assert [point for point, _ in found] == [point for point in drawn.points if point.value is not None]
    assert all(one[1].x < other[1].x for one, other in pairwise(found))
    for one, other in pairwise(sorted(found, key=lambda pair: pair[0].value or 0.0)):
        assert one[1].y >= other[1].y


@given(drawings())
def test_a_hole_is_a_hole_and_no_known_day_is_left_out_of_the_line(drawn: Drawn) -> None:
    chart = line_chart(drawn)
    steps = {step for stroke in chart.strokes if stroke.kind != "previous" for step in pairwise(stroke.places)}
    drawn_places = {place for step in steps for place in step}
    by_day = {point.day: place for point, place in chart.places}

    assert drawn_places == set(by_day.values())
    for before, after in pairwise(drawn.points):
        joined = before.value is not None and after.value is not None and before.dashboard == after.dashboard
        assert joined == ((by_day.get(before.day), by_day.get(after.day)) in steps)


@given(drawings())
def test_marks_that_are_close_are_one_and_no_event_is_lost(drawn: Drawn) -> None:
    marks = line_chart(drawn).marks
    inside = [mark for mark in drawn.marks if drawn.points[0].day <= mark.day <= drawn.points[-1].day]

    assert sum(mark.number for mark in marks) == sum(mark.number for mark in inside)
    assert all(other.x - one.x >= lines.MARK_GAP for one, other in pairwise(marks))


@given(drawings())
def test_ticks_cover_all_values_and_goals(drawn: Drawn) -> None:
    chart = line_chart(drawn)
    values = [point.value for point in drawn.points if point.value is not None] + [goal.value for goal in drawn.goals]

    assert chart.values[0].value <= min(values) + 1e-6
    assert chart.values[-1].value >= max(values) - 1e-6
    assert chart.days[-1].value == drawn.points[-1].day.toordinal()
    assert len(chart.days) <= axes.LABELS


def test_reconstructed_days_are_a_stroke_of_their_own_that_meets_the_observed_one() -> None:
    known = [point._replace(reconstructed=number < 10) for number, point in enumerate(points(20))]
    dashed, observed = line_chart(Drawn(known)).strokes

    assert (dashed.kind, observed.kind) == ("reconstructed", "current")
    assert (len(dashed.places), len(observed.places)) == (11, 10)
    assert dashed.places[-1] == observed.places[0]


def test_days_that_the_dashboard_counted_are_a_stroke_that_does_not_meet_ours() -> None:
    known = [point._replace(dashboard=number < 10) for number, point in enumerate(points(20))]
    dashboard, ours = line_chart(Drawn(known)).strokes

    assert [(stroke.kind, len(stroke.places)) for stroke in (dashboard, ours)] == [("dashboard", 10), ("current", 10)]
    assert not set(dashboard.places) & set(ours.places)


def test_a_day_between_unknown_days_is_a_dot() -> None:
    known = [*points(3), Point(DAY + timedelta(1), None), Point(DAY + timedelta(2), 5.0)]
    line, dot = line_chart(Drawn(known)).strokes

    assert (len(line.places), len(dot.places), len(set(dot.places))) == (3, 2, 1)


def test_a_number_that_hardly_moves_is_drawn_from_its_minimum_and_without_an_area() -> None:
    steep, flat = line_chart(Drawn(points(30, 10.0))), line_chart(Drawn(points(30, 5000.0)))

    assert (steep.starts_at_zero, len(steep.area)) == (True, 1)
    assert (flat.starts_at_zero, len(flat.area)) == (False, 0)


def test_the_longest_span_and_extreme_amounts_are_drawn() -> None:
    ages = lines.resample([Point(date.min, -5.0), Point(date(2026, 1, 1), 1e300), Point(date.max, 0.0, True)])

    assert len(ages) <= lines.MAX_POINTS
    for known in (ages, [Point(DAY - timedelta(1), -7.0), Point(DAY, -5.0)], points(2, 0.0)):
        assert "nan" not in str(line_chart(Drawn(known)))


# Days and values


def test_a_short_span_has_every_day_and_a_missing_day_is_unknown() -> None:
    known = [Point(DAY - timedelta(3), 1.0), Point(DAY - timedelta(1), 2.0), Point(DAY, 3.0)]

    assert [(point.day.day, point.value) for point in lines.resample(known)] == [
        (21, 1.0),
        (22, None),
        (23, 2.0),
        (24, 3.0),
    ]


@given(st.lists(st.integers(0, 20_000), max_size=60, unique=True))
def test_any_span_has_a_bounded_number_of_points_ending_with_the_last_day(ages: list[int]) -> None:
    known = sorted(Point(DAY - timedelta(age), float(age)) for age in ages)
    drawn = lines.resample(known)

    assert len(drawn) <= lines.MAX_POINTS
    assert [point.day for point in drawn] == sorted(point.day for point in drawn)
    assert not known or drawn[-1] == known[-1]
    assert {point for point in drawn if point.value is not None} <= set(known)
    assert not known or drawn[0].day >= known[0].day


@given(st.floats(-1e7, 1e7), st.floats(0, 1e7))
def test_axis_ticks_are_few_and_cover_the_range(low: float, span: float) -> None:
    ticks = axes.axis_ticks(low, low + span)

    assert ticks[0] <= low + 1e-6
    assert ticks[-1] >= low + span - 1e-6
    assert 2 <= len(ticks) <= 7
    assert ticks[1] - ticks[0] >= 1


# Columns


amounts = st.fixed_dictionaries(
    {},
    optional={
        **{kind: st.integers(0, 10**9) for kind in columns.POSITIVE},
        **{kind: st.integers(-(10**9), 0) for kind in columns.NEGATIVE},
    },
)


@given(st.dictionaries(st.dates(date(2025, 1, 1), DAY).map(lambda day: day.replace(day=1)), amounts, min_size=1))
def test_columns_stack_every_amount_inside_the_box(months: dict[date, dict[MovementKind, int]]) -> None:
    shown = columns.recent_months(months, DAY)
    chart = columns.column_chart(months, shown)

    assert {(bar.month, bar.kind): bar.cents for bar in chart.bars} == {
        (month, kind): cents for month in shown for kind, cents in months.get(month, {}).items() if cents
    }
    for bar in chart.bars:
        assert BOX.left <= bar.x <= bar.x + bar.width <= BOX.right + 0.1
        assert BOX.top - 0.1 <= bar.y <= bar.y + bar.height <= BOX.bottom + 0.2


def test_movements_of_the_last_twelve_months_are_bars_above_and_below() -> None:
    months = {
        date(2025, 1, 1): {MovementKind.NEW: 1},
        date(2026, 10, 1): {MovementKind.NEW: 2000, MovementKind.EXPANSION: 500, MovementKind.CHURN: -799},
    }
    shown = columns.recent_months(months, DAY)
    new, expansion, churn = columns.column_chart(months, shown).bars

    assert (shown[0], shown[-1], len(shown)) == (date(2025, 12, 1), date(2026, 11, 1), 12)
    assert expansion.y + expansion.height == pytest.approx(new.y, abs=0.2)
    assert new.y + new.height == pytest.approx(churn.y, abs=0.2)
    assert new.x == churn.x
    assert columns.recent_months({}, DAY) == []
    assert len(columns.recent_months({date(2026, 11, 1): {}}, DAY)) == columns.MIN_MONTHS
