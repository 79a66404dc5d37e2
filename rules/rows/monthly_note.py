"""The note of a month: what it brought, in one line of Italian, from the ledger's numbers alone.

It needs no events, so it can be made anew for ever. A month in which the ledger began says from which day on it counts.
"""

from collections.abc import Iterator
from typing import NamedTuple

from rules.model.events import EventType
from rules.rows import row
from rules.rows.period_data import PeriodData
from rules.rows.periods import Period
from rules.settings.catalog import EMOJIS, MONTHS, SEPARATOR, euro, render
from rules.settings.settings import Settings
from rules.text import one_line


class Part(NamedTuple):
    """One thing a month's note says: the numbers it is made of, by the names `explain` takes, and its words."""

    numbers: tuple[str, ...]
    emoji: str
    text: str

    def __str__(self) -> str:
        return f"{self.emoji} {self.text}"


def note(period: Period, books: PeriodData, settings: Settings) -> str:
    """The month's note, never longer than a note may be."""
    return one_line(SEPARATOR.join(map(str, parts(period, books, settings))), settings.note_length)


def parts(period: Period, books: PeriodData, settings: Settings) -> Iterator[Part]:
    """Each thing there is to say, the most important first."""
    texts, flows = settings.texts, books.flows
    counted = ("total_customers", "paying_customers")
    yield Part(counted, _emoji("summary", settings), _title(period, books, settings))
    change = _signed(flows.mrr_cents, money=True)
    mrr = render(texts, "month_mrr", amount=euro(books.totals.mrr_cents), change=change)
    yield Part(("mrr",), _emoji("growth" if flows.mrr_cents >= 0 else "decline", settings), mrr)
    yield Part(("sales",), _style(EventType.LICENSE_CREATED, settings), render(texts, "month_sales", value=flows.sales))
    if flows.one_time_cents:
        text = render(texts, "month_one_time", amount=euro(flows.one_time_cents))
        yield Part(("one_time_revenue",), _style(EventType.PAYMENT_COMPLETED, settings), text)
    if flows.cancellations:
        text = render(texts, "month_cancellations", value=flows.cancellations)
        yield Part(("cancellations",), _style(EventType.LICENSE_CANCELLED, settings), text)
    yield from _kept_and_lost(books, settings)


def _kept_and_lost(books: PeriodData, settings: Settings) -> Iterator[Part]:
    texts, flows = settings.texts, books.flows
    rates = row.looked_back(books.totals, books.looked_back)
    if flows.churned_customers:
        rate = percent(rates.customer_churn_rate)
        text = render(texts, "month_churned", value=flows.churned_customers, rate=rate)
        yield Part(("churned_customers", "customer_churn_rate"), _style(EventType.LICENSE_EXPIRED, settings), text)
    if flows.reactivated_customers:
        text = render(texts, "month_reactivated", value=flows.reactivated_customers)
        yield Part(("reactivated_customers",), _style(EventType.LICENSE_ACTIVATED, settings), text)
    if rates.net_revenue_retention is not None:
        text = render(texts, "month_retention", rate=percent(rates.net_revenue_retention))
        yield Part(("net_revenue_retention",), _style(EventType.LICENSE_RENEWED, settings), text)


def _title(period: Period, books: PeriodData, settings: Settings) -> str:
    begun = books.measured_from
    return render(
        settings.texts,
        "month" if begun is None else "month_begun",
        month=f"{MONTHS[period.first.month - 1]} {period.first.year}",
        day=begun.astimezone(settings.zone).day if begun else "",
        customers=books.totals.customers,
        change=_signed(books.flows.customers),
        paying=books.totals.paying_customers,
        paying_change=_signed(books.flows.paying_customers),
    )


def percent(share: float | None) -> str:
    """A share as the table shows it: 3.1%; "n.d." (not available) where it is undefined."""
    return "n.d." if share is None else f"{share * 100:.1f}%"


def _signed(number: int, *, money: bool = False) -> str:
    if number == 0:
        return "="
    return f"{'+' if number > 0 else '-'}{euro(abs(number)) if money else abs(number)}"


def _emoji(name: str, settings: Settings) -> str:
    return settings.emojis.get(name) or EMOJIS[name]


def _style(kind: EventType, settings: Settings) -> str:
    return settings.styles[kind].emoji
