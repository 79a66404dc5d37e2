"""The rates of the 30 days until a day, each with the fraction that it is, or the reason why it is unknown."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from daemon.rollup.row_builder import RowBuilder
from daemon.web.page import texts
from daemon.web.page.snapshot import Snapshot
from rules.model.ledger import Totals
from rules.revenue import rates
from rules.revenue.day_sums import DaySums
from rules.revenue.rates import Rates, Start
from rules.rows import number_values, periods, row
from rules.settings import italian

FEW_SUBSCRIBERS = 10
"""With fewer at the start a percentage says nothing: the fraction stands alone."""


class RateLine(NamedTuple):
    """One rate: `key` is its name in addresses; `reason` says why it is unknown, "" if it is known."""

    key: str
    name: str
    value: str
    fraction: str
    reason: str = ""


def lines(snapshot: Snapshot, day: date) -> list[RateLine]:
    """Return ARPA and the rates of the 30 days until a day; empty before the first start."""
    if snapshot.current is None:
        return []
    builder = RowBuilder(snapshot.database, snapshot.settings)
    data = builder.period_data(periods.day(day), snapshot.session)
    if data.rates_sums is None:
        reason = _too_early(day, snapshot.current.first_day)
        return [_arpa(data.totals), *(_unknown(key, reason) for key in texts.RATES if key != "arpa")]
    start = row.start(data.totals, data.rates_sums)
    known = row.period_rates(data.totals, data.rates_sums)
    return [
        _arpa(data.totals),
        *_of_customers(start, data.rates_sums, known),
        *_of_revenue(start, data.rates_sums, known),
    ]


def _too_early(day: date, first_day: date | None) -> str:
    count = (day - first_day).days if first_day else 0
    return texts.UNKNOWN_TOO_EARLY.format(known=count, needed=periods.RATES_DAYS)


def _arpa(totals: Totals) -> RateLine:
    if not totals.subscribers:
        return _unknown("arpa", texts.UNKNOWN_NO_SUBSCRIBERS)
    amount = rates.arpa(totals.mrr_cents, totals.subscribers)
    fraction = texts.PART_OF.format(part=italian.cents(totals.mrr_cents), whole=italian.integer(totals.subscribers))
    return RateLine("arpa", texts.RATES["arpa"], italian.euro(amount), fraction)


def _of_customers(start: Start, sums: DaySums, known: Rates) -> Iterator[RateLine]:
    if not start.subscribers:
        yield _unknown("churn-clienti", texts.UNKNOWN_NO_SUBSCRIBERS_THEN)
        return
    parts = (italian.integer(sums.churned_customers), italian.integer(start.subscribers))
    yield _share("churn-clienti", known.customer_churn_rate, parts, start)


def _of_revenue(start: Start, sums: DaySums, known: Rates) -> Iterator[RateLine]:
    lost, won, whole = rates.lost(sums), rates.won(sums), start.mrr_cents
    kept = {
        "churn-ricavi": (known.revenue_churn_rate, lost),
        "retention": (known.net_revenue_retention, rates.retained(start, sums)),
        "retention-lorda": (number_values.gross_retention(known.revenue_churn_rate), whole - lost),
    }
    for key, (rate, part) in kept.items():
        if whole > 0:
            yield _share(key, rate, (italian.cents(part), italian.cents(whole)), start)
        else:
            yield _unknown(key, texts.UNKNOWN_NO_MRR)
    if known.quick_ratio is None:
        yield _unknown("quick-ratio", texts.UNKNOWN_NOTHING_LOST)
    else:
        fraction = texts.WON_AND_LOST.format(won=italian.cents(won), lost=italian.cents(lost))
        yield RateLine("quick-ratio", texts.RATES["quick-ratio"], italian.decimal(known.quick_ratio), fraction)


def _share(key: str, rate: float | None, parts: tuple[str, str], start: Start) -> RateLine:
    fraction = texts.PART_OF.format(part=parts[0], whole=parts[1])
    if start.subscribers < FEW_SUBSCRIBERS:
        return RateLine(key, texts.RATES[key], fraction, "")
    return RateLine(key, texts.RATES[key], italian.percent(rate), fraction)


def _unknown(key: str, reason: str) -> RateLine:
    return RateLine(key, texts.RATES[key], italian.DASH, "", reason)
