from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rules.model.changes import Change, Operation, Origin, Plan, Source
from rules.model.ledger import MovementKind, PlanTotals, Totals
from rules.model.states import FormerName, PlanState
from rules.revenue import day_sums
from rules.rows import periods
from rules.rows.period_data import LedgerStart, PeriodData
from rules.rows.period_data import of as data_of
from rules.rows.row import NUMBERS, auto_event, plan_key, revenue_by_plan, row
from rules.settings.settings import Settings
from tests.rules.examples import Story
from tests.rules.shop import Shop

SETTINGS = Settings()
DAY = periods.day(date(2025, 8, 20))
DOCS = Path(__file__).parents[3] / "docs" / "rows.md"
NOTHING = {"count": 0, "amount": 0.0}


def period_data(story: Story, **more: Any) -> PeriodData:
    return PeriodData(story.shop.totals, day_sums.of_day(story.shop.movements), **more)


def plan(name: str) -> PlanState:
    return PlanState(name, {}, Plan(name, name, name, 100, 100, False))


def test_a_row_has_the_dashboards_fields_and_the_daemons() -> None:
    story = Story().customer("ada").license("L1").license("F1", "founders", "bruno")

    computed = row(DAY, period_data(story), story.shop.plans, SETTINGS)

    assert computed == {
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
    assert set(NUMBERS) < set(computed)


def test_every_field_of_a_row_is_described_in_the_docs() -> None:
    computed = row(DAY, PeriodData(), {}, SETTINGS)
    other_fields = ("notes", "auto_notes", "auto_events", "auto_events_total", "final", "revision", "first_reported")
    described = DOCS.read_text(encoding="utf-8")

    missing = [
        name for name in (*computed, *other_fields, "created_at", "updated_at") if f"| `{name}` |" not in described
    ]
    assert missing == []


def test_the_dashboards_numbers_are_doubles_even_when_they_are_zero() -> None:
    computed = row(DAY, PeriodData(), {}, SETTINGS)

    assert (type(computed["mrr"]), type(computed["arr"])) == (float, float)


def test_a_month_is_stored_under_its_first_day_and_its_rates_cover_the_month() -> None:
    computed = row(periods.month(date(2024, 2, 11)), PeriodData(), {}, SETTINGS)

    assert (computed["date"], computed["period_type"]) == (datetime(2024, 2, 1, tzinfo=UTC), "monthly")
    assert computed["rates_days"] == 29


def test_an_opening_balance_is_not_activity_of_its_day() -> None:
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

    computed = row(DAY, PeriodData(started.totals, day_sums.of_day(started.movements)), started.plans, SETTINGS)

    assert {movement.kind for movement in started.movements} == {MovementKind.OPENING}
    assert (computed["new_customers"], computed["one_time_revenue"], computed["reactivated_customers"]) == (0, 0.0, 0)
    assert (computed["mrr"], computed["subscribers"]) == (7.99, 1)
    assert computed["mrr_movements"]["new"] == NOTHING
    assert computed["mrr_movements"]["opening"] == {"count": len(started.movements), "amount": 7.99}


def insert(source: Source, doc_id: Any, fields: Any, story: Story) -> Change:
    return Change(source, Operation.INSERT, doc_id, story.now, "82", fields)


def test_plans_of_one_name_share_a_line_and_empty_ones_have_none() -> None:
    totals = Totals(by_plan={1: PlanTotals(2, 1, 10), 2: PlanTotals(1, 1, 20), 3: PlanTotals(4, 0, 0)})

    lines = revenue_by_plan(totals, {1: plan("pro"), 2: plan("pro"), 3: plan("old")})

    assert lines == {"pro": {"revenue": 0.3, "count": 2}}


def test_a_plans_name_becomes_a_valid_field_name() -> None:
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


def test_an_external_auto_event_is_bounded() -> None:
    stored = {"event_type": ["?"], "description": "x" * 10**6, "event_date": datetime(2025, 8, 20, tzinfo=UTC)}

    computed = auto_event(stored, SETTINGS)

    assert (computed["type"], len(computed["description"]), computed["customer_id"]) == ("", 300, None)


def test_a_row_has_rates_only_if_the_ledger_covers_all_of_their_days() -> None:
    """The ledger's first day is incomplete: the first complete window begins with the next day."""
    ledger_start = LedgerStart(DAY.first, datetime(2025, 8, 20, 13, tzinfo=UTC))
    after = [periods.day(DAY.first + timedelta(days=n)) for n in (0, 29, 30)]

    found = [data_of(period, Totals(), {}, ledger_start) for period in after]

    assert [data.rates_sums is not None for data in found] == [False, False, True]
    assert [data.measured_from for data in found] == [ledger_start.at, None, None]
    month = data_of(periods.month(date(2025, 9, 1)), Totals(), {}, ledger_start)
    assert (month.rates_sums is not None, month.measured_from) == (True, None)


def test_old_rows_keep_the_former_name_of_a_renamed_plan() -> None:
    story = Story().license("L1")
    day, later = periods.day(story.now.date()), periods.day(story.now.date() + timedelta(days=1))
    story.now += timedelta(days=1)
    for name in ("professional", "premium"):
        story.change(Source.PLANS, Operation.UPDATE, "pro", {"name": name})
    story.delete(Source.PLANS, "pro")

    named = {
        period: list(row(period, period_data(story), story.shop.plans, SETTINGS)["revenue_by_plan"])
        for period in (day, later)
    }

    assert named == {day: ["pro"], later: ["premium"]}


def test_a_plan_renamed_as_a_day_ends_has_its_old_name_on_that_day() -> None:
    midnight = datetime(2025, 8, 20, 22, tzinfo=UTC)
    state = PlanState(1, {}, plan("new").plan, former=(FormerName("old", midnight),))

    names = [state.name_at(at) for at in (midnight, midnight + timedelta(milliseconds=1), None)]

    assert names == ["old", "new", "new"]
