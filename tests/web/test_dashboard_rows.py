"""Rows that the dashboard counted are never compared with ours: months, the letter, the chart."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest

from daemon.config.active import ActiveConfig
from daemon.mongo.types import Database
from daemon.rollup.months import Month, MonthSource
from daemon.runtime.health import Health
from daemon.web.context import WebContext
from daemon.web.page import texts, trend_texts
from daemon.web.page.charts.history import History, Wanted, history
from daemon.web.page.parts import letter, months
from daemon.web.page.snapshot import open_snapshot
from rules import business_days
from rules.settings import italian
from tests.shop_history import ShopHistory, config_of
from tests.web.test_months import dashboard_rows, life, page

__all__ = ["life", "page"]

TODAY = date(2025, 6, 30)
LEDGER_START = date(2025, 3, 14)


def context_of(database: Database) -> WebContext:
    return WebContext(database, ActiveConfig(config_of(database)), Health())


def test_the_list_of_months_compares_only_months_that_were_counted_by_the_same_rules(life: ShopHistory) -> None:
    dashboard_rows(life.db, date(2025, 1, 15), date(2025, 3, 13))
    with open_snapshot(context_of(life.db)) as snapshot:
        changes = {line.first.month: line.numbers[1][0] for line in months.lines(snapshot)}

    assert changes[1] == changes[3] == italian.DASH
    assert changes[2] == italian.signed_cents(2800)
    assert changes[4] != italian.DASH


def month(number: int, mrr: float | None, *, ours: bool = True) -> Month:
    row: dict[str, Any] = {"mrr": mrr, "active_licenses": 3 if ours else None}
    return Month(date(2025, number, 1), row, MonthSource.CLOSED if ours else MonthSource.DAYS)


@pytest.mark.parametrize(
    ("listed", "is_best"),
    [
        ([month(1, 10), month(2, 20), month(3, 30), month(4, 50)], True),
        ([month(1, 10, ours=False), month(2, 900), month(3, 910), month(4, 920), month(5, 950)], True),
        ([month(1, 10, ours=False), month(2, 900), month(3, 910), month(4, 930)], False),
        ([month(1, 10), month(2, 20), month(3, 30), month(4, 50), month(5, None)], False),
        ([month(1, 10), month(2, 20), month(4, 30), month(5, 50)], False),
    ],
)
def test_the_best_month_is_the_best_of_changes_between_adjacent_months_of_the_same_rules(
    listed: Sequence[Month], is_best: bool
) -> None:
    assert letter.is_best(listed[-1], listed) is is_best


def test_a_month_whose_month_before_the_dashboard_counted_has_no_headline(life: ShopHistory) -> None:
    """A reconstructed month has no movements, so its start would be the end of the month before."""
    dashboard_rows(life.db, date(2025, 1, 1), date(2025, 1, 31))
    numbers = {"mrr": 90.0, "total_customers": 9, "paying_customers": 8, "active_licenses": 8}
    february = {
        "date": business_days.stored(date(2025, 2, 1)),
        "period_type": "monthly",
        "reconstructed": True,
        **numbers,
    }
    life.db.historical_analytics.insert_one(february)
    with open_snapshot(context_of(life.db)) as snapshot:
        first, second = (letter.read(snapshot, date(2025, number, 1), "") for number in (1, 2))

    assert first is not None and second is not None
    assert (second.letter.headline, second.letter.lines) == ("", ())


def test_a_day_after_one_that_the_dashboard_counted_has_no_change() -> None:
    february = [business_days.stored(date(2025, 2, number)) for number in range(1, 5)]
    dashboard, ours = {"mrr": 900.0}, {"mrr": 10.0, "active_licenses": 1}
    rows = [dashboard, {"mrr": 910.0}, ours, {"mrr": 15.0, "active_licenses": 2}]
    days = [{"date": day, **row} for day, row in zip(february, rows, strict=True)]

    assert [(one.day.day, one.mrr_cents) for one in letter.day_changes(days, date(2025, 2, 1))] == [(2, 1000), (4, 500)]


def charted(life: ShopHistory, wanted: Wanted) -> History:
    with open_snapshot(context_of(life.db)) as snapshot:
        return history(snapshot, wanted)


def test_the_line_of_the_dashboards_days_is_not_connected_with_ours_and_has_a_key(
    life: ShopHistory, page: httpx2.Client
) -> None:
    dashboard_rows(life.db, date(2025, 3, 1), date(2025, 3, 13))
    chart = charted(life, Wanted(days=None)).chart
    assert chart is not None
    dashboard, ours = chart.strokes

    assert (dashboard.kind, len(dashboard.places)) == ("dashboard", 13)
    assert ours.kind == "current"
    assert not set(dashboard.places) & set(ours.places)
    assert trend_texts.DASHBOARD_KEY in page.get("/analytics/andamento?periodo=tutto").text
    assert trend_texts.DASHBOARD_KEY not in page.get("/analytics/andamento?periodo=30").text


def test_the_sentence_on_a_chart_begins_with_the_first_day_of_ours(life: ShopHistory) -> None:
    dashboard_rows(life.db, date(2025, 3, 1), date(2025, 3, 13))

    assert "dal 14 marzo" in charted(life, Wanted(days=None)).summary


def test_the_period_before_shows_no_day_that_was_counted_by_other_rules(life: ShopHistory) -> None:
    dashboard_rows(life.db, date(2025, 1, 1), date(2025, 3, 13))
    rows = {row.day: row for row in charted(life, Wanted(days=90, compares=True)).rows}
    days = [TODAY - timedelta(ago) for ago in range(1, 90)]
    before = {day - timedelta(90): rows[texts.day(day)] for day in days}

    assert {day for day, row in before.items() if row.previous != italian.DASH} == {
        day for day in before if day >= LEDGER_START
    }
    assert all(bool(row.previous_address) == (row.previous != italian.DASH) for row in rows.values())
