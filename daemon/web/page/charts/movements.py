"""MRR movements by month, as stacked columns and as a table."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from daemon.store.ledger.totals import CurrentTotals, Months
from daemon.web.page import texts
from daemon.web.page.charts import columns
from rules.model.ledger import MovementKind
from rules.rows import number_names
from rules.settings import italian

View = dict[str, Any]
NAMES = {kind: number_names.name_of(f"mrr_movements.{kind}.amount") for kind in columns.SHOWN_KINDS}
"""The names of the movements in addresses."""


def movements(found: Months | None, today: date, current: CurrentTotals | None) -> View:
    """Return the movements by month up to the line of `current`; `found` is None while they are still being summed."""
    first_day = current.first_day if current else None
    months = found or {}
    shown = columns.recent_months(months, today)
    nets = [sum(months.get(month, {}).values()) for month in shown]
    chart = columns.column_chart(months, shown) if shown else None

    def shown_amount(month: date, cents: int) -> str:
        is_known = first_day is None or month >= first_day.replace(day=1)
        return italian.signed_cents(cents) if is_known else italian.DASH

    def line(month: date) -> int | None:
        """Return the ledger line at which the numbers of the running month stand."""
        return current.line if current and month == today.replace(day=1) else None

    return {
        "movements_chart": chart,
        "movements_summary": _summary(shown, nets) if shown else "",
        "movements_since": _since(first_day, shown, today),
        "movements_missing": texts.MOVEMENTS_COUNTING if found is None else texts.MOVEMENTS_EMPTY,
        "kinds": [(kind.value, NAMES[kind], texts.KINDS[kind]) for kind in columns.SHOWN_KINDS],
        "kind_names": NAMES,
        "bar_title": bar_title,
        "bar_line": line,
        "movements_tick": lambda value: italian.euro(value, 0),
        "movement_rows": [
            (
                f"{month:%Y-%m}",
                texts.month(month),
                [shown_amount(month, months.get(month, {}).get(kind, 0)) for kind in columns.SHOWN_KINDS],
                shown_amount(month, net),
                line(month),
                tick.at,
            )
            for month, net, tick in zip(shown, nets, chart.months, strict=True)
        ][::-1]
        if chart
        else [],
    }


def bar_title(kind: MovementKind, month: date, cents: int) -> str:
    return f"{texts.KINDS[kind]}, {texts.month(month)}: {italian.signed_cents(cents)}"


def _summary(shown: Sequence[date], nets: Sequence[int]) -> str:
    return texts.MOVEMENTS_SUMMARY.format(
        first=texts.month(shown[0]), last=texts.month(shown[-1]), net=italian.signed_cents(nets[-1])
    )


def _since(first_day: date | None, shown: Sequence[date], today: date) -> str:
    """Return a note on the ledger's first day if it is within the months shown: earlier movements are unknown."""
    if first_day is None or not shown or first_day <= shown[0]:
        return ""
    return texts.MOVEMENTS_SINCE.format(day=italian.with_article(italian.DAL, first_day, today))
