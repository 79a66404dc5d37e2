"""The note of a month: one line in Italian, computed from the ledger's numbers only.

It needs no events, so it can always be recomputed. The note of the ledger's first month includes the first day counted.
"""

from collections.abc import Iterator
from typing import NamedTuple

from rules.model.events import EventType
from rules.rows import row
from rules.rows.period_data import PeriodData
from rules.rows.periods import Period
from rules.settings.catalog import EMOJIS, SEPARATOR, euro, render
from rules.settings.italian import MONTHS
from rules.settings.settings import Settings
from rules.text import one_line


class Part(NamedTuple):
    """One statement of a month's note: emoji, text and the numbers in it, by the field names of `explain`."""

    numbers: tuple[str, ...]
    emoji: str
    text: str

    def __str__(self) -> str:
        return f"{self.emoji} {self.text}"


def note(period: Period, data: PeriodData, settings: Settings) -> str:
    """Return the month's note, cut at `settings.note_length` characters."""
    return one_line(SEPARATOR.join(map(str, parts(period, data, settings))), settings.note_length)


def parts(period: Period, data: PeriodData, settings: Settings) -> Iterator[Part]:
    """Yield the statements of the note, most important first."""
    texts, sums = settings.texts, data.sums
    counted = ("total_customers", "paying_customers")
    yield Part(counted, _emoji("summary", settings), _title(period, data, settings))
    change = _signed(sums.mrr_cents, money=True)
    mrr = render(texts, "month_mrr", amount=euro(data.totals.mrr_cents), change=change)
    yield Part(("mrr",), _emoji("growth" if sums.mrr_cents >= 0 else "decline", settings), mrr)
    yield Part(("sales",), _style(EventType.LICENSE_CREATED, settings), render(texts, "month_sales", value=sums.sales))
    if sums.one_time_cents:
        text = render(texts, "month_one_time", amount=euro(sums.one_time_cents))
        yield Part(("one_time_revenue",), _style(EventType.PAYMENT_COMPLETED, settings), text)
    if sums.cancellations:
        text = render(texts, "month_cancellations", value=sums.cancellations)
        yield Part(("cancellations",), _style(EventType.LICENSE_CANCELLED, settings), text)
    yield from _churn_and_retention(data, settings)


def _churn_and_retention(data: PeriodData, settings: Settings) -> Iterator[Part]:
    texts, sums = settings.texts, data.sums
    rates = row.period_rates(data.totals, data.rates_sums)
    if sums.churned_customers:
        rate = percent(rates.customer_churn_rate)
        text = render(texts, "month_churned", value=sums.churned_customers, rate=rate)
        yield Part(("churned_customers", "customer_churn_rate"), _style(EventType.LICENSE_CANCELLED, settings), text)
    if sums.reactivated_customers:
        text = render(texts, "month_reactivated", value=sums.reactivated_customers)
        yield Part(("reactivated_customers",), _style(EventType.LICENSE_ACTIVATED, settings), text)
    if rates.net_revenue_retention is not None:
        text = render(texts, "month_retention", rate=percent(rates.net_revenue_retention))
        yield Part(("net_revenue_retention",), _style(EventType.LICENSE_RENEWED, settings), text)


def _title(period: Period, data: PeriodData, settings: Settings) -> str:
    measured_from = data.measured_from
    return render(
        settings.texts,
        "month" if measured_from is None else "month_begun",
        month=f"{MONTHS[period.first.month - 1]} {period.first.year}",
        day=measured_from.astimezone(settings.zone).day if measured_from else "",
        customers=data.totals.customers,
        change=_signed(data.sums.customers),
        paying=data.totals.paying_customers,
        paying_change=_signed(data.sums.paying_customers),
    )


def percent(share: float | None) -> str:
    """Return a share as the table shows it: 3.1%, or "n.d." (not available) if it is undefined."""
    return "n.d." if share is None else f"{share * 100:.1f}%"


def _signed(number: int, *, money: bool = False) -> str:
    if number == 0:
        return "="
    return f"{'+' if number > 0 else '-'}{euro(abs(number)) if money else abs(number)}"


def _emoji(name: str, settings: Settings) -> str:
    return settings.emojis.get(name) or EMOJIS[name]


def _style(kind: EventType, settings: Settings) -> str:
    return settings.styles[kind].emoji
