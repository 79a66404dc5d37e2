"""Oggi: the figures with their changes, the day so far, MRR of 90 days, the newest events, the plans."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from daemon.mongo.types import ReadOnlyDocument
from daemon.rollup.event_descriptions import EventDescriber
from daemon.store import events
from daemon.store import rows as row_store
from daemon.store.ledger.totals import CurrentTotals
from daemon.store.mirror.reader import MirrorReader
from daemon.web.context import WebContext
from daemon.web.page import texts
from daemon.web.page.charts import history
from daemon.web.page.environment import page_url
from daemon.web.page.parts import customers, facts, feed, figures, months, rates
from daemon.web.page.rendering import Renderer, View
from daemon.web.page.snapshot import Snapshot
from daemon.web.page.views import trend
from rules import business_days
from rules.rows import periods

ADDRESS = "/analytics"
FEED_ITEMS = 8
FEED_DAYS = 30
HISTORY_DAYS = 90

OldPeriod = Annotated[str | None, Query(alias="period")]
OldPage = Annotated[str | None, Query(alias="page")]


def router(context: WebContext) -> APIRouter:
    renderer, routes = Renderer(context), APIRouter()

    @routes.get(ADDRESS)
    def show(period: OldPeriod = None, page: OldPage = None) -> Response:
        """Render the page; the address of the table before it moved leads on to where it is now."""
        if period is not None or page is not None:
            return RedirectResponse(_moved(period, page), HTTPStatus.MOVED_PERMANENTLY)
        with renderer.snapshot() as snapshot:
            return renderer.page("today.html", "today", snapshot, view(context, snapshot))

    return routes


def _moved(period: str | None, page: str | None) -> str:
    """Return the address of the table that an address of before means; unknown values get the default."""
    number = int(page) if page and page.isascii() and page.isdecimal() and len(page) < 6 else 1
    return page_url(trend.ADDRESS, periodo=trend.OLD_PERIODS.get(period or ""), pagina=number if number > 1 else None)


def view(context: WebContext, snapshot: Snapshot) -> View:
    current = snapshot.current
    plans = MirrorReader(snapshot.database, snapshot.settings).plans(snapshot.session) if current else {}
    row = row_store.get(snapshot.database, periods.day(snapshot.today), snapshot.session)
    return {
        "figures": figures.figures(current, _earlier_rows(current, snapshot)) if current else [],
        "no_comparison": _no_comparison(current),
        "rates": rates.lines(context.explanation(FEED_ITEMS), snapshot, snapshot.today),
        "rates_title": texts.RATES_TITLE.format(days=periods.RATES_DAYS),
        "todo": customers.todo(snapshot) if current else [],
        "backfill_hint": months.backfill_hint(snapshot),
        "facts_today": facts.of_whole_note(snapshot, snapshot.today, row) if row else [],
        "feed": _feed(snapshot),
        "plans": figures.plan_lines(current.totals, plans, snapshot.settings) if current else [],
        "deals": figures.deals(current.totals, plans, snapshot.settings) if current else [],
        "history": history.history(snapshot, history.Wanted(days=HISTORY_DAYS)),
        "marks_address": page_url(trend.ADDRESS, periodo=HISTORY_DAYS),
    }


def _no_comparison(current: CurrentTotals | None) -> str:
    """Return what stands in place of the changes: on the ledger's first day they begin tomorrow."""
    is_first_day = current is not None and current.first_day == current.today
    return texts.COMPARE_TOMORROW if is_first_day else texts.NO_COMPARISON


def _feed(snapshot: Snapshot) -> list[feed.FeedItem]:
    describer = EventDescriber.of(snapshot.database, snapshot.settings)
    recent = events.recent(snapshot.database, snapshot.now - timedelta(FEED_DAYS), FEED_ITEMS)
    return [feed.feed_item(event, snapshot.today, snapshot.settings) for event in describer.describe(recent)]


def _earlier_rows(current: CurrentTotals, snapshot: Snapshot) -> dict[int, ReadOnlyDocument]:
    """Return the rows to compare with, by age in days, for days before the ledger."""
    missing = [ago for ago in figures.SPANS if ago not in current.earlier]
    days = {ago: current.today - ago * business_days.ONE_DAY for ago in missing}
    found = {ago: row_store.daily_row(snapshot.database, day, snapshot.session) for ago, day in days.items()}
    return {ago: row for ago, row in found.items() if row is not None}
