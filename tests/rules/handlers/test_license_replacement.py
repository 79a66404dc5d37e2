"""The end of one license and the start of another are one change of plan, in any order and any split into batches."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from rules.model.changes import Change, Operation, Origin, Source
from rules.model.events import EventType
from rules.model.ledger import Movement, MovementKind
from rules.revenue import day_sums
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds
from tests.rules.examples import Story
from tests.rules.histories import busy_customers, cuts
from tests.rules.inspection import all_totals, countable_totals, customers, state_text, sums
from tests.rules.recount import Oracle
from tests.rules.shop import Shop

many = settings(max_examples=2 * settings().max_examples)
WINDOW = timedelta(minutes=60)
ENDS = {EventType.LICENSE_CANCELLED, EventType.LICENSE_EXPIRED, EventType.LICENSE_SUSPENDED}


def by_kind(movements: Iterable[Movement]) -> dict[str, tuple[int, int]]:
    """Return count and cents by kind, as a day's row shows them."""
    sums_by_kind = day_sums.of_day(movements).by_kind
    return {kind.value: (count, cents) for kind, (count, cents) in sums_by_kind.items() if count or cents}


def without_payments(story: Story) -> list[str]:
    return [text for text in story.descriptions() if not text.startswith("Pagamento")]


def test_a_license_canceled_and_another_bought_within_the_hour_is_an_upgrade() -> None:
    ada = Story().customer("ada").license("A").wait(300).set("A", status="cancelled").wait(60).license("B", "agency")

    assert without_payments(ada) == ["Nuovo cliente: Ada", "Nuova licenza Pro: Ada", "Upgrade Pro → Agency: Ada"]
    assert by_kind(ada.shop.movements) == {"new": (1, 799), "expansion": (1, 1200)}
    assert ada.descriptions()[-1] == "Pagamento ricevuto: €19.99 da Ada"


def test_an_hour_and_a_minute_later_it_is_a_cancellation_and_a_return() -> None:
    ada = Story().customer("ada").license("A").set("A", status="cancelled").wait(61).license("B", "agency")

    assert without_payments(ada)[-2:] == ["Licenza Pro cancellata: Ada", "Nuova licenza Agency: Ada"]
    assert by_kind(ada.shop.movements) == {"new": (1, 799), "churn": (1, -799), "reactivation": (1, 1999)}


@pytest.mark.parametrize("apart", [1, 60])
def test_bought_first_and_canceled_later_is_the_same_change_of_plan(apart: int) -> None:
    ada = Story().customer("ada").license("A", "agency").wait(300).license("B").wait(apart).set("A", status="cancelled")

    assert without_payments(ada)[2:] == ["Downgrade Agency → Pro: Ada"]
    assert by_kind(ada.shop.movements) == {"new": (1, 1999), "contraction": (1, -1200)}
    event = ada.shop.events[-1]
    assert (event.license_id, event.plan_name, event.amount_cents) == ("B", "pro", 799)
    assert event.metadata == {"customer_name": "Ada", "previous_plan": "agency", "previous_license": "A"}


def test_a_license_bought_more_than_an_hour_before_the_end_of_the_other_is_a_second_license() -> None:
    ada = Story().license("A", "agency").license("B").wait(61).set("A", status="cancelled")

    assert ada.types()[-1] == "license_cancelled"
    assert by_kind(ada.shop.movements) == {"new": (1, 1999), "expansion": (1, 799), "contraction": (1, -1999)}


@pytest.mark.parametrize("status", ["cancelled", "suspended", "inactive", "expired"])
def test_the_end_of_the_replaced_license_is_withdrawn_whatever_its_status(status: str) -> None:
    ada = Story().license("A").set("A", status=status).license("B", "starter")

    assert not ENDS & {event.type for event in ada.shop.events}
    assert ada.types()[-2:] == ["plan_downgraded", "payment_completed"]


