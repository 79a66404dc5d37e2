"""What to do today: the pure parts of the definitions."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules.insights import todo
from rules.insights.todo import TodoItem, TodoKind

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 100))
def test_shown_habitual_others_and_unread_are_all_that_expire(unusual: int, habitual: int, unread: int) -> None:
    items = [TodoItem(number, NOW, 100, number) for number in range(unusual)]
    found = todo.expiring(items, habitual, unusual + habitual + unread)

    assert found.total == unusual + habitual + unread
    assert (found.kind, found.habitual, found.unread) == (TodoKind.EXPIRING, habitual, unread)
    assert len(found.items) + found.others == unusual
    assert len(found.items) == min(todo.SHOWN, unusual)
    assert found.cents == (None if unread else 100 * unusual)
    assert not found.has_more


def test_a_failure_is_recovered_by_a_later_payment_of_the_license_or_without_one_of_the_customer() -> None:
    newest = TodoItem("c", NOW, 799, license_id="paid")
    older = TodoItem("c", NOW - timedelta(1), 799, license_id="paid")
    other = TodoItem("c", NOW, 799, license_id="unpaid")
    without = TodoItem("d", NOW, 799)
    failures = [newest, older, other, without]

    assert todo.not_recovered(failures, {}) == [newest, other, without]
    assert todo.not_recovered(failures, {"paid": NOW - timedelta(hours=1)}) == [newest, other, without]
    assert todo.not_recovered(failures, {"paid": NOW + timedelta(1), "d": NOW + timedelta(1)}) == [other]


def test_an_unknown_amount_makes_the_sum_unknown() -> None:
    known = TodoItem("c", NOW, 799)

    assert todo.group(TodoKind.LOST, [known, known]).cents == 1598
    assert todo.group(TodoKind.LOST, [known, TodoItem("c", NOW)]).cents is None
    assert todo.group(TodoKind.LOST, []).total == 0


def test_a_group_without_amounts_has_a_sum_of_zero_and_its_kind() -> None:
    found = todo.group(TodoKind.EXPIRING, [TodoItem("c", NOW, 0), TodoItem("d", NOW, 0)])

    assert (found.kind, found.cents, found.total) == (TodoKind.EXPIRING, 0, 2)


def test_the_amount_of_more_than_were_read_is_unknown() -> None:
    found = todo.group(TodoKind.LOST, [TodoItem("c", NOW, 799)], has_more=True)

    assert (found.total, found.has_more, found.cents) == (1, True, None)


def test_a_payment_at_the_instant_of_the_failure_recovers_it() -> None:
    failure = TodoItem("c", NOW, 799, license_id="L")

    assert todo.not_recovered([failure], {"L": NOW}) == []
    assert todo.not_recovered([failure], {"L": NOW - timedelta(microseconds=1)}) == [failure]
