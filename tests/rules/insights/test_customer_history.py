"""The history of a customer: every record is in one step, and the steps add up."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules.insights.customer_history import Line, history
from rules.model.ledger import Movement, MovementKind, Reason

START = datetime(2026, 1, 1, tzinfo=UTC)
REASONS = (Reason.LICENSE_CREATED, Reason.CANCELLED, Reason.ACTIVATED, Reason.REPRICE, Reason.CUSTOMER_CREATED)
TYPES = ("license_created", "license_cancelled", "license_activated", "new_customer", "payment_completed", "own_type")

movements = st.builds(
    lambda minutes, reason, cents, license_id, count: Movement(
        START + timedelta(minutes=minutes),
        MovementKind.NEUTRAL,
        reason,
        "",
        license_id=license_id,
        mrr_cents=cents,
        count=count,
    ),
    st.integers(0, 60),
    st.sampled_from(REASONS),
    st.integers(-2000, 2000),
    st.sampled_from((None, 1, 2)),
    st.sampled_from((1, 1, 1, -1, 0)),
)
events = st.fixed_dictionaries(
    {
        "event_date": st.integers(0, 60).map(lambda minutes: START + timedelta(minutes=minutes)),
        "event_type": st.sampled_from(TYPES),
        "license_id": st.sampled_from((None, 1, 2)),
    }
)


@given(st.lists(movements), st.lists(events), st.integers(-5000, 5000))
def test_every_record_is_in_one_step_and_the_steps_add_up(
    made: list[Movement], stored: list[dict[str, Any]], now: int
) -> None:
    lines = [Line(number, movement) for number, movement in enumerate(made, 1)]
    steps, before = history(lines, stored, now)

    assert sorted(step.line.number for step in steps if step.line) == [line.number for line in lines]
    assert sorted(id(step.event) for step in steps if step.event is not None) == sorted(map(id, stored))
    assert [step.at for step in steps] == sorted((step.at for step in steps), reverse=True)
    assert before + sum(step.mrr_cents for step in steps) == now
    for newer, older in pairwise(steps):
        assert newer.mrr_after - newer.mrr_cents == older.mrr_after


def test_an_event_belongs_to_the_movement_of_its_license_and_kind() -> None:
    created = Movement(START, MovementKind.NEW, Reason.LICENSE_CREATED, "", license_id=1, mrr_cents=799)
    event = {"event_date": START + timedelta(seconds=2), "event_type": "license_created", "license_id": 1}
    others = [
        {**event, "license_id": 2},
        {**event, "event_type": "license_renewed"},
        {**event, "event_date": START + timedelta(hours=1)},
        {**event, "event_date": "domani"},
    ]
    steps, before = history([Line(1, created)], [*others, event], 799)

    assert [step.event is event for step in steps if step.line] == [True]
    assert (len(steps), before) == (4, 0)
