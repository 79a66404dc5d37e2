from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.insights.growth import detect
from rules.model.decision import Memory
from rules.model.events import Event, EventType
from rules.model.ledger import Totals
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds

DAY = date(2025, 8, 20)
DEFAULTS = Settings()
totals = st.builds(
    Totals, customers=st.integers(0, 40), paying_customers=st.integers(0, 20), mrr_cents=st.integers(0, 200_00)
)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def grow(now: Totals, then: Totals | None, day: date = DAY, memory: Memory | None = None) -> tuple[list[Event], Memory]:
    return detect(now, then, noon(day), day, memory or {}, DEFAULTS)


def events_over(history: list[Totals]) -> list[tuple[int, str]]:
    """Return day number and kind of all growth events of a history, compared with seven days before."""
    memory: Memory = {}
    found = []
    for number, now in enumerate(history):
        events, memory = grow(now, history[number - 7] if number >= 7 else None, DAY + timedelta(number), memory)
        found += [(number, event.key.split(":")[1]) for event in events]
    return found


def test_mrr_growth_in_seven_days_has_the_dashboards_text() -> None:
    [event], memory = grow(Totals(mrr_cents=125_99), Totals(mrr_cents=100_00))

    assert event.description == "MRR aumentato di €25.99 in 7 giorni!"
    assert event.metadata == {"growth_period": "7_days", "mrr_growth": 25.99}
    assert (event.key, event.type) == ("growth:mrr:2025-08-20", EventType.MILESTONE_REACHED)
    assert memory == {"mrr": "2025-08-20"}


def test_customers_and_paying_customers_have_their_own_metadata_keys() -> None:
    events, _ = grow(Totals(customers=15, paying_customers=8), Totals(customers=10, paying_customers=5))

    assert [event.metadata for event in events] == [
        {"growth_period": "7_days", "customer_growth": 5},
        {"growth_period": "7_days", "paying_growth": 3},
    ]
    assert [event.description for event in events] == [
        "+5 clienti in 7 giorni!",
        "+3 clienti paganti in 7 giorni!",
    ]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (Totals(mrr_cents=119_99, customers=4, paying_customers=2), Totals(mrr_cents=100_00)),
        (Totals(), Totals(mrr_cents=100_00, customers=50, paying_customers=9)),
        (Totals(mrr_cents=900_00, customers=90, paying_customers=90), None),
    ],
)
def test_too_little_growth_a_fall_and_too_short_a_history_emit_no_event(now: Totals, then: Totals | None) -> None:
    assert grow(now, then) == ([], {})


def test_the_cooldown_of_a_kind_is_seven_days_and_does_not_affect_others() -> None:
    memory: Memory = {"mrr": DAY.isoformat()}
    now, then = Totals(mrr_cents=50_00, customers=9), Totals()

    assert [e.key for e in grow(now, then, DAY + timedelta(6), memory)[0]] == ["growth:customers:2025-08-26"]
    assert [e.key for e in grow(now, then, DAY + timedelta(7), memory)[0]] == [
        "growth:mrr:2025-08-27",
        "growth:customers:2025-08-27",
    ]


def test_a_day_before_the_last_event_has_no_event() -> None:
    assert grow(Totals(mrr_cents=50_00), Totals(), DAY - timedelta(30), {"mrr": DAY.isoformat()})[0] == []


def test_a_threshold_of_zero_needs_growth() -> None:
    events, _ = detect(
        Totals(), Totals(), noon(DAY), DAY, {}, Settings(thresholds=Thresholds(growth_mrr_cents=0, growth_customers=0))
    )

    assert events == []


@given(st.lists(totals, max_size=40))
def test_in_any_history_a_kind_has_an_event_only_for_growth_and_once_in_seven_days(history: list[Totals]) -> None:
    found = events_over(history)

    for kind, enough in (("mrr", 20_00), ("customers", 5), ("paying", 3)):
        days = [day for day, which in found if which == kind]
        assert all(later - earlier >= 7 for earlier, later in pairwise(days))
        for day in range(7, len(history)):
            grew = amount(history[day], kind) - amount(history[day - 7], kind) >= enough
            resting = any(day - 7 < emitted < day for emitted in days)
            assert (day in days) == (grew and not resting)


def amount(totals: Totals, kind: str) -> int:
    return {"mrr": totals.mrr_cents, "customers": totals.customers, "paying": totals.paying_customers}[kind]
