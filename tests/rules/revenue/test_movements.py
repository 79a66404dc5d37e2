from dataclasses import replace

import pytest

from rules.model.changes import DocId, LicenseValue
from rules.model.ledger import Movement, MovementKind, PlanTotals, Reason, Totals
from rules.model.states import CustomerState
from rules.revenue import movements
from tests.rules.examples import T0

PRO = LicenseValue("pro", True, 799, True)
AGENCY = LicenseValue("agency", True, 1999, True)
OFF = LicenseValue("pro", False, 0, False)


def movement(before: LicenseValue | None, after: LicenseValue | None) -> Movement:
    return Movement(T0, MovementKind.NEUTRAL, Reason.REPRICE, "82", "ada", "L1", before=before, after=after)


@pytest.mark.parametrize(
    ("before", "after", "ever", "kind"),
    [
        (0, 0, False, MovementKind.NEUTRAL),
        (799, 799, True, MovementKind.NEUTRAL),
        (0, 799, False, MovementKind.NEW),
        (0, 799, True, MovementKind.REACTIVATION),
        (799, 800, True, MovementKind.EXPANSION),
        (800, 799, True, MovementKind.CONTRACTION),
        (799, 0, True, MovementKind.CHURN),
    ],
)
def test_the_kind_of_a_movement_follows_the_customers_mrr(
    before: int, after: int, ever: bool, kind: MovementKind
) -> None:
    assert movements.kind(before, after, ever) is kind


def test_completing_fills_the_deltas_and_returns_the_next_customer_state() -> None:
    line = movement(OFF, AGENCY)
    customer = CustomerState("ada", {}, True, 799, 1, 1, True)

    after = movements.complete(line, customer)

    assert (line.mrr_cents, line.active_licenses, line.licenses, line.paying_customers) == (1999, 1, 0, 0)
    assert (line.kind, line.customer_mrr) == (MovementKind.EXPANSION, (799, 2798))
    assert after == replace(customer, mrr_cents=2798, active_licenses=2, paid_licenses=2)


def test_a_customer_is_paying_from_its_first_paid_license_to_its_last() -> None:
    first, second, deleted, last = (movement(None, PRO), movement(None, PRO), movement(PRO, None), movement(PRO, OFF))
    customer = CustomerState("ada", {})
    for line in (first, second, deleted, last):
        customer = movements.complete(line, customer)

    assert [line.paying_customers for line in (first, second, deleted, last)] == [1, 0, 0, -1]


def test_totals_follow_a_license_from_plan_to_plan() -> None:
    totals = Totals()
    for line in (movement(None, PRO), movement(PRO, AGENCY)):
        movements.complete(line, CustomerState("ada", {}))
        movements.add(totals, line)

    assert totals.by_plan == {"pro": PlanTotals(), "agency": PlanTotals(1, 1, 1999)}
    assert (totals.mrr_cents, totals.active_licenses) == (1999, 1)


def test_a_copy_of_totals_shares_nothing() -> None:
    totals = Totals(by_plan={"pro": PlanTotals(1, 1, 799)})

    other = movements.copy(totals)
    other.by_plan["pro"].active = 5

    assert totals.by_plan["pro"].active == 1


@pytest.mark.parametrize(("before", "after"), [(None, PRO), (PRO, OFF), (PRO, AGENCY), (PRO, None)])
def test_as_opening_balances_a_movement_adds_up_to_the_same(
    before: LicenseValue | None, after: LicenseValue | None
) -> None:
    line = replace(movement(before, after), plan_id=(after or before or OFF).plan_id)
    movements.complete(line, CustomerState("ada", {}, mrr_cents=5000, paid_licenses=3))
    plainly, as_balances = Totals(), Totals()

    movements.add(plainly, line)
    for balance in movements.opening_lines_of(line):
        movements.add(as_balances, balance)

    assert as_balances == plainly


def two_plans() -> Totals:
    return Totals(5, 4, 4, 2798, 2900, 3, {"pro": PlanTotals(2, 1, 799, 0), "agency": PlanTotals(3, 3, 1999, 2900)})


