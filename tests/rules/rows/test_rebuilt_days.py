"""Law 3 in the pure core: the row of any past day, made from the ledger, is a recount as of that day's midnight."""

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
from tests.rules.calendar_recount import ZONE, business_days, recounted
from tests.rules.histories import histories
from tests.rules.shop import Shop

SETTINGS = Settings()


def ledger_by_day(history: Sequence[Change]) -> tuple[Shop, dict[date, list[Movement]]]:
    """A shop that followed a history to the end of its last day, and its movements by business day."""
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
    begin = LedgerStart(min(by_day), by_day[min(by_day)][0].at) if by_day else None

    for expected in recounted(history):
        before = movements.copy(totals)
        for movement in by_day.get(expected.day, ()):
            movements.add(totals, movement)
        period = periods.day(expected.day)
        made = row.row(period, period_data.of(period, totals, sums, begin), shop.plans, SETTINGS)
        assert {name: made[name] for name in expected.numbers()} == expected.numbers(), expected.day
        moved = sum(round(line["amount"] * 100) for line in made["mrr_movements"].values())
        assert moved == totals.mrr_cents - before.mrr_cents
        assert made["arpa"] == expected.arpa()


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
    begin = LedgerStart(min(by_day), by_day[min(by_day)][0].at)
    known = {found.day: found for found in recounted(history)}
    for day in (*list(known)[-3:], *(day for day in list(known)[28:34])):
        period = periods.day(day)
        found = period_data.of(period, totals_at(by_day, day), sums, begin)
        made = row.row(period, found, shop.plans, SETTINGS)
        before = day - 30 * days.ONE_DAY
        if before < begin.day:
            assert [made[name] for name in rates.Rates._fields] == [None] * 4
            continue
        start = Start(known[before].totals["subscribers"], known[before].totals["mrr_cents"])
        assert found.looked_back is not None
        assert row.start(found.totals, found.looked_back) == start
        assert (made["customer_churn_rate"] is None) == (start.subscribers == 0)
        if start.subscribers:
            month = [known[d].churned for d in days.between(before + days.ONE_DAY, day)]
            assert made["customer_churn_rate"] == round(sum(month) / start.subscribers, 6)


@given(st.integers(-3, 70), st.integers(1, 45), st.booleans())
def test_of_a_walk_over_days_the_flows_that_are_needed_make_the_same_books_as_all(
    age: int, length: int, is_month: bool
) -> None:
    """And an opening balance that lies before the walk is not among them."""
    begin = LedgerStart(date(2025, 3, 14), datetime(2025, 3, 14, 9, tzinfo=UTC))
    first = begin.day + age * days.ONE_DAY
    walk = [periods.month(first)] if is_month else [periods.day(first + n * days.ONE_DAY) for n in range(length)]
    everything = {begin.day + n * days.ONE_DAY: DaySums(mrr_cents=1) for n in range(150)}
    since = period_data.needed_from(walk[0], begin)
    needed = {day: moved for day, moved in everything.items() if day >= since}

    for period in walk:
        assert period_data.of(period, Totals(), needed, begin) == period_data.of(period, Totals(), everything, begin)
    assert since > begin.day or walk[0].first <= begin.day
    assert period_data.needed_from(walk[0], None) == walk[0].first


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
    begin = LedgerStart(min(by_day), by_day[min(by_day)][0].at) if by_day else None
    span = business_days(history)
    for month in periods.months(span[0], span[-1]):
        found = period_data.of(month, totals_at(by_day, month.last), sums, begin)
        made = row.row(month, found, shop.plans, SETTINGS)
        daily = [sums.get(day, DaySums()) for day in days.between(month.first, month.last)]

        assert made["new_customers"] == sum(day.new_customers for day in daily)
        assert made["churned_customers"] == sum(day.churned_customers for day in daily)
        assert made["rates_days"] == (month.last - month.first).days + 1
        assert (made["measured_from"] is not None) == (begin is not None and month.first <= begin.day <= month.last)
        assert (made["net_revenue_retention"] is None) or (begin is not None and begin.day < month.first)
