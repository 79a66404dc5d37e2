"""Andamento: a number over time, MRR movements by month, and the table of days or months, all for one period."""

import math
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from daemon.store import rows as row_store
from daemon.store.ledger.totals import MovementsByMonth
from daemon.web.context import WebContext
from daemon.web.page import texts
from daemon.web.page.charts import history
from daemon.web.page.charts import movements as movement_parts
from daemon.web.page.charts.history import Wanted
from daemon.web.page.charts.metrics import METRICS, TrendMetric
from daemon.web.page.environment import page_url
from daemon.web.page.parts import rows
from daemon.web.page.rendering import Renderer, View
from daemon.web.page.snapshot import Snapshot
from rules.rows import periods
from rules.rows.periods import PeriodKind
from rules.settings import italian

ADDRESS = "/analytics/andamento"
ROWS_ON_A_PAGE = 90
MAX_PAGE = 99_999
CONTROLS = "scelta"
"""The element with the controls: their links lead back to it."""
COUNTING_SECONDS = 1.5
"""How long one visit may sum ledger lines that no earlier visit has summed."""


class TrendPeriod(StrEnum):
    """Which rows to show, as the address names it; `texts.PERIODS` has the names for people."""

    WEEK = "7"
    MONTH = "30"
    TWO_MONTHS = "60"
    QUARTER = "90"
    YEAR = "365"
    ALL = "tutto"
    MONTHS = "mesi"


OLD_PERIODS = {"all": TrendPeriod.ALL, "months": TrendPeriod.MONTHS} | {
    one.value: one for one in TrendPeriod if one.value.isdecimal()
}
"""The periods by their former names in the address."""

Page = Annotated[int, Query(alias="pagina", ge=1, le=MAX_PAGE)]
Period = Annotated[TrendPeriod, Query(alias="periodo")]
Shown = Annotated[TrendMetric, Query(alias="metrica")]
Compared = Annotated[Literal["si"] | None, Query(alias="confronto")]


def router(context: WebContext) -> APIRouter:
    renderer, months, routes = Renderer(context), MovementsByMonth(context.database), APIRouter()

    @routes.get(ADDRESS)
    def show(
        metric: Shown = TrendMetric.MRR,
        period: Period = TrendPeriod.MONTH,
        compared: Compared = None,
        page: Page = 1,
    ) -> Response:
        with renderer.snapshot() as snapshot:
            found = {
                **chart(snapshot, metric, period, compares=compared is not None),
                **movements(snapshot, months),
                **table(snapshot, period, page),
            }
            return renderer.page("trend.html", "trend", snapshot, found)

    return routes


def chart(snapshot: Snapshot, metric: TrendMetric, period: TrendPeriod, *, compares: bool) -> View:
    days = int(period) if period.isdecimal() else None
    chosen = {"metrica": metric.value, "periodo": period.value, "confronto": "si" if compares and days else None}
    return {
        "history": history.history(snapshot, Wanted(METRICS[metric], days, compares)),
        "marks_address": "",
        "can_compare": days is not None,
        "compares": compares,
        "trend_url": lambda anchor=CONTROLS, **changes: page_url(ADDRESS, anchor, **{**chosen, **changes}),
    }


def movements(snapshot: Snapshot, months: MovementsByMonth) -> View:
    current = snapshot.current
    found = months.read(COUNTING_SECONDS, current.line) if current else {}
    return movement_parts.movements(found, snapshot.today, current)


def table(snapshot: Snapshot, period: TrendPeriod, wanted_page: int) -> View:
    kind = PeriodKind.MONTHLY if period is TrendPeriod.MONTHS else PeriodKind.DAILY
    first, database, session = first_day(period, snapshot.today), snapshot.database, snapshot.session
    pages = max(1, math.ceil(row_store.count(database, kind, first, session) / ROWS_ON_A_PAGE))
    page = min(wanted_page, pages)
    part = ((page - 1) * ROWS_ON_A_PAGE, ROWS_ON_A_PAGE)
    stored = row_store.page(database, kind, first, part, session)
    found = [rows.monthly(row, snapshot) if kind is PeriodKind.MONTHLY else rows.daily(row, snapshot) for row in stored]
    return {
        "rows": found,
        "page": page,
        "pages": pages,
        "period": period.value,
        "months_empty": texts.MONTHS_EMPTY.format(month=_next_month(snapshot.today)),
    }


def _next_month(today: date) -> str:
    return italian.MONTHS[periods.next_month(today.replace(day=1)).month - 1].lower()


def first_day(period: TrendPeriod, today: date) -> date | None:
    """Return the first day of a period that ends today; None for all rows."""
    return today - timedelta(int(period) - 1) if period.isdecimal() else None
