"""Charts: no style or script, a bounded number of points, gaps where MRR is unknown."""

import sys
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.web.page.parts import charts
from daemon.web.page.parts.charts import Point
from rules.model.ledger import MovementKind

DAY = date(2026, 11, 24)


def points(count: int, first: float = 100.0) -> list[Point]:
    return [Point(DAY - timedelta(ago), first + count - ago) for ago in reversed(range(count))]


def test_a_short_span_has_every_day_and_a_missing_day_is_unknown() -> None:
    known = [Point(DAY - timedelta(3), 1.0), Point(DAY - timedelta(1), 2.0), Point(DAY, 3.0)]

    assert [(point.day.day, point.mrr) for point in charts.resample(known)] == [
        (21, 1.0),
        (22, None),
        (23, 2.0),
        (24, 3.0),
    ]


@given(st.lists(st.integers(0, 20_000), max_size=60, unique=True))
def test_any_span_has_a_bounded_number_of_points_ending_with_the_last_day(ages: list[int]) -> None:
    known = sorted(Point(DAY - timedelta(age), float(age)) for age in ages)
    drawn = charts.resample(known)

    assert len(drawn) <= charts.MAX_POINTS
    assert [point.day for point in drawn] == sorted(point.day for point in drawn)
    assert not known or drawn[-1] == known[-1]
    assert {point for point in drawn if point.mrr is not None} <= set(known)
    assert not known or drawn[0].day >= known[0].day


@given(st.floats(-1e7, 1e7), st.floats(0, 1e7))
def test_axis_ticks_are_few_and_cover_the_range(low: float, span: float) -> None:
    ticks = charts.axis_ticks(low, low + span)

    assert ticks[0] <= low + 1e-6
    assert ticks[-1] >= low + span - 1e-6
    assert 2 <= len(ticks) <= 7


def test_a_chart_contains_no_style_or_script_and_each_point_has_its_value_as_title() -> None:
    drawn = charts.mrr_chart(points(30), "MRR", "una frase")
    tree = ET.fromstring(drawn)
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}

    assert names <= {"svg", "g", "path", "rect", "text", "circle", "title"}
    assert all(not name.startswith("on") and name != "style" for element in tree.iter() for name in element.attrib)
    assert "24/11/2026: €\u00a0130,00" in drawn
    assert tree.get("aria-label") == "MRR. una frase"
    assert len(drawn) < 20_000


def test_an_mrr_that_hardly_moves_is_drawn_from_its_minimum_and_without_an_area() -> None:
    assert ">€\u00a00<" in charts.mrr_chart(points(30, 10.0), "", "")
    flat = charts.mrr_chart(points(30, 5000.0), "", "")
    assert ">€\u00a00<" not in flat
    assert flat.count('class="line reactive"') == 0


def test_reconstructed_days_are_a_separate_line_that_meets_the_observed_one() -> None:
    known = [point._replace(reconstructed=number < 10) for number, point in enumerate(points(20))]
    tree = ET.fromstring(charts.mrr_chart(known, "", ""))
    reconstructed = tree.findall(".//*[@class='series serie-2 color-2']/*[@class='line reactive nofill']")

    assert len(reconstructed) == 1
    assert len(reconstructed[0].get("d", "").split("L")[1].split()) // 2 == 10


def test_the_longest_span_and_extreme_amounts_are_drawn() -> None:
    ages = charts.resample([Point(date.min, -5.0), Point(date(2026, 1, 1), 1e300), Point(date.max, 0.0, True)])

    assert len(ages) <= charts.MAX_POINTS
    for known in (ages, [Point(DAY, -7.0), Point(DAY, -5.0)], [Point(DAY, 0.0, True), Point(DAY, 0.0, True)]):
        assert "nan" not in charts.mrr_chart(known, "", "")


def test_movements_of_the_last_twelve_months_are_bars_above_and_below() -> None:
    months = {
        date(2025, 1, 1): {MovementKind.NEW: 1},
        date(2026, 10, 1): {MovementKind.NEW: 2000, MovementKind.CHURN: -799},
    }
    shown = charts.recent_months(months, DAY)
    drawn = charts.movements_chart(months, shown, "", "")

    assert (shown[0], shown[-1], len(shown)) == (date(2025, 12, 1), date(2026, 11, 1), 12)
    assert "Nuovi, ottobre 2026: +€\u00a020,00" in drawn
    assert "Abbandoni, ottobre 2026: −€\u00a07,99" in drawn
    assert drawn.count("<title>") == 2
    assert charts.recent_months({}, DAY) == []
    assert len(charts.recent_months({date(2026, 11, 1): {}}, DAY)) == charts.MIN_MONTHS


@pytest.mark.parametrize("finder", sys.meta_path)
def test_pygal_leaves_no_import_hook(finder: object) -> None:
    assert "pygal" not in f"{type(finder).__module__} {finder!r}"
