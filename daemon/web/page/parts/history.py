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
from rules.settings import italian

View = dict[str, Any]


def mrr_history(snapshot: Snapshot, first: date | None) -> View:
    """Return the MRR from `first` (None: all) to today."""
    points = [
        charts.Point(row["date"].date(), italian.number(row.get("mrr")), bool(row.get("reconstructed")))
        for row in row_store.mrr_history(snapshot.database, first, snapshot.today, snapshot.session)
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


def movements(found: Months | None, today: date, first_day: date | None) -> View:
    """Return the movements by month; `found` is None while they are still being summed."""
    months = found or {}
    shown = charts.recent_months(months, today)
    nets = {month: sum(months.get(month, {}).values()) for month in shown}
    return {
        "movements_chart": _movements_chart(months, shown, nets) if shown else Markup(),
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


def _movements_chart(months: Months, shown: list[date], nets: Mapping[date, int]) -> Markup:
    summary = texts.MOVEMENTS_SUMMARY.format(
        first=texts.month(shown[0]), last=texts.month(shown[-1]), net=italian.signed_cents(nets[shown[-1]])
    )
    return charts.movements_chart(months, shown, texts.MOVEMENTS, summary)


def _since(first_day: date | None, shown: Sequence[date]) -> str:
    """Return a note on the ledger's first day if it is within the months shown: earlier movements are unknown."""
    is_inside = first_day is not None and shown and first_day > shown[0]
    return texts.MOVEMENTS_SINCE.format(day=texts.day(first_day)) if is_inside else ""
