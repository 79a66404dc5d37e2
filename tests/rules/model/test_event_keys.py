"""Natural keys of external events, and their effect within one batch and across batches."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from rules.insights import calendar, growth, summaries
from rules.insights.trends import Day
from rules.model.changes import Change, Operation, Source
from rules.model.event_keys import limited_sale_keys, natural_key, natural_keys
from rules.model.ledger import Totals
from rules.settings.settings import Settings
from tests.rules.examples import T0, Story

CHRISTMAS = datetime(2025, 12, 25, 6, tzinfo=UTC)
WITH_KEYS: list[tuple[dict[str, Any], list[str]]] = [
    ({"event_type": "new_customer", "customer_id": 7}, ["new_customer:7"]),
    ({"event_type": "license_created", "license_id": "L"}, ["license_created:'L'"]),
    (
        {"event_type": "milestone_reached", "metadata": {"milestone_type": "customers", "milestone_value": 25.0}},
        ["milestone:customers:25"],
    ),
    (
        {"event_type": "milestone_reached", "metadata": {"founders_remaining": 499, "license_key": "CHA-1"}},
        ["limited_sale:CHA-1"],
    ),
    ({"event_type": "milestone_reached", "license_id": 7, "metadata": {"founders_remaining": 1}}, ["limited_sale:7"]),
    ({"event_type": "milestone_reached", "metadata": {"week_start": "2025-34"}}, ["week:2025-34"]),
    ({"event_type": "milestone_reached", "metadata": {"month_start": "2025-09"}}, ["month:2025-09"]),
    (
        {
            "event_type": "milestone_reached",
            "event_date": CHRISTMAS,
            "metadata": {"growth_period": "7_days", "paying_growth": 3},
        },
        ["growth:paying:2025-12-24", "growth:paying:2025-12-25"],
    ),
    (
        {"event_type": "marketing_campaign", "event_date": CHRISTMAS, "metadata": {"special_date": "12-25"}},
        ["calendar:2025-12-25"],
    ),
    (
        {
            "event_type": "marketing_campaign",
            "event_date": datetime(2025, 12, 31, 23, 30, tzinfo=UTC),
            "metadata": {"special_date": "01-01"},
        },
        ["calendar:2026-01-01"],
    ),
]
WITHOUT_KEY: list[dict[str, Any]] = [
    {},
    {"event_type": ["new_customer"], "customer_id": 7},
    {"event_type": "new_customer"},
    {"event_type": "new_customer", "customer_id": {"$ne": None}},
    {"event_type": "license_created", "license_id": True},
    {"event_type": "milestone_reached", "metadata": "25"},
    {"event_type": "milestone_reached", "metadata": {"milestone_type": 1, "milestone_value": float("nan")}},
    {"event_type": "milestone_reached", "metadata": {"milestone_type": "customers", "milestone_value": float("inf")}},
    {"event_type": "support_ticket", "customer_id": 7},
    {"event_type": "payment_completed", "license_id": 7},
    {"event_type": "marketing_campaign", "event_date": CHRISTMAS, "metadata": {}},
    {"event_type": "marketing_campaign", "event_date": CHRISTMAS, "metadata": {"special_date": "08-15"}},
    {"event_type": "marketing_campaign", "event_date": "25/12", "metadata": {"special_date": "12-25"}},
    {"event_type": "milestone_reached", "metadata": {"week_start": 34, "month_start": None}},
    {"event_type": "milestone_reached", "event_date": None, "metadata": {"growth_period": 1, "mrr_growth": 1}},
]


@pytest.mark.parametrize(("event", "keys"), WITH_KEYS)
def test_an_external_event_has_the_key_of_the_own_event(event: dict[str, Any], keys: list[str]) -> None:
    assert list(natural_keys(event)) == keys


@pytest.mark.parametrize("event", WITHOUT_KEY)
def test_any_other_external_event_has_no_key(event: dict[str, Any]) -> None:
    assert list(natural_keys(event)) == []


@pytest.mark.parametrize("external_first", [True, False])
def test_in_one_batch_the_external_event_is_kept_in_any_order(external_first: bool) -> None:
    customer = Change(Source.CUSTOMERS, Operation.INSERT, "C9", T0, "90", {"name": "Nove"})
    event = {"event_type": "new_customer", "customer_id": "C9"}
    external = Change(Source.EVENTS, Operation.INSERT, "E1", T0, "91", event)
    in_order = [external._replace(cause="90"), customer._replace(cause="91")]
    story = Story()
    event_count = len(story.types())
    story.shop.apply(in_order if external_first else [customer, external])

    assert len(story.types()) == event_count
    assert story.shop.totals.customers >= 1


def test_own_events_of_a_date_a_week_and_a_month_have_the_keys_of_the_external_ones() -> None:
    """Monday, 1 September 2025: a week and a month begin; and Christmas."""
    monday, noon = date(2025, 9, 1), datetime(2025, 9, 1, 10, tzinfo=UTC)
    history = [Day(monday - timedelta(n), 1, 1, 100, 1, 1, 0) for n in range(40, 0, -1)]
    grown, _ = growth.detect(Totals(mrr_cents=100_00), Totals(), noon, monday, {}, Settings())
    own = [*grown, *summaries.events(monday, noon, history), *calendar.events(CHRISTMAS.date(), time.min, Settings())]

    assert [event.key for event in own] == [
        "growth:mrr:2025-09-01",
        "week:2025-36",
        "month:2025-09",
        "calendar:2025-12-25",
    ]
    for event in own:
        stored = {"event_type": event.type.value, "event_date": event.at, "metadata": event.metadata}
        assert list(natural_keys(stored))[-1] == event.key


def external_event(**fields: Any) -> Change:
    return Change(Source.EVENTS, Operation.INSERT, "E", T0, "90", {"event_date": T0, **fields})


@pytest.mark.parametrize("apart", [True, False])
def test_a_fact_reported_externally_before_its_document_is_not_emitted_in_any_batch(apart: bool) -> None:
    license = {"customer_id": "C9", "plan_id": "starter", "status": "active", "license_key": "CHA-9"}
    changes = [
        external_event(event_type="new_customer", customer_id="C9"),
        external_event(event_type="license_created", license_id="L9"),
        Change(Source.CUSTOMERS, Operation.INSERT, "C9", T0, "91", {"name": "Nove"}),
        Change(Source.LICENSES, Operation.INSERT, "L9", T0, "92", license),
        Change(Source.CUSTOMERS, Operation.DELETE, "C9", T0, "93"),
        Change(Source.CUSTOMERS, Operation.INSERT, "C9", T0, "94", {"name": "Nove"}),
    ]
    changes = [change._replace(cause=f"9{place}") for place, change in enumerate(changes)]
    shop = Story().shop

    shop.follow(changes, set(range(len(changes))) if apart else ())

    assert [event.type.value for event in shop.events] == ["payment_completed"]
    assert shop.memory["twins"] == {}


def test_a_held_license_reported_externally_is_not_emitted_when_it_becomes_valid() -> None:
    story = Story().license("L9", "nowhere")
    external = external_event(event_type="license_created", license_id="L9")
    story.shop.apply([external._replace(cause=f"{story.shop.position}x")])
    story.plan("nowhere", price=3)

    assert story.types() == ["payment_completed"]


def test_a_milestone_reported_externally_in_advance_is_not_emitted_and_a_passed_one_is_not_remembered() -> None:
    story = Story()
    for number in range(4):
        story.license(number, "starter", f"c{number}")
    for value in (5, 2):
        metadata = {"milestone_type": "licenses", "milestone_value": value}
        story.shop.apply(
            [external_event(event_type="milestone_reached", metadata=metadata)._replace(cause=f"90{value}")]
        )
    kept = set(story.shop.memory["twins"])
    story.shop.apply([Change(Source.LICENSES, Operation.INSERT, "L5", T0, "99", dict(story.shop.licenses[0].fields))])

    assert kept == {"milestone:licenses:5"}
    assert "milestone_reached" not in story.types()


def test_an_external_event_without_a_document_is_forgotten_after_a_day() -> None:
    story = Story()
    story.shop.apply([external_event(event_type="new_customer", customer_id="never")])
    later = external_event(event_type="new_customer", customer_id="soon", event_date=T0 + timedelta(hours=25))
    story.shop.apply([later._replace(cause="91")])

    assert set(story.shop.memory["twins"]) == {"new_customer:'soon'"}


def growth_reported(hour: int, **metadata: Any) -> dict[str, Any]:
    at = datetime(2025, 12, 25, hour, tzinfo=UTC)
    return {"event_type": "milestone_reached", "event_date": at, "metadata": {"growth_period": "7_days", **metadata}}


@pytest.mark.parametrize(("hour", "day"), [(0, 24), (11, 24), (12, 25), (23, 25)])
def test_growth_reported_from_noon_on_is_of_the_same_day_and_before_of_the_day_before(hour: int, day: int) -> None:
    assert natural_key(growth_reported(hour, paying_growth=3)) == f"growth:paying:2025-12-{day}"


def test_a_calendar_event_of_the_day_before_or_after_in_another_time_zone_has_the_key_of_its_date() -> None:
    def key(month_day: str) -> str | None:
        facts = {"event_date": CHRISTMAS, "metadata": {"special_date": month_day}}
        return natural_key({"event_type": "marketing_campaign", **facts})

    assert [key(f"12-{day}") for day in (24, 25, 26)] == [f"calendar:2025-12-{day}" for day in (24, 25, 26)]
    assert key("12-23") is None
    assert key("12-27") is None


@pytest.mark.parametrize("license_key", [None, "", 7])
def test_a_limited_sale_without_a_license_key_has_the_key_of_its_license(license_key: object) -> None:
    assert list(limited_sale_keys(license_key, "L1")) == ["limited_sale:'L1'"]
