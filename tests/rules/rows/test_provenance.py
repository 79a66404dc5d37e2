"""The accounts of `explain`, computed only from movements, equal the row, for every field, day and month."""

from datetime import date

from hypothesis import given

from rules import business_days as days
from rules.model.changes import Change
from rules.model.ledger import Movement, Totals
from rules.revenue import day_sums, rates
from rules.rows import number_values, period_data, periods, provenance
from rules.rows import row as rollup
from rules.rows.accounts import Account
from rules.rows.number_values import Number
from rules.rows.period_data import LedgerStart
from rules.rows.periods import Period
from rules.rows.provenance import Question
from rules.rows.row import NUMBERS
from rules.settings.settings import Settings
from tests.rules.calendar_recount import business_days
from tests.rules.examples import Story
from tests.rules.histories import histories
from tests.rules.rows.test_rebuilt_days import ledger_by_day, totals_at
from tests.rules.shop import Shop

ByDay = dict[date, list[Movement]]


def asked(name: str, period: Period, shop: Shop, by_day: ByDay) -> list[Question]:
    names = {plan_id: rollup.plan_key(state) for plan_id, state in shop.plans.items()}
    found = list(provenance.questions(name, period, names, shown=3))
    for question in found:
        for account in question.accounts:
            fill(account, by_day)
    return found


def fill(account: Account, by_day: ByDay) -> None:
    account.open(totals_at(by_day, account.first - days.ONE_DAY))
    for day in sorted(by_day):
        if account.first <= day <= account.last:
            for movement in by_day[day]:
                account.add(movement, day)
    account.close()


def flat(row: dict[str, object]) -> dict[str, Number]:
    """Return the numbers of a row by the field names of `explain`; parts by their plan or kind."""
    found: dict[str, Number] = {}
    for name in NUMBERS:
        value = row[name]
        if not isinstance(value, dict):
            found[name] = value  # type: ignore[assignment]
            continue
        for part, measures in value.items():
            found |= {f"{name}.{part}.{measure}": number for measure, number in measures.items()}
    return found


@given(histories(max_size=20))
def test_every_number_of_a_row_is_what_its_movements_add_up_to(history: list[Change]) -> None:
    if not history:
        return
    shop, by_day = ledger_by_day(history)
    if not by_day:
        return
    sums = {day: day_sums.of_day(lines) for day, lines in by_day.items()}
    ledger_start = LedgerStart(min(by_day), by_day[min(by_day)][0].at)
    span = business_days(history)
    for period in (*map(periods.day, sorted(by_day)[-3:]), *list(periods.months(span[0], span[-1]))[-1:]):
        known = period_data.of(period, totals_at(by_day, period.last), sums, ledger_start)
        for name, value in flat(rollup.row(period, known, shop.plans, Settings())).items():
            if number_values.is_rate(name) and known.rates_sums is None:
                continue
            (question,) = asked(name, period, shop, by_day)
            assert question.answer == value, (name, period)


def story() -> tuple[Story, ByDay, Period]:
    shop_story = Story().customer("ada").license("A").license("B", customer="bruno").set("A", plan_id="agency")
    shop_story.set("B", status="cancelled").license("F", "founders", "carla")
    return shop_story, {shop_story.now.date(): list(shop_story.shop.movements)}, periods.day(shop_story.now.date())


def test_a_balance_is_carried_forward_and_lists_every_movement_of_the_day() -> None:
    shop_story, by_day, _ = story()
    (question,) = asked("mrr", periods.day(shop_story.now.date()), shop_story.shop, by_day)
    (account,) = question.accounts

    assert account.before == 0
    assert [line.amount for line in account.lines] == [799, 799, 1200]
    assert (account.omitted, account.total, question.answer) == (1, 1999, 19.99)


def test_parts_are_selected_by_name_with_or_without_a_measure() -> None:
    shop_story, by_day, period = story()

    answers = {
        name: [question.answer for question in asked(name, period, shop_story.shop, by_day)]
        for name in (
            "mrr_movements.churn", "mrr_movements.churn.amount", "mrr_movements.churn.count",
            "revenue_by_plan.founders", "revenue_by_plan.founders.count", "revenue_by_plan.nowhere", "notes",
        )
    }  # fmt: skip

    assert answers == {
        "mrr_movements.churn": [-7.99],
        "mrr_movements.churn.amount": [-7.99],
        "mrr_movements.churn.count": [1],
        "revenue_by_plan.founders": [29.0],
        "revenue_by_plan.founders.count": [1],
        "revenue_by_plan.nowhere": [],
        "notes": [],
    }
    assert [q.field for q in asked("mrr_movements", period, shop_story.shop, by_day)] == [
        f"mrr_movements.{kind}" for kind in ("new", "expansion", "contraction", "churn", "reactivation")
    ]


def test_exactly_the_rate_fields_are_rates() -> None:
    assert [name for name in NUMBERS if number_values.is_rate(name)] == list(rates.Rates._fields)
    assert Totals().subscribers == 0
