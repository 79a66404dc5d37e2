"""Charts as SVG, drawn by pygal on the server: shapes and numbers only. How they look is the style sheet's business.

pygal's own style, script and hover machinery are taken out: the page's policy forbids inline ones, and a script would
come from the network. What is hovered tells its value by an SVG title.
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
from daemon.web.page import texts as words
from rules.model.ledger import MovementKind

WIDTH, HEIGHT = 460, 230
MOST_POINTS = 120
"""More points than pixels between them say nothing: longer spans are drawn by their buckets' last day."""
MOST_MONTHS, FEWEST_MONTHS = 12, 6
LABELS = 5
LONG_DAYS = 180
FLAT = 0.6
"""An MRR that never fell below this share of its highest is drawn from its lowest: else its movement would not show."""

LOOK = {"label_font_size": 13, "major_label_font_size": 13, "font_family": "inherit"}


class Point(NamedTuple):
    day: date
    mrr: float | None
    reconstructed: bool = False


def course(points: Sequence[Point]) -> list[Point]:
    """The points of a chart of MRR over time: one per day without a hole, or per bucket of days; None is unknown."""
    known = sorted(point for point in points if point.mrr is not None)
    if not known:
        return []
    last, span = known[-1].day, (known[-1].day - known[0].day).days + 1
    size = math.ceil(span / MOST_POINTS)
    newest = {(last - point.day).days // size: point for point in known}
    buckets = range((span - 1) // size, -1, -1)
    return [newest.get(number) or Point(last - timedelta(number * size), None) for number in buckets]


def mrr(points: Sequence[Point], title: str, summary: str) -> Markup:
    """MRR over time, from zero unless it hardly moves: area, line, and a line for what was reconstructed."""
    values = [point.mrr for point in points if point.mrr is not None]
    ticks = scale(min(values) if min(values) > FLAT * max(values) else min(0.0, *values), max(values))
    chart = _chart("Line", ticks, margin_right=20)
    chart.x_labels = _labels(points)
    before = [None, *points[:-1]]
    chart.add("area", [point.mrr for point in points] if ticks[0] == 0 else [], fill=True, show_dots=False)
    chart.add("mrr", [None if point.reconstructed else _dot(point) for point in points])
    chart.add("reconstructed", [_joined(last, point) for last, point in zip(before, points, strict=True)])
    return _drawn(chart, title, summary)


def _joined(before: Point | None, point: Point) -> dict[str, Any] | None:
    """A reconstructed point, or the first observed one behind it: their lines meet there."""
    if point.reconstructed:
        return _dot(point)
    return {"value": point.mrr} if before is not None and before.reconstructed and point.mrr is not None else None


def _dot(point: Point) -> dict[str, Any] | None:
    if point.mrr is None:
        return None
    return {"value": point.mrr, "label": f"{words.day(point.day)}: {words.euro(point.mrr)}"}


def _labels(points: Sequence[Point]) -> list[str]:
    """A few labels, the last point's among them: days of a short span, months of a long one."""
    every = max(1, math.ceil(len(points) / LABELS))
    is_long = (points[-1].day - points[0].day).days > LONG_DAYS
    texts = [words.short_month(point.day, with_year=True) if is_long else f"{point.day:%d/%m}" for point in points]
    return [text if (len(points) - 1 - number) % every == 0 else "" for number, text in enumerate(texts)]


POSITIVE = (MovementKind.NEW, MovementKind.REACTIVATION, MovementKind.EXPANSION)
NEGATIVE = (MovementKind.CONTRACTION, MovementKind.CHURN)
SHOWN = (*POSITIVE, *NEGATIVE)


def recent_months(months: Months, today: date) -> list[date]:
    """The last months up to this one, from the first that moved anything or a few more; none if nothing ever did."""
    if not months:
        return []
    found = [today.replace(day=1)]
    while len(found) < FEWEST_MONTHS or (len(found) < MOST_MONTHS and found[0] > min(months)):
        found.insert(0, (found[0] - timedelta(1)).replace(day=1))
    return found


def movements(months: Months, shown: Sequence[date], title: str, summary: str) -> Markup:
    """MRR movements as stacked bars: what came in above the line, what went out below it."""
    ups = [sum(months.get(month, {}).get(kind, 0) for kind in POSITIVE) for month in shown]
    downs = [sum(months.get(month, {}).get(kind, 0) for kind in NEGATIVE) for month in shown]
    chart = _chart("StackedBar", scale(min(downs) / 100, max(ups) / 100), spacing=14, margin_right=4)
    chart.x_labels = [words.short_month(month) for month in shown]
    for kind in SHOWN:
        amounts = [months.get(month, {}).get(kind, 0) for month in shown]
        chart.add(kind.value, [_bar(kind, month, amount) for month, amount in zip(shown, amounts, strict=True)])
    return _drawn(chart, title, summary)


def _bar(kind: MovementKind, month: date, cents: int) -> dict[str, Any] | None:
    if cents == 0:
        return None
    return {"value": cents / 100, "label": f"{words.KINDS[kind]}, {words.month(month)}: {words.signed_cents(cents)}"}


def scale(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round ticks that span from `low` to `high`: steps of 1, 2 or 5 times a power of ten."""
    rough = max(high - low, abs(high) * 0.02, 1.0) / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


PLAIN: dict[str, Any] = {
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
    """pygal. It hooks into all imports of the process, for map plugins, in a way that Python warns of: undone here."""
    import pygal  # noqa: PLC0415 - its 60 modules are for who looks at the page, not for the daemon's start

    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]
    return pygal


def _chart(kind: str, ticks: Sequence[float], **more: Any) -> Any:
    library = _library()
    chart = getattr(library, kind)(style=library.style.Style(**LOOK), **PLAIN, **more)
    chart.range = (ticks[0], ticks[-1])
    chart.y_labels = [{"value": tick, "label": words.euro(tick, 0)} for tick in ticks]
    return chart


def _drawn(chart: Any, title: str, summary: str) -> Markup:
    tree = chart.render_tree()
    _strip(tree)
    del tree.attrib["id"]
    tree.set("role", "img")
    tree.set("aria-label", f"{title}. {summary}")
    return Markup(ET.tostring(tree, encoding="unicode"))  # noqa: S704 - made of dates and numbers, serialised


UNWANTED = ("defs", "desc", "script", "style", "title")


def _strip(element: Any) -> None:
    """Take out what is not drawn, and let a point or bar tell its own label when hovered."""
    label = _label(element)
    for child in list(element):
        if _name(child) in UNWANTED or _is_empty(child):
            element.remove(child)
        else:
            _strip(child)
    element.attrib.pop("style", None)
    if label:
        ET.SubElement(element, "title").text = label


def _label(element: Any) -> str | None:
    return next((child.text for child in element if _name(child) == "desc" and child.get("class") == "label"), None)


def _name(element: Any) -> str:
    """The tag without its namespace; a comment is as unwanted as a script."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else "script"


def _is_empty(element: Any) -> bool:
    """Layers for pygal's own script, and bars or points of nothing."""
    kind = element.get("class", "")
    return kind.endswith("-overlay") or (kind in ("bar", "dots") and _label(element) is None)
