from datetime import UTC, date, datetime
from typing import Any

from rules.model import (
    Change,
    Movement,
    MovementKind,
    Operation,
    Origin,
    Plan,
    PlanState,
    PlanTotals,
    Source,
    Totals,
)
from rules.rollup import DaySums, auto_event, plan_key, revenue_by_plan, row
from rules.settings import Settings
from tests.rules.examples import Story
from tests.rules.shop import Shop

SETTINGS = Settings()


def sums(movements: list[Movement]) -> DaySums:
    total = DaySums()
    for movement in movements:
        total.add(movement)
    return total


def plan(name: str) -> PlanState:
    return PlanState(name, {}, Plan(name, name, name, 100, 100, False))


def test_a_row_has_the_dashboards_fields_and_ours() -> None:
    story = Story().customer("ada").license("L1").license("F1", "founders", "bruno")

    made = row(date(2025, 8, 20), story.shop.totals, sums(story.shop.movements), story.shop.plans, SETTINGS)

    assert made == {
        "date": datetime(2025, 8, 20, tzinfo=UTC),
        "period_type": "daily",
        "total_customers": 1,
        "paying_customers": 2,
        "mrr": 7.99,
        "arr": 95.88,
        "new_customers": 1,
        "churned_customers": 0,
        "revenue_by_plan": {"founders": {"revenue": 29.0, "count": 1}, "pro": {"revenue": 7.99, "count": 1}},
        "active_licenses": 2,
        "one_time_revenue": 29.0,
        "mrr_movements": {"new": {"count": 1, "amount": 7.99}},
        "zone": "Europe/Rome",
    }


def test_mrr_and_arr_are_doubles_even_when_they_are_zero() -> None:
    made = row(date(2025, 8, 20), Totals(), DaySums(), {}, SETTINGS)

    assert (type(made["mrr"]), type(made["arr"])) == (float, float)


def test_a_customer_churned_if_the_day_began_with_mrr_and_ended_without() -> None:
    story = Story().license("A", customer="ada").license("B", customer="bruno")
    yesterday = len(story.shop.movements)
    story.set("A", status="cancelled").set("B", status="cancelled").set("B", status="active")
    story.license("C", customer="carla").set("C", status="cancelled")

    assert sums(story.shop.movements[yesterday:]).churned_customers == 1


def test_the_mrr_movements_of_a_day_add_up_to_its_change() -> None:
    story = Story().license("A").license("B", "agency").set("A", plan_id="starter").set("B", status="cancelled")

    day = sums(story.shop.movements)

    assert sum(cents for _, cents in day.by_kind.values()) == story.shop.totals.mrr_cents


def test_an_opening_balance_is_no_days_news() -> None:
    story = Story().customer("ada").license("F1", "founders")
    found = [
        change._replace(origin=Origin.BOOTSTRAP)
        for change in (
            *(insert(Source.PLANS, state.id, state.fields, story) for state in story.shop.plans.values()),
            insert(Source.CUSTOMERS, "ada", {}, story),
            insert(Source.LICENSES, "F1", story.shop.licenses["F1"].fields, story),
        )
    ]
    started = Shop().follow(found)

    day = sums(started.movements)

    assert started.totals.one_time_cents == 2900
    assert (day.new_customers, day.one_time_cents) == (0, 0)
    assert {m.kind for m in started.movements} == {MovementKind.OPENING}


def insert(source: Source, doc_id: Any, fields: Any, story: Story) -> Change:
    return Change(source, Operation.INSERT, doc_id, story.now, "82", fields)


def test_plans_of_one_name_share_a_line_and_empty_ones_have_none() -> None:
    totals = Totals(by_plan={1: PlanTotals(2, 1, 10), 2: PlanTotals(1, 1, 20), 3: PlanTotals(4, 0, 0)})

    lines = revenue_by_plan(totals, {1: plan("pro"), 2: plan("pro"), 3: plan("old")})

    assert lines == {"pro": {"revenue": 0.3, "count": 2}}


def test_a_plans_name_is_made_fit_for_a_field_name() -> None:
    assert plan_key(plan("$a.b\0")) == "_a_b_"
    assert plan_key(None) == "unknown"


def test_an_auto_event_has_the_dashboards_shape_in_the_shops_own_time() -> None:
    stored = {
        "event_type": "new_customer",
        "description": "Nuovo cliente:\nAda",
        "event_date": datetime(2025, 8, 20, 21, 5, tzinfo=UTC),
        "customer_id": 7,
        "amount": 7.99,
    }

    assert auto_event(stored, SETTINGS) == {
        "type": "new_customer",
        "description": "Nuovo cliente: Ada",
        "time": "23:05",
        "customer_id": "7",
        "amount": 7.99,
    }


def test_an_auto_event_written_by_others_is_bounded_whatever_it_holds() -> None:
    stored = {"event_type": ["?"], "description": "x" * 10**6, "event_date": datetime(2025, 8, 20, tzinfo=UTC)}

    made = auto_event(stored, SETTINGS)

    assert (made["type"], len(made["description"]), made["customer_id"]) == ("", 300, None)