def test_a_license_that_expired_or_was_deleted_can_be_replaced_too() -> None:
    lapsed = Story().license("A", expires_at=Story().now + timedelta(minutes=30)).wait(45).license("B", "agency")
    deleted = Story().license("A").delete(Source.LICENSES, "A").license("B", "agency")

    for ada in (lapsed, deleted):
        assert ada.types()[-2:] == ["plan_upgraded", "payment_completed"]
        assert not ENDS & {event.type for event in ada.shop.events}
        assert by_kind(ada.shop.movements)["expansion"] == (1, 1200)


@pytest.mark.parametrize("first", ["A", "B"])
def test_the_same_plan_again_is_a_new_license_and_neither_churn_nor_sale_of_mrr(first: str) -> None:
    ada = Story().license("A")
    if first == "A":
        ada.wait(90).set("A", status="cancelled").license("B")
    else:
        ada.wait(90).license("B").set("A", status="cancelled")

    assert ada.types() == ["license_created", "payment_completed"] * 2
    assert by_kind(ada.shop.movements) == {"new": (1, 799)}


def test_a_reactivated_license_replaces_another_like_a_new_one() -> None:
    ada = Story().license("old", "agency").wait(90).set("old", status="cancelled").wait(90).license("A").wait(90)
    ada.set("A", status="cancelled").set("old", status="active")

    assert ada.types()[-1] == "plan_upgraded"
    assert "license_activated" not in ada.types()


def test_a_license_canceled_and_reactivated_is_no_change_of_plan() -> None:
    ada = Story().license("A").set("A", status="cancelled").set("A", status="active").license("B", "agency")

    assert [kind for kind in ada.types() if kind != "payment_completed"] == [
        "license_created",
        "license_cancelled",
        "license_activated",
        "license_created",
    ]


def test_the_end_of_one_of_several_licenses_is_not_replaced() -> None:
    ada = Story().license("A").license("A2").wait(90).set("A", status="cancelled").license("B", "agency")

    assert ada.types()[-3:] == ["license_cancelled", "license_created", "payment_completed"]


def test_licenses_of_two_customers_do_not_replace_each_other() -> None:
    shop = Story().license("A", customer="ada").set("A", status="cancelled").license("B", "agency", customer="bruno")

    assert by_kind(shop.shop.movements) == {"new": (2, 2798), "churn": (1, -799)}


def test_a_license_is_replaced_only_once() -> None:
    ada = Story().license("A").wait(90).set("A", status="cancelled").license("B", "agency").license("C", "starter")

    assert ada.types()[-4:] == ["plan_upgraded", "payment_completed", "license_created", "payment_completed"]
    assert by_kind(ada.shop.movements) == {"new": (1, 799), "expansion": (2, 1200 + 299)}


def test_from_mrr_to_a_lifetime_license_is_an_upgrade_in_events_and_churn_in_mrr() -> None:
    ada = Story().license("A").wait(90).set("A", status="cancelled").license("B", "founders")

    assert ada.types()[-2:] == ["plan_upgraded", "payment_completed"]
    assert by_kind(ada.shop.movements) == {"new": (1, 799), "churn": (1, -799)}
    assert ada.shop.totals.one_time_cents == 2900


def test_from_a_free_plan_to_a_paid_one_is_the_first_mrr_of_its_customer() -> None:
    for order in ("ended first", "begun first"):
        ada = Story().plan("free", price=0).license("A", "free").wait(90)
        if order == "ended first":
            ada.set("A", status="cancelled").license("B")
        else:
            ada.license("B").set("A", status="cancelled")

        assert "plan_upgraded" in ada.types()
        assert by_kind(ada.shop.movements) == {"new": (1, 799)}


def test_the_day_of_the_first_half_and_its_totals_no_longer_contain_it() -> None:
    """Canceled before midnight, bought after it: the customer never left."""
    ada = Story().license("A").wait(90).set("A", status="cancelled")
    ended = ada.now
    ada.wait(30).license("B", "agency")

    before = [movement for movement in ada.shop.movements if movement.at <= ended]
    after = [movement for movement in ada.shop.movements if movement.at > ended]
    assert by_kind(before) == {"new": (1, 799)}
    assert by_kind(after) == {"expansion": (1, 1200)}
    assert (day_sums.of_day(before).cancellations, day_sums.of_day(after).sales) == (0, 0)
    at_midnight = sums(before)
    assert (at_midnight["mrr_cents"], at_midnight["paying_customers"], at_midnight["active_licenses"]) == (799, 1, 1)


