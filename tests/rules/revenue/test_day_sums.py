from collections import Counter
from collections.abc import Sequence
from datetime import date

from hypothesis import given

from rules.model.changes import Change, DocId
from rules.model.ledger import Movement, MovementKind, Reason
from rules.revenue import day_sums
from rules.revenue.day_sums import SUMS, KindSum
from tests.rules.examples import Story
from tests.rules.histories import histories
from tests.rules.shop import Shop


def test_a_customer_churned_if_the_day_began_with_mrr_and_ended_without() -> None:
    story = Story().license("A", customer="ada").license("B", customer="bruno")
    yesterday = len(story.shop.movements)
    story.set("A", status="cancelled").set("B", status="cancelled").set("B", status="active")
    story.license("C", customer="carla").set("C", status="cancelled")

    day = day_sums.of_day(story.shop.movements[yesterday:])

    assert (day.churned_customers, day.reactivated_customers, day.cancellations) == (1, 0, 3)


def test_a_customer_is_reactivated_if_it_had_mrr_before_but_not_as_the_day_began() -> None:
    story = Story().license("A", customer="ada").set("A", status="cancelled")
    yesterday = len(story.shop.movements)
    story.set("A", status="active")
    story.license("B", customer="bruno").set("B", status="cancelled").set("B", status="active")

    day = day_sums.of_day(story.shop.movements[yesterday:])

    assert (day.reactivated_customers, day.churned_customers, day.subscribers) == (1, 0, 2)


def test_a_lifetime_license_adds_a_paying_customer_and_no_subscriber() -> None:
    day = day_sums.of_day(Story().license("F", "founders").shop.movements)

    assert (day.paying_customers, day.subscribers, day.one_time_cents, day.sales) == (1, 0, 2900, 1)


@given(histories())
def test_days_add_up_to_what_their_movements_add_up_to(history: list[Change]) -> None:
    shop = Shop().follow(history)
    by_day: dict[date, list] = {}  # type: ignore[type-arg]
    for movement in shop.movements:
        by_day.setdefault(movement.at.date(), []).append(movement)

    whole = day_sums.total(day_sums.of_day(day) for day in by_day.values())

    for name in ("customers", "paying_customers", "subscribers", "mrr_cents", "one_time_cents"):
        assert getattr(whole, name) == getattr(shop.totals, name)
    assert sum(cents for _, cents in whole.by_kind.values()) == shop.totals.mrr_cents
    assert set(SUMS) | {"by_kind"} == set(day_sums.DaySums.__slots__)


@given(histories())
def test_new_churned_and_reactivated_customers_explain_the_change_in_subscribers(history: list[Change]) -> None:
    """Besides licenses that moved: who gets the license is not new, and who loses it has not churned."""
    movements = Shop().follow(history).movements
    assert_subscribers_are_explained(movements)


def test_a_license_that_moves_to_a_customer_without_mrr_makes_a_subscriber_that_is_not_new() -> None:
    story = Story().license("A").license("B").set("A", customer_id="bruno")

    assert_subscribers_are_explained(story.shop.movements)
    day = day_sums.of_day(story.shop.movements)
    assert (day.subscribers, day.by_kind[MovementKind.NEW].number, subscribers_by_moves(story.shop.movements)) == (
        2,
        1,
        1,
    )


def assert_subscribers_are_explained(movements: Sequence[Movement]) -> None:
    day, nothing = day_sums.of_day(movements), KindSum()

    assert day.subscribers == subscribers_by_moves(movements) + sum(
        sign * day.by_kind.get(kind, nothing).number
        for kind, sign in ((MovementKind.NEW, 1), (MovementKind.REACTIVATION, 1), (MovementKind.CHURN, -1))
    )
    assert day.churned_customers == day.reactivated_customers == 0, (
        "all movements are on one day, which begins without customers"
    )


def subscribers_by_moves(movements: Sequence[Movement]) -> int:
    """Return how many more customers have MRR because licenses moved from one customer to another."""
    mrr: Counter[DocId] = Counter()
    more = 0
    for movement in movements:
        before = mrr[movement.customer_id]
        mrr[movement.customer_id] += movement.mrr_cents
        if movement.reason is Reason.LICENSE_MOVED:
            more += (mrr[movement.customer_id] > 0) - (before > 0)
    return more
