"""Numbers of now and of any ledger line: explained the same an hour later, compared with what is stored."""

from datetime import date, timedelta
from typing import Any

import pytest

from daemon.demo.embedded_mongo import wait_for
from daemon.diagnostics.explanation import NOW as ADESSO
from daemon.diagnostics.explanation import Explanation, NotExplained, Obstacle
from daemon.store.ledger import day_sums, line_groups
from daemon.store.ledger.day_totals import DayTotals
from rules import business_days
from rules.revenue.day_sums import DaySums
from rules.rows.number_names import FIELDS
from rules.settings.settings import Settings
from tests.shop_history import ShopHistory, local

TODAY = date(2025, 6, 30)
NUMBERS = (*FIELDS, "movimenti.nuovo", "movimenti.abbandono", "piano.pro", "piano.founders", "piano.pro.licenze")


@pytest.fixture
def explanation(closed: ShopHistory) -> Explanation:
    return Explanation(closed.db, Settings(), 50, DayTotals(closed.db))


def value(explanation: Explanation, number: str, when: str, line: int | None = None) -> tuple[Any, bool]:
    source = explanation.number(number, explanation.ask(when, line))
    return source.question.answer, source.adds_up and source.matches


def test_every_number_of_now_and_of_today_adds_up(explanation: Explanation) -> None:
    for number in NUMBERS:
        for when in (ADESSO, str(TODAY), "2025-06"):
            assert value(explanation, number, when)[1], (number, when)


