"""The row of any past day, computed from the ledger, equals a recount as of that day's midnight."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from rules import business_days as days
from rules.model.changes import Change
from rules.model.ledger import Movement, Totals
from rules.revenue import day_sums, movements, rates
from rules.revenue.day_sums import DaySums
from rules.revenue.rates import Start
from rules.rows import period_data, periods, row
from rules.rows.period_data import LedgerStart
from rules.settings.settings import Settings
from tests.rules.calendar_recount import ZONE, business_days, recounted_days
from tests.rules.histories import histories
from tests.rules.shop import Shop

SETTINGS = Settings()


def ledger_by_day(history: Sequence[Change]) -> tuple[Shop, dict[date, list[Movement]]]:
    """Return a shop that has applied a history to the end of its last day, and its movements by business day."""
    shop = Shop().follow(history).tick(days.start(business_days(history)[-1] + days.ONE_DAY, ZONE))
    by_day: dict[date, list[Movement]] = {}
    for movement in shop.movements:
        by_day.setdefault(days.business_day(movement.at, ZONE), []).append(movement)
    return shop, by_day


@given(histories())
def test_the_row_of_each_day_is_a_recount_as_of_its_midnight(history: list[Change]) -> None:
    if not history:
        return
    shop, by_day = ledger_by_day(history)
    totals, sums = Totals(), {day: day_sums.of_day(lines) for day, lines in by_day.items()}
    ledger_start = LedgerStart(min(by_day), by_day[min(by_day)][0].at) if by_day else None

    for expected in recounted_days(history):
        before = movements.copy(totals)
        for movement in by_day.get(expected.day, ()):
            movements.add(totals, movement)
        period = periods.day(expected.day)
        computed = row.row(period, period_data.of(period, totals, sums, ledger_start), shop.plans, SETTINGS)
        assert {name: computed[name] for name in expected.numbers()} == expected.numbers(), expected.day
        moved = sum(round(line["amount"] * 100) for line in computed["mrr_movements"].values())
        assert moved == totals.mrr_cents - before.mrr_cents
        assert computed["arpa"] == expected.arpa()


@given(histories())
def test_a_days_rates_are_those_of_its_last_thirty_days_and_have_no_value_before_they_are_known(
    history: list[Change],
) -> None:
    if not history:
        return
    shop, by_day = ledger_by_day(history)
    if not by_day:
        return
    sums = {day: day_sums.of_day(lines) for day, lines in by_day.items()}
    ledger_start = LedgerStart(min(by_day), by_day[min(by_day)][0].at)
    known = {found.day: found for found in recounted_days(history)}
    for day in (*list(known)[-3:], *(day for day in list(known)[28:34])):
        period = periods.day(day)
        found = period_data.of(period, totals_at(by_day, day), sums, ledger_start)
        computed = row.row(period, found, shop.plans, SETTINGS)
        before = day - 30 * days.ONE_DAY
        if before < ledger_start.day:
            assert [computed[name] for name in rates.Rates._fields] == [None] * 4
            continue
        start = Start(known[before].totals["subscribers"], known[before].totals["mrr_cents"])
        assert found.rates_sums is not None
        assert row.start(found.totals, found.rates_sums) == start
        assert (computed["customer_churn_rate"] is None) == (start.subscribers == 0)
        if start.subscribers:
            month = [known[d].churned for d in days.between(before + days.ONE_DAY, day)]
            assert computed["customer_churn_rate"] == round(sum(month) / start.subscribers, 6)


@given(st.integers(-3, 70), st.integers(1, 45), st.booleans())
def test_the_needed_sums_of_consecutive_periods_give_the_same_period_data_as_all_sums(
    age: int, length: int, is_month: bool
) -> None:
    """The needed sums exclude an opening balance before the first period."""
    ledger_start = LedgerStart(date(2025, 3, 14), datetime(2025, 3, 14, 9, tzinfo=UTC))
    first = ledger_start.day + age * days.ONE_DAY
    span = [periods.month(first)] if is_month else [periods.day(first + n * days.ONE_DAY) for n in range(length)]
    everything = {ledger_start.day + n * days.ONE_DAY: DaySums(mrr_cents=1) for n in range(150)}
    since = period_data.first_needed_day(span[0], ledger_start)
    needed = {day: moved for day, moved in everything.items() if day >= since}

    for period in span:
        assert period_data.of(period, Totals(), needed, ledger_start) == period_data.of(
            period, Totals(), everything, ledger_start
        )
    assert since > ledger_start.day or span[0].first <= ledger_start.day
    assert period_data.first_needed_day(span[0], None) == span[0].first


def totals_at(by_day: Mapping[date, Sequence[Movement]], day: date) -> Totals:
    totals = Totals()
    for known, lines in by_day.items():
        for movement in lines if known <= day else ():
            movements.add(totals, movement)
    return totals


@given(histories())
def test_a_months_sums_are_those_of_its_days_and_its_totals_those_of_its_last(history: list[Change]) -> None:
    if not history:
        return
    shop, by_day = ledger_by_day(history)
    sums = {day: day_sums.of_day(lines) for day, lines in by_day.items()}
    ledger_start = LedgerStart(min(by_day), by_day[min(by_day)][0].at) if by_day else None
    span = business_days(history)
    for month in periods.months(span[0], span[-1]):
        found = period_data.of(month, totals_at(by_day, month.last), sums, ledger_start)
        computed = row.row(month, found, shop.plans, SETTINGS)
        daily = [sums.get(day, DaySums()) for day in days.between(month.first, month.last)]

        assert computed["new_customers"] == sum(day.new_customers for day in daily)
        assert computed["churned_customers"] == sum(day.churned_customers for day in daily)
        assert computed["rates_days"] == (month.last - month.first).days + 1
        assert (computed["measured_from"] is not None) == (
            ledger_start is not None and month.first <= ledger_start.day <= month.last
        )
        assert (computed["net_revenue_retention"] is None) or (
            ledger_start is not None and ledger_start.day < month.first
        )