def test_a_start_that_becomes_half_of_a_change_is_removed_from_its_day() -> None:
    ada = Story().license("A", "agency").wait(90).license("B")
    begun = ada.now
    ada.wait(30).set("A", status="cancelled")

    before = [movement for movement in ada.shop.movements if movement.at <= begun]
    assert by_kind(before) == {"new": (1, 1999)}
    assert sums(before)["active_licenses"] == 1


def test_the_window_is_configurable_and_zero_disables_replacement() -> None:
    for minutes, kind in ((0, "license_created"), (1, "plan_upgraded"), (120, "plan_upgraded")):
        ada = Story()
        ada.shop.settings = replace(Settings(), thresholds=Thresholds(plan_change_minutes=minutes))
        ada.license("A").set("A", status="cancelled").license("B", "agency")
        assert ada.types()[-2] == kind


def test_a_milestone_is_not_reached_by_a_line_that_is_reversed_and_posted_again() -> None:
    """MRR never reached €50: A had ended before Y started."""
    shop = Story()
    shop.shop.settings = replace(Settings(), thresholds=Thresholds(mrr_euros=(50,)))
    shop.license("A", "agency").license("X", "agency", customer="x").wait(90).set("A", status="cancelled")
    shop.license("Y", "agency", customer="y").license("B", "starter")

    assert shop.types()[-2:] == ["plan_downgraded", "payment_completed"]
    assert shop.shop.totals.mrr_cents == 4297
    assert "milestone_reached" not in shop.types()


@many
@given(busy_customers(), cuts())
def test_any_split_into_batches_emits_and_posts_the_same(history: list[Change], where: set[int]) -> None:
    assert state_text(Shop().follow(history, where)) == state_text(Shop().one_by_one(history))


@many
@given(busy_customers())
def test_after_every_change_ledger_and_recount_agree(history: list[Change]) -> None:
    shop, oracle = Shop(), Oracle()

    for change in history:
        shop.apply([change])
        oracle.follow(change)

        assert countable_totals(shop.totals) == oracle.totals(change.at)
        assert customers(shop) == oracle.customers(change.at)
    assert sums(shop.movements) == all_totals(shop.totals)


@many
@given(busy_customers())
def test_no_churn_remains_if_another_license_of_the_customer_replaced_it_within_the_hour(
    history: list[Change],
) -> None:
    shop = Shop().follow(history)

    reversed_lines = Counter((m.license_id, m.at) for m in shop.movements if m.count == -1)
    lines = [m for m in shop.movements if m.license_id is not None and m.count == 1]
    for place, churn in enumerate(lines):
        is_churn = churn.kind is MovementKind.CHURN and churn.reason.value in ("cancelled", "suspended", "expired")
        if not is_churn or reversed_lines[churn.license_id, churn.at]:
            continue
        following = (m for m in lines[place + 1 :] if m.customer_id == churn.customer_id and m.active_licenses > 0)
        returned = next(following, None)
        if returned is not None and returned.at - churn.at <= WINDOW:
            moved = returned.reason.value == "license_moved"
            assert moved or same(returned.license_id, churn.license_id) or license_moved_between(lines, churn, returned)


def same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and left == right


def license_moved_between(lines: list[Movement], churn: Movement, returned: Movement) -> bool:
    """Return whether the license that ended has moved to another customer since: its end is not replaced then."""
    between = (m for m in lines if churn.at <= m.at <= returned.at)
    return any(m.reason.value == "license_moved" and same(m.license_id, churn.license_id) for m in between)


