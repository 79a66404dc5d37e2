"""What the owner finds on the desk in the morning: everything the page shows, read from the database, in words."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from markupsafe import Markup

from daemon.mongo.cluster_time import cluster_datetime, newest
from daemon.mongo.types import ReadOnlyDocument
from daemon.store import events, table
from daemon.store.ledger.totals import CurrentTotals, Months, MovementsByMonth, current_totals
from daemon.store.mirror.reader import MirrorReader
from daemon.web.context import WebContext
from daemon.web.page import charts, feed, figures, rows, status, texts
from rules import business_days

View = dict[str, Any]

FEED_ITEMS = 14
FEED_DAYS = 30
ROWS_ON_A_PAGE = 90
COUNTING_SECONDS = 1.5
"""How long one visit sums movements that no visit has summed before."""
LATE = timedelta(minutes=15)
"""From then on the numbers are said to stand still."""


class ViewRequest(NamedTuple):
    """Which rows to show: `period` is a key of `words.PERIODS`, `page` counts from 1."""

    period: str = "30"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "ViewRequest":
        """From a query string; what makes no sense there is the default."""
        period, page = query.get("period", ""), query.get("page", "")
        number = int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1
        return cls(period if period in texts.PERIODS else cls().period, max(1, number))


class PageData:
    """Reads for one database, by its clock. Safe to ask from several threads."""

    def __init__(self, house: WebContext) -> None:
        self.house = house
        self.months = MovementsByMonth(house.database)

    def live(self) -> View:
        """What changes while one looks: numbers, events, plans, the daemon's state."""
        database, settings = self.house.database, self.house.config().settings()
        stands = current_totals(database, settings.zone, tuple(figures.SPANS))
        now = cluster_datetime(newest(database))
        today = stands.today if stands else business_days.business_day(now, settings.zone)
        plans = MirrorReader(database, settings).plans() if stands else {}
        found, row = status.findings(self.house, now), table.one(database, today)
        recent = events.recent(database, now - timedelta(FEED_DAYS), FEED_ITEMS)
        return {
            "today": today,
            "first_day": stands.first_day if stands else None,
            "figures": figures.figures(stands, self._rows_before(stands)) if stands else [],
            "still": self._still(stands, now),
            "story": rows.facts(row.get("notes")) if row else [],
            "today_row": rows.daily(row) if row else None,
            "feed": [feed.item(event, today, settings) for event in recent],
            "plans": figures.plan_lines(stands.totals, plans) if stands else [],
            "deals": figures.deals(stands.totals, plans) if stands else [],
            "findings": found,
            "condition": status.summary(found),
            "is_well": not any(finding.cure for finding in found),
        }

    def _rows_before(self, stands: CurrentTotals) -> dict[int, ReadOnlyDocument]:
        """The table's rows of the days that the ledger does not reach."""
        missing = [ago for ago in figures.SPANS if ago not in stands.earlier]
        found = {ago: table.one(self.house.database, stands.today - ago * business_days.ONE_DAY) for ago in missing}
        return {ago: row for ago, row in found.items() if row is not None}

    def _still(self, stands: CurrentTotals | None, now: datetime) -> str:
        if stands is None or now - stands.at < LATE:
            return ""
        return texts.STANDING_STILL.format(when=texts.moment(stands.at, self.house.config().time.zone))

    def whole(self, wanted: ViewRequest) -> View:
        """Everything: what is live, the charts, and the rows that are wanted."""
        live = self.live()
        today = live["today"]
        return {
            **live,
            **self._course(_first(wanted, today), today),
            **self._movements(today, live["first_day"]),
            **self._table(wanted, today),
        }

    def _course(self, first: date | None, today: date) -> View:
        points = [
            charts.Point(row["date"].date(), texts.number(row.get("mrr")), bool(row.get("reconstructed")))
            for row in table.course(self.house.database, first, today)
        ]
        shown = charts.course(points)
        if len(shown) < 2:
            return {"course": "", "course_points": [], "course_reconstructed": False}
        known = [point for point in shown if point.mrr is not None]
        summary = texts.COURSE_SUMMARY.format(
            first=texts.day(known[0].day),
            last=texts.day(known[-1].day),
            start=texts.euro(known[0].mrr),
            end=texts.euro(known[-1].mrr),
        )
        return {
            "course": charts.mrr(shown, texts.COURSE, summary),
            "course_points": [(texts.day(point.day), texts.euro(point.mrr)) for point in reversed(known)],
            "course_reconstructed": any(point.reconstructed for point in shown),
        }

    def _movements(self, today: date, first_day: date | None) -> View:
        found = self.months.read(COUNTING_SECONDS)
        months = found or {}
        shown = charts.recent_months(months, today)
        nets = {month: sum(months.get(month, {}).values()) for month in shown}
        return {
            "movements": self._drawn(months, shown, nets) if shown else Markup(),
            "movements_since": _since(first_day, shown),
            "movements_missing": texts.MOVEMENTS_COUNTING if found is None else texts.MOVEMENTS_EMPTY,
            "kinds": [(kind.value, texts.KINDS[kind]) for kind in charts.SHOWN],
            "movement_lines": [
                (
                    texts.month(month),
                    [texts.signed_cents(months.get(month, {}).get(kind, 0)) for kind in charts.SHOWN],
                    texts.signed_cents(nets[month]),
                )
                for month in reversed(shown)
            ],
        }

    def _drawn(self, months: Months, shown: list[date], nets: Mapping[date, int]) -> Markup:
        summary = texts.MOVEMENTS_SUMMARY.format(
            first=texts.month(shown[0]), last=texts.month(shown[-1]), net=texts.signed_cents(nets[shown[-1]])
        )
        return charts.movements(months, shown, texts.MOVEMENTS, summary)

    def _table(self, wanted: ViewRequest, today: date) -> View:
        kind, shape = ("monthly", rows.monthly) if wanted.period == "months" else ("daily", rows.daily)
        first = _first(wanted, today)
        pages = max(1, math.ceil(table.count(self.house.database, kind, first) / ROWS_ON_A_PAGE))
        page = min(wanted.page, pages)
        found = table.page(self.house.database, kind, first, (page - 1) * ROWS_ON_A_PAGE, ROWS_ON_A_PAGE)
        return {"rows": [shape(row) for row in found], "page": page, "pages": pages, "period": wanted.period}


def _since(first_day: date | None, shown: Sequence[date]) -> str:
    """Since when movements are known, if that is in the months shown: empty ones before it were not without any."""
    is_inside = first_day is not None and shown and first_day > shown[0]
    return texts.MOVEMENTS_SINCE.format(day=texts.day(first_day)) if is_inside else ""


def _first(wanted: ViewRequest, today: date) -> date | None:
    """The first day of a period that ends today; None for all there is."""
    return today - timedelta(int(wanted.period) - 1) if wanted.period.isdecimal() else None
