"""SVG charts, rendered on the server by pygal; the style sheet defines their appearance.

pygal's inline styles, its script and its hover layers are removed: the Content-Security-Policy forbids inline code, and
the script would be loaded from the network. SVG titles show the value under the pointer.
"""

import math
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from markupsafe import Markup

from daemon.store.ledger.totals import Months
from daemon.web.page import texts
from rules.model.ledger import MovementKind
from rules.settings import italian

WIDTH, HEIGHT = 460, 230
MAX_POINTS = 120
"""Longer spans are drawn as buckets of days, each by its last known day."""
MAX_MONTHS, MIN_MONTHS = 12, 6
LABELS = 5
LONG_DAYS = 180
FLAT_RATIO = 0.6
"""If the minimum is above this share of the maximum, the axis starts at the minimum, so that movement is visible."""

FONT = {"label_font_size": 13, "major_label_font_size": 13, "font_family": "inherit"}


class Point(NamedTuple):
    day: date
    mrr: float | None
    reconstructed: bool = False


def resample(points: Sequence[Point]) -> list[Point]:
    """Return one point per day without gaps, or per bucket of days; MRR is None where it is unknown."""
    known = sorted(point for point in points if point.mrr is not None)
    if not known:
        return []
    last, span = known[-1].day, (known[-1].day - known[0].day).days + 1
    size = math.ceil(span / MAX_POINTS)
    newest = {(last - point.day).days // size: point for point in known}
    buckets = range((span - 1) // size, -1, -1)
    return [newest.get(number) or Point(last - timedelta(number * size), None) for number in buckets]


def mrr_chart(points: Sequence[Point], title: str, summary: str) -> Markup:
    """Return MRR over time: an area (if the axis starts at zero), a line, and a second line for reconstructed days."""
    values = [point.mrr for point in points if point.mrr is not None]
    ticks = axis_ticks(min(values) if min(values) > FLAT_RATIO * max(values) else min(0.0, *values), max(values))
    chart = _chart("Line", ticks, margin_right=20)
    chart.x_labels = _labels(points)
    previous_points = [None, *points[:-1]]
    chart.add("area", [point.mrr for point in points] if ticks[0] == 0 else [], fill=True, show_dots=False)
    chart.add("mrr", [None if point.reconstructed else _labeled(point) for point in points])
    chart.add(
        "reconstructed", [_reconstructed(last, point) for last, point in zip(previous_points, points, strict=True)]
    )
    return _render(chart, title, summary)


def _reconstructed(previous: Point | None, point: Point) -> dict[str, Any] | None:
    """Return a reconstructed point, or the first observed one after it, where the two lines meet."""
    if point.reconstructed:
        return _labeled(point)
    return {"value": point.mrr} if previous is not None and previous.reconstructed and point.mrr is not None else None


def _labeled(point: Point) -> dict[str, Any] | None:
    if point.mrr is None:
        return None
    return {"value": point.mrr, "label": f"{texts.day(point.day)}: {italian.euro(point.mrr)}"}


def _labels(points: Sequence[Point]) -> list[str]:
    """Return about `LABELS` labels including the last point's: days for a short span, months for a long one."""
    every = max(1, math.ceil(len(points) / LABELS))
    is_long = (points[-1].day - points[0].day).days > LONG_DAYS
    labels = [texts.short_month(point.day, with_year=True) if is_long else f"{point.day:%d/%m}" for point in points]
    return [label if (len(points) - 1 - number) % every == 0 else "" for number, label in enumerate(labels)]


POSITIVE = (MovementKind.NEW, MovementKind.REACTIVATION, MovementKind.EXPANSION)
NEGATIVE = (MovementKind.CONTRACTION, MovementKind.CHURN)
SHOWN_KINDS = (*POSITIVE, *NEGATIVE)


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


def movements_chart(months: Months, shown: Sequence[date], title: str, summary: str) -> Markup:
    """Return MRR movements as stacked bars: gains above the axis, losses below it."""
    ups = [sum(months.get(month, {}).get(kind, 0) for kind in POSITIVE) for month in shown]
    downs = [sum(months.get(month, {}).get(kind, 0) for kind in NEGATIVE) for month in shown]
    chart = _chart("StackedBar", axis_ticks(min(downs) / 100, max(ups) / 100), spacing=14, margin_right=4)
    chart.x_labels = [texts.short_month(month) for month in shown]
    for kind in SHOWN_KINDS:
        amounts = [months.get(month, {}).get(kind, 0) for month in shown]
        chart.add(kind.value, [_bar(kind, month, amount) for month, amount in zip(shown, amounts, strict=True)])
    return _render(chart, title, summary)


def _bar(kind: MovementKind, month: date, cents: int) -> dict[str, Any] | None:
    if cents == 0:
        return None
    return {"value": cents / 100, "label": f"{texts.KINDS[kind]}, {texts.month(month)}: {italian.signed_cents(cents)}"}


def axis_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round axis ticks that cover `low` to `high`, in steps of 1, 2 or 5 times a power of ten."""
    rough = max(high - low, abs(high) * 0.02, 1.0) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


CHART_OPTIONS: dict[str, Any] = {
    "width": WIDTH,
    "height": HEIGHT,
    "margin": 6,
    "js": (),
    "css": (),
    "show_legend": False,
    "truncate_label": -1,
    "no_prefix": True,
    "disable_xml_declaration": True,
    "allow_interruptions": True,
}


@cache
def _library() -> Any:
    """Import pygal and remove its import hook for map plugins, which uses an API that Python warns about."""
    import pygal  # noqa: PLC0415 - its 60 modules are loaded at the first visit, not at the daemon's start

    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]
    return pygal


def _chart(kind: str, ticks: Sequence[float], **more: Any) -> Any:
    library = _library()
    chart = getattr(library, kind)(style=library.style.Style(**FONT), **CHART_OPTIONS, **more)
    chart.range = (ticks[0], ticks[-1])
    chart.y_labels = [{"value": tick, "label": italian.euro(tick, 0)} for tick in ticks]
    return chart


def _render(chart: Any, title: str, summary: str) -> Markup:
    tree = chart.render_tree()
    _strip(tree)
    del tree.attrib["id"]
    tree.set("role", "img")
    tree.set("aria-label", f"{title}. {summary}")
    return Markup(ET.tostring(tree, encoding="unicode"))  # noqa: S704 - serialized XML of dates and numbers


REMOVED_TAGS = ("defs", "desc", "script", "style", "title")


def _strip(element: Any) -> None:
    """Remove what is not drawn, and move the label of a point or bar into an SVG title."""
    label = _label(element)
    for child in list(element):
        if _name(child) in REMOVED_TAGS or _is_empty(child):
            element.remove(child)
        else:
            _strip(child)
    element.attrib.pop("style", None)
    if label:
        ET.SubElement(element, "title").text = label


def _label(element: Any) -> str | None:
    return next((child.text for child in element if _name(child) == "desc" and child.get("class") == "label"), None)


def _name(element: Any) -> str:
    """Return the tag without its namespace; comments count as scripts, so that they are removed."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else "script"


def _is_empty(element: Any) -> bool:
    """Whether it is a layer for pygal's script, or a bar or point without a value."""
    kind = element.get("class", "")
    return kind.endswith("-overlay") or (kind in ("bar", "dots") and _label(element) is None)