@many
@given(busy_customers())
def test_reversed_and_reposted_lines_keep_the_counts_and_sums_of_each_kind(history: list[Change]) -> None:
    shop = Shop().follow(history)
    found = by_kind(shop.movements)

    signs = {"new": 1, "expansion": 1, "reactivation": 1, "contraction": -1, "churn": -1}
    assert sum(cents for _, cents in found.values()) == shop.totals.mrr_cents
    for kind, (count, cents) in found.items():
        assert count > 0
        assert cents * signs[kind] > 0
    reversals = [m for m in shop.movements if m.count == -1]
    corrected = corrected_churns(shop.movements)
    reposted = [m for m in shop.movements if m.count == 0] + corrected
    assert len(reversals) == len(reposted)
    assert {m.kind for m in corrected} <= {MovementKind.CONTRACTION}
    assert not any(sums([*reversals, *reposted])[name] for name in ("mrr_cents", "active_licenses"))


def corrected_churns(lines: Iterable[Movement]) -> list[Movement]:
    """Return the lines that post a reversed line again at its own time."""
    listed = list(lines)
    return [
        line
        for reversal, line in pairwise(listed)
        if reversal.count == -1 and line.count == 1
        if (line.license_id, line.at, line.before) == (reversal.license_id, reversal.at, reversal.after)
    ]


@many
@given(busy_customers())
def test_a_licenses_transitions_are_emitted_once_or_as_a_change_of_plan(history: list[Change]) -> None:
    """The stored events are the emitted ones minus one per change of plan."""
    shop = Shop().follow(history)

    ends = sum(event.type in ENDS for event in shop.emitted) - sum(event.type in ENDS for event in shop.events)
    changes = [e for e in shop.events if "previous_license" in e.metadata]
    assert ends <= len([m for m in shop.movements if m.count == -1])
    assert len({e.key for e in changes}) == len(changes)
    assert all(not same(e.metadata["previous_license"], e.license_id) for e in changes)


def test_a_reconciliation_that_finds_two_changes_to_the_same_plan_records_both() -> None:
    """B goes back to Pro and replaces A: both are downgrades of B, with the cause of the reconciliation."""
    story = (
        Story().customer("ada").license("A", "agency").wait(1).license("B").wait(1).set("B", plan_id="agency").wait(1)
    )
    found = Change(Source.LICENSES, Operation.REPLACE, "B", story.now, "reconciliation:1", origin=Origin.RECOVERED)
    story.shop.apply([found._replace(fields={**story.shop.licenses["B"].fields, "plan_id": "pro"})])
    story.shop.apply([found._replace(id="A", op=Operation.DELETE)])

    changes = [event for event in story.shop.events if event.type is EventType.PLAN_DOWNGRADED]
    assert [event.metadata.get("previous_license") for event in changes] == [None, "A"]


def test_a_bootstrap_completes_no_change_of_plan() -> None:
    story = Story().license("A").set("A", status="cancelled")
    found = Change(
        Source.LICENSES,
        Operation.INSERT,
        "B",
        story.now,
        "reconciliation:1",
        {"customer_id": "ada", "plan_id": "agency", "status": "active"},
        origin=Origin.BOOTSTRAP,
    )
    story.shop.apply([found])

    assert story.types() == ["license_created", "payment_completed", "license_cancelled"]


def reported(license_id: str) -> Story:
    """Ada buys B beside A, and the dashboard reports the creation of one of them."""
    ada = Story().customer("ada").license("A", "agency").wait(300).license("B")
    external = {"event_type": "license_created", "license_id": license_id, "customer_id": "ada", "event_date": ada.now}
    return ada.change(Source.EVENTS, Operation.INSERT, "E1", external)


def pending_key(ada: Story) -> str:
    recent = ada.shop.customers["ada"].recent
    assert recent is not None and recent.started is not None
    return recent.started.key


def test_a_start_reported_externally_has_no_own_event_that_a_change_of_plan_could_withdraw() -> None:
    ada = reported("B")
    assert pending_key(ada) == ""

    ada.set("A", status="cancelled")
    assert ada.shop.withdrawn == ada.shop.replaced == {"license_created:'B'"}
    assert ada.types()[-1] == "plan_downgraded"


def test_an_external_event_about_another_license_leaves_the_own_event_of_the_start() -> None:
    ada = reported("A")
    assert pending_key(ada) == "license_created:'B'"

    ada.set("A", status="cancelled")
    assert ada.shop.withdrawn - ada.shop.replaced == {"license_created:'B'"}