def test_totals_are_added_and_subtracted_number_by_number_and_plan_by_plan() -> None:
    more = Totals(1, 2, 3, 4, 5, 6, {"pro": PlanTotals(1, 2, 3, 4), "founders": PlanTotals(5, 6, 7, 8)})
    known = two_plans()
    plans: dict[DocId, PlanTotals] = {
        "pro": PlanTotals(3, 3, 802, 4),
        "agency": PlanTotals(3, 3, 1999, 2900),
        "founders": PlanTotals(5, 6, 7, 8),
    }

    assert movements.combined(known, more) == Totals(6, 6, 7, 2802, 2905, 9, plans)
    assert known == two_plans()
    movements.add_totals(known, more)
    assert known == Totals(6, 6, 7, 2802, 2905, 9, plans)


def test_a_difference_of_totals_added_again_is_the_same() -> None:
    more = Totals(1, 2, 3, 4, 5, 6, {"pro": PlanTotals(1, 2, 3, 4)})
    less = movements.combined(two_plans(), more, -1)

    assert (less.customers, less.by_plan["pro"]) == (4, PlanTotals(1, -1, 796, -4))
    assert movements.combined(less, more) == two_plans()


def test_totals_as_lines_of_an_opening_balance_add_up_to_the_totals() -> None:
    totals = replace(two_plans(), by_plan={**two_plans().by_plan, "unused": PlanTotals()})
    lines = movements.opening_lines(totals, T0, "retention")
    again = Totals()
    for line in lines:
        movements.add(again, line)

    assert again == two_plans()
    assert {(line.kind, line.reason, line.at, line.cause) for line in lines} == {
        (MovementKind.OPENING, Reason.RETENTION, T0, "retention")
    }


def test_an_opening_balance_has_one_line_per_plan_in_use_and_one_without_a_plan() -> None:
    totals = replace(two_plans(), by_plan={**two_plans().by_plan, "unused": PlanTotals()})
    pro, agency, rest = movements.opening_lines(totals, T0, "retention")

    assert (pro.plan_id, pro.licenses, pro.active_licenses, pro.mrr_cents, pro.one_time_cents) == ("pro", 2, 1, 799, 0)
    assert (agency.plan_id, agency.licenses, agency.one_time_cents) == ("agency", 3, 2900)
    assert (rest.plan_id, rest.customers, rest.paying_customers, rest.subscribers) == (None, 5, 4, 3)
    assert (rest.active_licenses, rest.mrr_cents, rest.one_time_cents) == (0, 0, 0)


def test_a_license_that_changes_plan_while_the_balance_opens_leaves_one_line_and_joins_another() -> None:
    moved = movements.opening_lines_of(replace(movement(PRO, AGENCY), customers=1))
    left, joined = moved

    assert (left.at, left.reason, left.cause) == (joined.at, joined.reason, joined.cause) == (T0, Reason.REPRICE, "82")
    assert (left.plan_id, left.licenses, left.active_licenses, left.mrr_cents) == ("pro", -1, -1, -799)
    assert (joined.licenses, joined.active_licenses, joined.mrr_cents, joined.customers) == (1, 1, 1999, 1)
    assert (joined.kind, joined.before, joined.after) == (MovementKind.OPENING, None, None)


def test_opening_balances_of_one_plan_are_one_line_with_their_sums() -> None:
    opening = Movement(T0, MovementKind.OPENING, Reason.BOOTSTRAP, "82", plan_id="pro")
    one = replace(opening, customers=1, paying_customers=1, subscribers=1, active_licenses=1, mrr_cents=799, licenses=1)
    for line in (one, replace(one, one_time_cents=2900), replace(one, one_time_cents=100)):
        movements.add_to_opening(opening, line)

    assert (opening.customers, opening.paying_customers, opening.subscribers, opening.licenses) == (3, 3, 3, 3)
    assert (opening.active_licenses, opening.mrr_cents, opening.one_time_cents) == (3, 2397, 3000)
