from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rules.model.changes import Change, Operation, Origin, Plan, Source
from rules.model.ledger import MovementKind, PlanTotals, Totals
from rules.model.states import FormerName, PlanState
from rules.revenue import day_sums
from rules.rows import periods
from rules.rows.period_data import LedgerStart, PeriodData
from rules.rows.period_data import of as books_of
from rules.rows.row import NUMBERS, auto_event, plan_key, revenue_by_plan, row
from rules.settings.settings import Settings
from tests.rules.examples import Story
from tests.rules.shop import Shop

SETTINGS = Settings()
DAY = periods.day(date(2025, 8, 20))
DOCS = Path(__file__).parents[3] / "docs" / "rows.md"
NOTHING = {"count": 0, "amount": 0.0}


def books(story: Story, **more: Any) -> PeriodData:
    return PeriodData(story.shop.totals, day_sums.of_day(story.shop.movements), **more)


def plan(name: str) -> PlanState:
    return PlanState(name, {}, Plan(name, name, name, 100, 100, False))


def test_a_row_has_the_dashboards_fields_and_ours() -> None:
    story = Story().customer("ada").license("L1").license("F1", "founders", "bruno")

    made = row(DAY, books(story), story.shop.plans, SETTINGS)

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
        "subscribers": 1,
        "reactivated_customers": 0,
        "one_time_revenue": 29.0,
        "mrr_movements": {
            "new": {"count": 1, "amount": 7.99},
            "expansion": NOTHING,
            "contraction": NOTHING,
            "churn": NOTHING,
            "reactivation": NOTHING,
        },
        "arpa": 7.99,
        "customer_churn_rate": None,
        "revenue_churn_rate": None,
        "net_revenue_retention": None,
        "quick_ratio": None,
        "rates_days": 30,
        "measured_from": None,
        "zone": "Europe/Rome",
    }
    assert set(NUMBERS) < set(made)


def test_every_field_of_a_row_is_described_in_the_docs() -> None:
    made = row(DAY, PeriodData(), {}, SETTINGS)
    beside = ("notes", "auto_notes", "auto_events", "auto_events_total", "final", "revision", "first_reported")
    described = DOCS.read_text(encoding="utf-8")

    missing = [name for name in (*made, *beside, "created_at", "updated_at") if f"| `{name}` |" not in described]
    assert missing == []


def test_the_dashboards_numbers_are_doubles_even_when_they_are_zero() -> None:
    made = row(DAY, PeriodData(), {}, SETTINGS)

    assert (type(made["mrr"]), type(made["arr"])) == (float, float)


def test_a_month_is_stored_under_its_first_day_and_its_rates_look_back_over_itself() -> None:
    made = row(periods.month(date(2024, 2, 11)), PeriodData(), {}, SETTINGS)

    assert (made["date"], made["period_type"]) == (datetime(2024, 2, 1, tzinfo=UTC), "monthly")
    assert made["rates_days"] == 29


def test_an_opening_balance_is_no_days_news() -> None:
    story = Story().customer("ada").license("F1", "founders").license("L1")
    found = [
        change._replace(origin=Origin.BOOTSTRAP)
        for change in (
            *(insert(Source.PLANS, state.id, state.fields, story) for state in story.shop.plans.values()),
            insert(Source.CUSTOMERS, "ada", {}, story),
            insert(Source.LICENSES, "F1", story.shop.licenses["F1"].fields, story),
            insert(Source.LICENSES, "L1", story.shop.licenses["L1"].fields, story),
        )
    ]
    started = Shop().follow(found)

    made = row(DAY, PeriodData(started.totals, day_sums.of_day(started.movements)), started.plans, SETTINGS)

    assert {movement.kind for movement in started.movements} == {MovementKind.OPENING}
    assert (made["new_customers"], made["one_time_revenue"], made["reactivated_customers"]) == (0, 0.0, 0)
    assert (made["mrr"], made["subscribers"]) == (7.99, 1)
    assert made["mrr_movements"]["new"] == NOTHING
    assert made["mrr_movements"]["opening"] == {"count": len(started.movements), "amount": 7.99}


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


def test_a_row_looks_back_only_where_the_ledger_reaches_behind_the_whole_of_the_time() -> None:
    """The ledger's first day is half known: the first window that is known whole begins with the next one."""
    begin = LedgerStart(DAY.first, datetime(2025, 8, 20, 13, tzinfo=UTC))
    after = [periods.day(DAY.first + timedelta(days=n)) for n in (0, 29, 30)]

    found = [books_of(period, Totals(), {}, begin) for period in after]

    assert [book.looked_back is not None for book in found] == [False, False, True]
    assert [book.measured_from for book in found] == [begin.at, None, None]
    month = books_of(periods.month(date(2025, 9, 1)), Totals(), {}, begin)
    assert (month.looked_back is not None, month.measured_from) == (True, None)


def test_a_plan_with_another_name_is_called_in_old_rows_what_it_was_called_then() -> None:
    story = Story().license("L1")
    day, later = periods.day(story.now.date()), periods.day(story.now.date() + timedelta(days=1))
    story.now += timedelta(days=1)
    for name in ("professional", "premium"):
        story.happens(Source.PLANS, Operation.UPDATE, "pro", {"name": name})
    story.delete(Source.PLANS, "pro")

    named = {
        period: list(row(period, books(story), story.shop.plans, SETTINGS)["revenue_by_plan"])
        for period in (day, later)
    }

    assert named == {day: ["pro"], later: ["premium"]}


def test_a_plan_renamed_as_a_day_ends_has_its_old_name_on_that_day() -> None:
    midnight = datetime(2025, 8, 20, 22, tzinfo=UTC)
    state = PlanState(1, {}, plan("new").plan, former=(FormerName("old", midnight),))

    names = [state.name_at(at) for at in (midnight, midnight + timedelta(milliseconds=1), None)]

    assert names == ["old", "new", "new"]
