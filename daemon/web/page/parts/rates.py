"""The rates of the 30 days until a day, each with the fraction that it is, or the reason why it is unknown."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from daemon.diagnostics.explanation import Asked, Explanation, NotExplained
from daemon.mongo.types import Document
from daemon.store.ledger.totals import CurrentTotals
from daemon.web.page import texts, why_texts
from daemon.web.page.parts import why
from daemon.web.page.snapshot import Snapshot
from rules.model.ledger import Totals
from rules.revenue import rates
from rules.revenue.day_sums import DaySums
from rules.revenue.rates import Rates, Start
from rules.rows import number_names, number_values, periods, row
from rules.settings import italian


class RateLine(NamedTuple):
    """One rate: `key` is its name in addresses, `number` its value, None if it is unknown; `reason` says why."""

    key: str
    name: str
    value: str
    fraction: str
    reason: str = ""
    number: float | None = None


def of_day(explanation: Explanation, snapshot: Snapshot, day: date, stored: Document) -> list[RateLine]:
    """Return the rates of a day as its row has them; one that the ledger gives otherwise does not add up."""
    return [_as_stored(line, stored) for line in lines(explanation, snapshot, day)]


def _as_stored(line: RateLine, stored: Document) -> RateLine:
    field = number_names.FIELDS[line.key]
    number = number_values.value(stored, field)
    if number_values.stored_field(field) not in stored or number == line.number:
        return line
    return RateLine(line.key, line.name, why.format_value(field, number), "", why_texts.FAILS)


def lines(explanation: Explanation, snapshot: Snapshot, day: date) -> list[RateLine]:
    """Return ARPA and the rates of the 30 days until a day; empty before the first start."""
    if snapshot.current is None:
        return []
    try:
        data = explanation.rates_data(_asked(snapshot.current, day), snapshot.session)
    except NotExplained:
        return [_unknown(key, texts.COUNTING) for key in texts.RATES]
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


def _asked(current: CurrentTotals, day: date) -> Asked:
    period = periods.day(day)
    return Asked(period, current.line, is_live=True, at=current.at) if day == current.today else Asked(period)


def _too_early(day: date, first_day: date | None) -> str:
    count = (day - first_day).days if first_day else 0
    return texts.UNKNOWN_TOO_EARLY.format(known=count, needed=periods.RATES_DAYS)


def _arpa(totals: Totals) -> RateLine:
    if not totals.subscribers:
        return _unknown("arpa", texts.UNKNOWN_NO_SUBSCRIBERS)
    amount = rates.arpa(totals.mrr_cents, totals.subscribers)
    fraction = texts.PART_OF.format(part=italian.cents(totals.mrr_cents), whole=italian.integer(totals.subscribers))
    return RateLine("arpa", texts.RATES["arpa"], italian.euro(amount), fraction, number=amount)


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
        value = italian.decimal(known.quick_ratio)
        yield RateLine("quick-ratio", texts.RATES["quick-ratio"], value, fraction, number=known.quick_ratio)


def _share(key: str, rate: float | None, parts: tuple[str, str], start: Start) -> RateLine:
    fraction = texts.PART_OF.format(part=parts[0], whole=parts[1])
    if start.subscribers < rates.MIN_SUBSCRIBERS:
        return RateLine(key, texts.RATES[key], fraction, "", number=rate)
    return RateLine(key, texts.RATES[key], italian.percent(rate), fraction, number=rate)


def _unknown(key: str, reason: str) -> RateLine:
    return RateLine(key, texts.RATES[key], italian.DASH, "", reason)
