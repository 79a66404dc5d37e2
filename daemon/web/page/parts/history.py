"""MRR over time and the MRR movements by month, each as a chart and as a table."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from daemon.store import rows as row_store
from daemon.store.ledger.totals import Months
from daemon.web.page import texts
from daemon.web.page.parts import charts
from daemon.web.page.snapshot import Snapshot
from rules.rows import number_names
from rules.settings import italian

View = dict[str, Any]


def mrr_history(snapshot: Snapshot, first: date | None) -> View:
    """Return the MRR from `first` (None: all) to today."""
    shown = charts.resample(_points(snapshot, first))
    if len(shown) < 2:
        return {"mrr_chart": "", "mrr_points": [], "has_reconstructed": False}
    known = [point for point in shown if point.mrr is not None]
    summary = texts.MRR_HISTORY_SUMMARY.format(
        first=italian.with_article(italian.DAL, known[0].day, snapshot.today),
        last=italian.with_article(italian.AL, known[-1].day, snapshot.today),
        start=italian.euro(known[0].mrr),
        end=italian.euro(known[-1].mrr),
    )
    return {
        "mrr_chart": charts.mrr_chart(shown, texts.MRR_HISTORY, summary),
        "mrr_points": [
            (_when(point.day, snapshot), texts.day(point.day), italian.euro(point.mrr)) for point in reversed(known)
        ],
        "has_reconstructed": any(point.reconstructed for point in shown),
    }


def _when(day: date, snapshot: Snapshot) -> str:
    """Return what addresses call a day."""
    return texts.NOW if day == snapshot.today and snapshot.current else str(day)


def _points(snapshot: Snapshot, first: date | None) -> list[charts.Point]:
    """Return the MRR of the stored rows, and of today that of the totals."""
    points = [
        charts.Point(row["date"].date(), italian.number(row.get("mrr")), bool(row.get("reconstructed")))
        for row in row_store.mrr_history(snapshot.database, first, snapshot.today, snapshot.session)
    ]
    if snapshot.current is None or not points or points[-1].day != snapshot.today:
        return points
    return [*points[:-1], charts.Point(snapshot.today, snapshot.current.totals.mrr_cents / 100)]


def movements(found: Months | None, today: date, first_day: date | None) -> View:
    """Return the movements by month; `found` is None while they are still being summed."""
    months = found or {}
    shown = charts.recent_months(months, today)
    nets = {month: sum(months.get(month, {}).values()) for month in shown}
    return {
        "movements_chart": _movements_chart(months, shown, nets) if shown else Markup(),
        "movements_since": _since(first_day, shown, today),
        "movements_missing": texts.MOVEMENTS_COUNTING if found is None else texts.MOVEMENTS_EMPTY,
        "kinds": [
            (kind.value, number_names.name_of(f"mrr_movements.{kind}.amount"), texts.KINDS[kind])
            for kind in charts.SHOWN_KINDS
        ],
        "movement_rows": [
            (
                f"{month:%Y-%m}",
                texts.month(month),
                [italian.signed_cents(months.get(month, {}).get(kind, 0)) for kind in charts.SHOWN_KINDS],
                italian.signed_cents(nets[month]),
            )
            for month in reversed(shown)
        ],
    }


def _movements_chart(months: Months, shown: list[date], nets: Mapping[date, int]) -> Markup:
    summary = texts.MOVEMENTS_SUMMARY.format(
        first=texts.month(shown[0]), last=texts.month(shown[-1]), net=italian.signed_cents(nets[shown[-1]])
    )
    return charts.movements_chart(months, shown, texts.MOVEMENTS, summary)


def _since(first_day: date | None, shown: Sequence[date], today: date) -> str:
    """Return a note on the ledger's first day if it is within the months shown: earlier movements are unknown."""
    if first_day is None or not shown or first_day <= shown[0]:
        return ""
    return texts.MOVEMENTS_SINCE.format(day=italian.with_article(italian.DAL, first_day, today))
