"""View model of the page: everything it shows, read from the database and formatted."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from markupsafe import Markup

from daemon.mongo.cluster_time import cluster_datetime, newest
from daemon.mongo.types import ReadOnlyDocument
from daemon.rollup.event_descriptions import EventDescriber
from daemon.store import events
from daemon.store import rows as row_store
from daemon.store.ledger.totals import CurrentTotals, Months, MovementsByMonth, current_totals
from daemon.store.mirror.reader import MirrorReader
from daemon.web.context import WebContext
from daemon.web.page import charts, feed, figures, rows, status, texts
from rules import business_days
from rules.settings import italian

View = dict[str, Any]

FEED_ITEMS = 14
FEED_DAYS = 30
ROWS_ON_A_PAGE = 90
COUNTING_SECONDS = 1.5
"""How long one visit may sum ledger lines that no earlier visit has summed."""
OUTDATED_AFTER = timedelta(minutes=15)
"""Age of the checkpoint at which the page says that its numbers are outdated."""


class ViewRequest(NamedTuple):
    """Which rows to show: `period` is a key of `texts.PERIODS`, `page` counts from 1."""

    period: str = "30"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "ViewRequest":
        """Parse query parameters; invalid values get their default."""
        period, page = query.get("period", ""), query.get("page", "")
        number = int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1
        return cls(period if period in texts.PERIODS else cls().period, max(1, number))


class PageData:
    """Reads the data of the page, by the database's clock. Thread-safe."""

    def __init__(self, context: WebContext) -> None:
        self.context = context
        self.months = MovementsByMonth(context.database)

    def live_view(self) -> View:
        """Return the parts that change while the page is open: figures, events, plans, status."""
        database, settings = self.context.database, self.context.config().settings()
        current = current_totals(database, settings.zone, tuple(figures.SPANS))
        now = cluster_datetime(newest(database))
        today = current.today if current else business_days.business_day(now, settings.zone)
        mirror = MirrorReader(database, settings)
        plans = mirror.plans() if current else {}
        lines, row = status.status_lines(self.context, now), row_store.daily_row(database, today)
        describer = EventDescriber.of(database, settings)
        recent = events.recent(database, now - timedelta(FEED_DAYS), FEED_ITEMS)
        return {
            "today": today,
            "first_day": current.first_day if current else None,
            "figures": figures.figures(current, self._earlier_rows(current)) if current else [],
            "outdated_notice": self._outdated_notice(current, now),
            "facts_today": rows.facts(row.get("notes")) if row else [],
            "today_row": rows.daily(row) if row else None,
            "feed": [feed.feed_item(event, today, settings) for event in describer.describe(recent)],
            "plans": figures.plan_lines(current.totals, plans) if current else [],
            "deals": figures.deals(current.totals, plans) if current else [],
            "status_lines": lines,
            "status_summary": status.summary(lines),
            "is_well": not any(line.hint for line in lines),
        }

    def _earlier_rows(self, current: CurrentTotals) -> dict[int, ReadOnlyDocument]:
        """Return the rows to compare with, by age in days, for days before the ledger."""
        missing = [ago for ago in figures.SPANS if ago not in current.earlier]
        days = {ago: current.today - ago * business_days.ONE_DAY for ago in missing}
        found = {ago: row_store.daily_row(self.context.database, day) for ago, day in days.items()}
        return {ago: row for ago, row in found.items() if row is not None}

    def _outdated_notice(self, current: CurrentTotals | None, now: datetime) -> str:
        if current is None or now - current.at < OUTDATED_AFTER:
            return ""
        return texts.TOTALS_OUTDATED.format(when=italian.moment(current.at, self.context.config().time.zone))

    def full_view(self, view_request: ViewRequest) -> View:
        """Return everything: the live parts, the charts, and the requested rows."""
        live = self.live_view()
        today = live["today"]
        return {
            **live,
            **self._mrr_history(_first(view_request, today), today),
            **self._movements(today, live["first_day"]),
            **self._table(view_request, today),
        }

    def _mrr_history(self, first: date | None, today: date) -> View:
        points = [
            charts.Point(row["date"].date(), italian.number(row.get("mrr")), bool(row.get("reconstructed")))
            for row in row_store.mrr_history(self.context.database, first, today)
        ]
        shown = charts.resample(points)
        if len(shown) < 2:
            return {"mrr_chart": "", "mrr_points": [], "has_reconstructed": False}
        known = [point for point in shown if point.mrr is not None]
        summary = texts.MRR_HISTORY_SUMMARY.format(
            first=texts.day(known[0].day),
            last=texts.day(known[-1].day),
            start=italian.euro(known[0].mrr),
            end=italian.euro(known[-1].mrr),
        )
        return {
            "mrr_chart": charts.mrr_chart(shown, texts.MRR_HISTORY, summary),
            "mrr_points": [(texts.day(point.day), italian.euro(point.mrr)) for point in reversed(known)],
            "has_reconstructed": any(point.reconstructed for point in shown),
        }

    def _movements(self, today: date, first_day: date | None) -> View:
        found = self.months.read(COUNTING_SECONDS)
        months = found or {}
        shown = charts.recent_months(months, today)
        nets = {month: sum(months.get(month, {}).values()) for month in shown}
        return {
            "movements_chart": self._movements_chart(months, shown, nets) if shown else Markup(),
            "movements_since": _since(first_day, shown),
            "movements_missing": texts.MOVEMENTS_COUNTING if found is None else texts.MOVEMENTS_EMPTY,
            "kinds": [(kind.value, texts.KINDS[kind]) for kind in charts.SHOWN_KINDS],
            "movement_rows": [
                (
                    texts.month(month),
                    [italian.signed_cents(months.get(month, {}).get(kind, 0)) for kind in charts.SHOWN_KINDS],
                    italian.signed_cents(nets[month]),
                )
                for month in reversed(shown)
            ],
        }

    def _movements_chart(self, months: Months, shown: list[date], nets: Mapping[date, int]) -> Markup:
        summary = texts.MOVEMENTS_SUMMARY.format(
            first=texts.month(shown[0]), last=texts.month(shown[-1]), net=italian.signed_cents(nets[shown[-1]])
        )
        return charts.movements_chart(months, shown, texts.MOVEMENTS, summary)

    def _table(self, view_request: ViewRequest, today: date) -> View:
        kind, shape = ("monthly", rows.monthly) if view_request.period == "months" else ("daily", rows.daily)
        first = _first(view_request, today)
        pages = max(1, math.ceil(row_store.count(self.context.database, kind, first) / ROWS_ON_A_PAGE))
        page = min(view_request.page, pages)
        found = row_store.page(self.context.database, kind, first, (page - 1) * ROWS_ON_A_PAGE, ROWS_ON_A_PAGE)
        return {"rows": [shape(row) for row in found], "page": page, "pages": pages, "period": view_request.period}


def _since(first_day: date | None, shown: Sequence[date]) -> str:
    """Return a note on the ledger's first day if it is within the months shown: earlier movements are unknown."""
    is_inside = first_day is not None and shown and first_day > shown[0]
    return texts.MOVEMENTS_SINCE.format(day=texts.day(first_day)) if is_inside else ""


def _first(view_request: ViewRequest, today: date) -> date | None:
    """Return the first day of a period that ends today; None for all rows."""
    return today - timedelta(int(view_request.period) - 1) if view_request.period.isdecimal() else None
