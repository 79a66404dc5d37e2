"""The history of a customer: every record is in one step, and the steps add up."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules.insights.customer_history import History, Line, Records, history, part
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
    steps, before, _ = history(lines, stored, now)

    assert sorted(step.line.number for step in steps if step.line) == [line.number for line in lines]
    assert sorted(id(step.event) for step in steps if step.event is not None) == sorted(map(id, stored))
    assert [step.at for step in steps] == sorted((step.at for step in steps), reverse=True)
    assert before + sum(step.mrr_cents for step in steps) == now
    for newer, older in pairwise(steps):
        assert newer.mrr_after - newer.mrr_cents == older.mrr_after


def read(
    lines: list[Line], stored: list[dict[str, Any]], until: datetime | None, limit: int
) -> tuple[Records, list[Line]]:
    """As the store reads the newest records before `until`; also the lines since then."""
    newest = sorted(lines, key=lambda line: (line.movement.at, line.number), reverse=True)
    events = sorted(stored, key=lambda event: event["event_date"], reverse=True)
    of_lines = [line for line in newest if until is None or line.movement.at < until][:limit]
    of_events = [event for event in events if until is None or event["event_date"] < until][:limit]
    cut = [of_lines[-1].movement.at] if len(of_lines) == limit else []
    cut += [of_events[-1]["event_date"]] if len(of_events) == limit else []
    later = [line for line in lines if until is not None and line.movement.at >= until]
    return Records(of_lines, of_events, max(cut, default=None)), later


@given(
    st.lists(movements, max_size=40, unique_by=lambda line: line.at),
    st.lists(events, max_size=40, unique_by=lambda event: event["event_date"]),
    st.integers(-5000, 5000),
    st.integers(1, 6),
)
def test_every_record_is_on_one_page_of_the_history_and_the_pages_add_up(
    made: list[Movement], stored: list[dict[str, Any]], now: int, size: int
) -> None:
    lines, pages = [Line(number, movement) for number, movement in enumerate(made, 1)], list[History]()
    until: datetime | None = None
    while not pages or until is not None:
        records, later = read(lines, stored, until, 2 * size)
        moved = sum(line.movement.mrr_cents for line in later)
        pages.append(part(records, now - moved, size))
        assert pages[-1].older is None or until is None or pages[-1].older < until
        until = pages[-1].older

    steps = [step for page in pages for step in page.steps]
    assert sorted(step.line.number for step in steps if step.line) == [line.number for line in lines]
    assert sorted(id(step.event) for step in steps if step.event is not None) == sorted(map(id, stored))
    for newer, older in pairwise(page for page in pages if page.steps):
        assert newer.before == older.steps[0].mrr_after
    assert pages[-1].before + sum(step.mrr_cents for step in steps) == now


def test_an_event_belongs_to_the_movement_of_its_license_and_kind() -> None:
    created = Movement(START, MovementKind.NEW, Reason.LICENSE_CREATED, "", license_id=1, mrr_cents=799)
    event = {"event_date": START + timedelta(seconds=2), "event_type": "license_created", "license_id": 1}
    others = [
        {**event, "license_id": 2},
        {**event, "event_type": "license_renewed"},
        {**event, "event_date": START + timedelta(hours=1)},
        {**event, "event_date": "domani"},
    ]
    steps, before, _ = history([Line(1, created)], [*others, event], 799)

    assert [step.event is event for step in steps if step.line] == [True]
    assert (len(steps), before) == (4, 0)