def test_the_cached_sums_give_the_totals_of_every_day_and_line(closed: ShopHistory) -> None:
    cached, lines = DayTotals(closed.db), closed.db.analytics_ledger.count_documents({})
    for day in business_days.between(date(2025, 3, 13), TODAY):
        for line in (None, 1, lines // 2, lines):
            match: dict[str, Any] = {"day": {"$lte": business_days.stored(day)}}
            expected = line_groups.sums(closed.db, match if line is None else {**match, "_id": {"$lte": line}})
            with closed.db.client.start_session(snapshot=True) as session:
                found = cached.after(day, line, session)
            assert found is not None
            assert {i: plan for i, plan in found.by_plan.items() if plan != type(plan)()} == {
                i: plan for i, plan in expected.by_plan.items() if plan != type(plan)()
            }
            assert (found.mrr_cents, found.customers) == (expected.mrr_cents, expected.customers), (day, line)


def test_the_cached_sums_of_days_are_those_of_the_ledger_up_to_each_line(closed: ShopHistory) -> None:
    cached, lines = DayTotals(closed.db), closed.db.analytics_ledger.count_documents({})
    first, last = date(2025, 3, 13), TODAY
    with closed.db.client.start_session(snapshot=True) as session:
        for line in (lines, 1, lines // 2, lines // 3, None):
            expected = day_sums.by_day(closed.db, first, last, session, line)
            found = cached.by_day(first, last, line, session)
            assert found is not None
            assert {day: sums for day, sums in found.items() if sums != DaySums()} == expected, line
        whole = cached.by_day(first, last, None, session) or {}
        assert whole[date(2025, 3, 30)].churned_customers == 1
        assert whole[date(2025, 5, 10)].reactivated_customers == 1


def test_many_lines_are_summed_by_a_thread_while_the_explanation_waits(closed: ShopHistory) -> None:
    cached = DayTotals(closed.db, lines_per_read=1)
    explanation = Explanation(closed.db, Settings(), 50, cached)
    asked = explanation.ask("2025-05-10")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daemon.diagnostics.explanation.MAX_DIRECT_LINES", -1)
        with pytest.raises(NotExplained) as problem:
            explanation.number("mrr", asked)
        assert problem.value.obstacle is Obstacle.SUMMING
        wait_for(lambda: value_or_none(explanation, "mrr", "2025-05-10") is not None, "the sums")

        assert value_or_none(explanation, "tornati", "2025-05-10") == (1, True)


def value_or_none(explanation: Explanation, number: str, when: str) -> tuple[Any, bool] | None:
    try:
        return value(explanation, number, when)
    except NotExplained:
        return None


def test_lines_that_are_not_listed_are_summed_by_the_database_as_by_the_rules(life: ShopHistory) -> None:
    for nth in range(4):
        at = local(TODAY - timedelta(nth % 2), 9, nth)
        life.customer(at, f"c{nth}")
        life.license(at, f"L-c{nth}", f"c{nth}", ("pro", "agency", "founders")[nth % 3])
    for minute, name in enumerate(("L-carla", "L-bruno", "L-ada")):
        life.set(local(TODAY, 10, minute), name, status="cancelled")
    life.store(local(TODAY, 12))
    every, first = (Explanation(life.db, Settings(), limit) for limit in (10_000, 1))
    for number in (*NUMBERS, "vendite", "cancellazioni"):
        for when in (str(TODAY), "2025-06", "2025-05", "2025-03"):
            asked = every.ask(when)
            for whole, part in zip(
                every.number(number, asked).question.accounts,
                first.number(number, asked).question.accounts,
                strict=True,
            ):
                assert (part.total, part.booked) == (whole.total, whole.booked), (number, when)
                listed = [line.amount for line in part.lines] + [rest.amount for rest in part.rest.values()]
                assert part.before + sum(listed) == whole.total, (number, when)
                assert len(part.lines) + sum(rest.number for rest in part.rest.values()) == whole.booked


def test_the_cached_sums_follow_new_lines_and_a_replaced_ledger(life: ShopHistory) -> None:
    cached = DayTotals(life.db)

    def customers() -> int:
        with life.db.client.start_session(snapshot=True) as session:
            found = cached.after(TODAY, None, session)
        assert found is not None
        return found.customers

    first = customers()
    life.customer(local(TODAY, 10), "new")
    life.store(local(TODAY, 12))
    assert customers() == first + 1

    life.db.analytics_ledger.update_one({"customers": 1}, {"$set": {"customers": 5, "cause": "restored"}})
    life.db.analytics_ledger.update_one({"_id": life.written}, {"$set": {"cause": "restored"}})
    assert customers() == first + 5


def test_a_sale_in_between_changes_nothing_in_the_answer_for_a_line(life: ShopHistory) -> None:
    explanation = Explanation(life.db, Settings(), 50, DayTotals(life.db))
    life.license(local(TODAY, 9), "L-morning", "carla", "agency")
    life.store(local(TODAY, 10))
    line = life.written
    before = {number: value(explanation, number, ADESSO, line) for number in NUMBERS}
    life.customer(local(TODAY, 11), "elena")
    life.license(local(TODAY, 11), "L-elena", "elena")
    life.set(local(TODAY, 11), "L-carla", status="cancelled")
    life.store(local(TODAY, 11, 30))

    assert {number: value(explanation, number, ADESSO, line) for number in NUMBERS} == before
    assert [number for number, (_, holds) in before.items() if not holds] == []
    assert value(explanation, "clienti", ADESSO)[0] == value(explanation, "clienti", ADESSO, line)[0] + 1
    assert value(explanation, "nuovi", str(TODAY))[0] == 1


def test_a_number_of_now_is_compared_with_the_running_totals(explanation: Explanation, life: ShopHistory) -> None:
    tampered = Explanation(life.db, Settings(), 50, DayTotals(life.db))
    life.db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$inc": {"totals.mrr_cents": 100}})
    source = tampered.number("mrr", tampered.ask(ADESSO))

    assert (source.adds_up, source.matches) == (True, False)
    assert source.stored == source.computed + 1


@pytest.mark.parametrize("stored", [1.5, None, "€ 51,95"])
def test_a_tampered_row_does_not_match(explanation: Explanation, closed: ShopHistory, stored: object) -> None:
    key = {"date": business_days.stored(date(2025, 5, 10)), "period_type": "daily"}
    closed.db.historical_analytics.update_one(key, {"$set": {"mrr": stored}})
    source = explanation.number("mrr", explanation.ask("2025-05-10"))

    assert (source.adds_up, source.matches) == (True, False)


def test_a_tampered_line_of_the_ledger_does_not_match(explanation: Explanation, closed: ShopHistory) -> None:
    line = {"reason": "activated", "license_id": "L-bruno"}
    closed.db.analytics_ledger.update_one(line, {"$inc": {"mrr_cents": 500}})

    assert value(explanation, "mrr", "2025-05-10")[1] is False
    closed.db.analytics_ledger.update_one(line, {"$inc": {"mrr_cents": -500}})


def test_the_lines_that_are_not_listed_have_their_own_address(life: ShopHistory) -> None:
    day = TODAY - timedelta(1)
    for number in range(7):
        life.customer(local(day, 10, number), f"c{number}")
    life.customer(local(TODAY, 10), "today")
    life.store(local(TODAY, 12))
    explanation = Explanation(life.db, Settings(), 3)
    (account,) = explanation.number("clienti", explanation.ask("2025-06")).question.accounts

    assert (len(account.lines), account.omitted) == (3, 5)
    rest = list(account.rest.values())
    assert [(one.day, one.skip, one.number, one.amount) for one in rest] == [(day, 3, 4, 4), (TODAY, 0, 1, 1)]
    assert account.total == account.before + 3 + sum(one.amount for one in rest)
    (following,) = explanation.number("clienti", explanation.ask(str(day)), skip=3).question.accounts
    assert (following.skipped, len(following.lines), following.omitted) == (3, 3, 1)


@pytest.mark.parametrize(
    ("when", "line", "number", "obstacle"),
    [
        ("2025-07-01", None, "mrr", Obstacle.FUTURE),
        ("2025-03-13", None, "mrr", Obstacle.BEFORE_LEDGER),
        ("ieri", None, "mrr", Obstacle.INVALID_TIME),
        ("2025-13", None, "mrr", Obstacle.INVALID_TIME),
        (ADESSO, 0, "mrr", Obstacle.UNKNOWN_LINE),
        (ADESSO, 10**6, "mrr", Obstacle.UNKNOWN_LINE),
        (ADESSO, None, "mrr_movements", Obstacle.UNKNOWN_NUMBER),
        (ADESSO, None, "piano.nowhere", Obstacle.UNKNOWN_NUMBER),
    ],
)
def test_what_cannot_be_explained_has_a_reason(
    explanation: Explanation, when: str, line: int | None, number: str, obstacle: Obstacle
) -> None:
    with pytest.raises(NotExplained) as problem:
        explanation.number(number, explanation.ask(when, line))

    assert problem.value.obstacle is obstacle
