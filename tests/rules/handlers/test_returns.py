"""Documents that come back: a late renewal, a deletion that was undone, a nightly sync that deletes and inserts."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.changes import Change, Operation, Origin, Source
from rules.revenue import day_sums
from tests.rules.examples import T0, Story

END = T0 + timedelta(days=30)
DOCUMENT: dict[str, Any] = {"customer_id": "ada", "plan_id": "pro", "status": "active", "license_key": "CHA-1"}


def kinds(story: Story) -> dict[str, tuple[int, int]]:
    return {kind.value: found for kind, found in day_sums.of_day(story.shop.movements).by_kind.items() if any(found)}


def expired() -> Story:
    """A license that expired at the very end of its term."""
    story = Story().customer("ada").license("L1", expires_at=END)
    story.now = END
    story.shop.tick(END)
    return story


def test_a_renewal_that_comes_late_within_the_window_is_a_renewal() -> None:
    story = expired().wait(60).set("L1", expires_at=END + timedelta(days=30))

    assert story.types()[3:] == ["license_renewed", "payment_completed"]
    assert kinds(story) == {"new": (1, 799)}


def test_a_renewal_that_comes_after_the_window_is_an_end_and_a_return() -> None:
    story = expired().wait(61).set("L1", expires_at=END + timedelta(days=30))

    assert story.types()[3:] == ["license_expired", "license_activated", "payment_completed"]
    assert set(kinds(story)) == {"new", "churn", "reactivation"}


@pytest.mark.parametrize("plan", ["agency", "starter"])
def test_a_late_renewal_on_another_plan_is_a_change_of_plan(plan: str) -> None:
    story = expired().wait(10).set("L1", expires_at=END + timedelta(days=30), plan_id=plan)

    assert {"license_expired", "license_activated"}.isdisjoint(story.types())
    assert ("plan_upgraded" in story.types(), "churn" in kinds(story)) == (plan == "agency", False)


def test_a_deletion_undone_within_the_window_leaves_no_event_and_no_churn() -> None:
    story = Story().customer("ada").license("L1").wait(500)
    before = story.types()
    story.delete(Source.LICENSES, "L1").delete(Source.CUSTOMERS, "ada").customer("ada").license("L1")

    assert story.types() == before
    assert kinds(story) == {"new": (1, 799)}
    assert sum(day_sums.is_new_customer(movement) for movement in story.shop.movements) == 1
    assert (story.shop.totals.customers, story.shop.totals.mrr_cents) == (1, 799)


def test_a_deletion_undone_later_is_a_cancellation_and_a_return() -> None:
    story = Story().customer("ada").license("L1").delete(Source.LICENSES, "L1").wait(90).license("L1")

    assert story.types()[3:] == ["license_cancelled", "license_activated"]
    assert story.shop.totals.by_plan["pro"].licenses == 1


def test_twelve_customers_deleted_and_inserted_again_are_the_same_customers() -> None:
    story = Story()
    ids = [f"c{number}" for number in range(12)]
    for customer in ids:
        story.customer(customer).license(f"L{customer}", customer=customer)
    story.wait(900)
    for customer in ids:
        story.delete(Source.LICENSES, f"L{customer}").delete(Source.CUSTOMERS, customer)
    for customer in ids:
        story.customer(customer).license(f"L{customer}", customer=customer)
    last = {event.license_id: event.type.value for event in story.shop.events if event.license_id}

    assert "license_cancelled" not in last.values()
    assert sum(map(day_sums.is_new_customer, story.shop.movements)) == story.types().count("new_customer") == 12
    assert set(kinds(story)) == {"new"}
    assert story.shop.totals.mrr_cents == 12 * 799


def test_a_deleted_license_that_returns_to_another_customer_is_new_to_that_customer() -> None:
    story = Story().customer("ada").customer("bob").license("L1").delete(Source.LICENSES, "L1")
    story.change(Source.LICENSES, Operation.INSERT, "L1", {**DOCUMENT, "customer_id": "bob"})

    assert story.shop.customers["bob"].mrr_cents == 799
    assert story.shop.customers["ada"].mrr_cents == 0


STEPS = ("delete", "insert", "cancel", "activate", "renew", "wait", "customer")


@given(st.lists(st.sampled_from(STEPS), max_size=16))
def test_whatever_comes_and_goes_the_totals_are_those_of_the_documents_and_no_key_returns(steps: list[str]) -> None:
    story = Story().customer("ada").license("L1")
    document: dict[str, Any] | None = dict(DOCUMENT)
    is_customer, end = True, END
    for step in steps:
        if step == "wait":
            story.wait(50)
        elif step == "customer":
            story.delete(Source.CUSTOMERS, "ada") if is_customer else story.customer("ada")
            is_customer = not is_customer
        elif step == "delete" and document is not None:
            story.delete(Source.LICENSES, "L1")
            document = None
        elif step == "insert" and document is None:
            story.license("L1")
            document = dict(DOCUMENT)
        elif step in ("cancel", "activate", "renew") and document is not None:
            end += timedelta(days=30)
            changes = {"cancel": {"status": "cancelled"}, "activate": {"status": "active"}}
            update = changes.get(step, {"status": "active", "expires_at": end})
            story.set("L1", **update)
            document |= update

    active = document is not None and document["status"] == "active"
    assert story.shop.totals.mrr_cents == (799 if active else 0)
    assert story.shop.totals.customers == int(is_customer)
    assert sum(movement.mrr_cents for movement in story.shop.movements) == story.shop.totals.mrr_cents
    assert story.shop.emitted_after_withdrawal == []


@pytest.mark.parametrize("status", ["suspended", "inactive"])
def test_a_suspension_undone_within_the_window_leaves_no_event_and_no_churn(status: str) -> None:
    story = Story().customer("ada").license("L1").wait(500)
    before = story.types()
    story.set("L1", status=status).wait(60).set("L1", status="active")

    assert story.types() == before
    assert kinds(story) == {"new": (1, 799)}
    assert [story.shop.emitted[-1].type, *story.shop.replaced] == ["license_suspended"]


def test_a_suspension_undone_after_the_window_is_a_suspension_and_a_return() -> None:
    story = Story().customer("ada").license("L1").set("L1", status="suspended").wait(61).set("L1", status="active")

    assert story.types()[3:] == ["license_suspended", "license_activated"]


def test_a_license_renewed_late_is_paired_with_its_own_end_while_another_one_starts() -> None:
    """Two licenses, one of which expires and is renewed late; a third one starts in between."""
    story = Story().customer("ada").license("L1", expires_at=END).license("L2")
    story.now = END
    story.shop.tick(END)
    story.license("L3", "agency").set("L1", expires_at=END + timedelta(days=30))

    assert story.types()[5:] == ["license_created", "payment_completed", "license_renewed", "payment_completed"]
    assert kinds(story) == {"new": (1, 799), "expansion": (2, 799 + 1999)}


def test_if_only_the_first_of_two_ended_licenses_returns_the_end_of_the_other_is_no_churn() -> None:
    story = Story().customer("ada").license("L1").license("L2", "agency").wait(500)
    story.set("L1", status="suspended").set("L2", status="suspended").set("L1", status="active")
    alone = kinds(story)
    story.set("L2", status="active")

    assert alone == {"new": (1, 799), "expansion": (1, 1999), "contraction": (1, -1999)}
    assert kinds(story) == {"new": (1, 799), "expansion": (1, 1999)}


ENDINGS: dict[str, dict[str, Any]] = {"delete": {}, "suspended": {"status": "suspended"}, "expired": {}}


@given(
    st.permutations(["L1", "L2", "L3"]),
    st.permutations(["L1", "L2", "L3"]),
    st.lists(st.sampled_from(tuple(ENDINGS)), min_size=3, max_size=3),
    st.integers(0, 3),
)
def test_whatever_ends_and_returns_within_the_window_leaves_no_event_and_no_movement(
    ended: list[str], returned: list[str], how: list[str], start_of_another: int
) -> None:
    plans = {"L1": "pro", "L2": "agency", "L3": "starter"}
    story = Story().customer("ada")
    for name, plan in plans.items():
        story.license(name, plan, expires_at=END)
    story.wait(900)
    known, before, ways = story.types(), kinds(story), dict(zip(ended, how, strict=True))
    for name in ended:
        if ways[name] == "delete":
            story.delete(Source.LICENSES, name)
        else:
            story.set(name, status=ways[name])
    for place, name in enumerate(returned):
        if place == start_of_another:
            story.license("L4", "pro", customer="bob")
        if ways[name] == "delete":
            story.license(name, plans[name], expires_at=END)
        else:
            story.set(name, status="active", expires_at=END + (ways[name] == "expired") * timedelta(days=30))

    renewed = [kind for kind in story.types() if kind == "license_renewed"]
    others = [event for event in story.shop.events if event.type != "license_renewed" and event.customer_id != "bob"]
    assert len(renewed) == how.count("expired")
    assert Counter(event.type.value for event in others if event.type != "payment_completed") == Counter(
        kind for kind in known if kind != "payment_completed"
    )
    of_ada = [movement for movement in story.shop.movements if movement.customer_id == "ada"]
    found = {kind.value: sums for kind, sums in day_sums.of_day(of_ada).by_kind.items() if any(sums)}
    assert found == before
    assert story.shop.customers["ada"].mrr_cents == 799 + 1999 + 299
    assert story.shop.emitted_after_withdrawal == []


def churn(story: Story) -> tuple[int, int, set[str]]:
    sums = day_sums.of_day(story.shop.movements)
    return sums.churned_customers, sums.reactivated_customers, set(kinds(story))


def duplicate() -> Story:
    """A duplicate customer with two licenses beside the right one, a day before the test."""
    story = Story().customer("right").customer("copy")
    story.license("L1", customer="copy").license("L2", "agency", customer="copy").wait(900)
    story.shop.movements.clear()
    return story


def test_licenses_moved_from_a_duplicate_that_is_deleted_afterwards_lose_nothing() -> None:
    story = duplicate().set("L1", customer_id="right").set("L2", customer_id="right").delete(Source.CUSTOMERS, "copy")

    assert churn(story) == (0, 0, set())
    assert story.shop.customers["right"].mrr_cents == 799 + 1999
    assert story.types()[-1] == "payment_completed"


def test_licenses_of_a_duplicate_that_was_deleted_before_they_move_lose_nothing() -> None:
    story = duplicate().delete(Source.CUSTOMERS, "copy").set("L1", customer_id="right").set("L2", customer_id="right")

    assert churn(story) == (0, 0, set())
    assert story.shop.totals.subscribers == 1


@pytest.mark.parametrize("plan", ["pro", "agency", "starter"])
def test_licenses_deleted_with_a_duplicate_and_inserted_for_the_right_customer_have_moved(plan: str) -> None:
    story = duplicate()
    before = story.types()
    story.delete(Source.LICENSES, "L2").delete(Source.LICENSES, "L1").delete(Source.CUSTOMERS, "copy")
    story.license("L1", plan, customer="right").license("L2", "agency", customer="right")
    changed = {"pro": set(), "agency": {"expansion"}, "starter": {"contraction"}}[plan]

    assert churn(story)[:2] == (0, 0)
    assert churn(story)[2] - changed <= {"contraction"}
    assert [kind for kind in story.types() if "cancelled" in kind or "activated" in kind] == []
    assert len(story.types()) >= len(before)


def test_a_deleted_license_that_returns_suspended_and_is_activated_for_another_customer_is_new_to_that_customer() -> (
    None
):
    story = Story().customer("ada").customer("bruno").license("L1").wait(120).delete(Source.LICENSES, "L1")
    story.license("L1", status="suspended").set("L1", status="active", customer_id="bruno")

    assert kinds(story) == {"new": (2, 1598), "churn": (1, -799)}
    assert (story.shop.customers["ada"].mrr_cents, story.shop.customers["bruno"].mrr_cents) == (0, 799)


def test_a_license_that_moves_and_ends_at_once_is_lost_by_its_new_customer() -> None:
    story = duplicate().set("L2", customer_id="right", status="cancelled")

    assert kinds(story) == {"churn": (1, -1999)}
    assert (story.shop.customers["copy"].mrr_cents, story.shop.customers["right"].mrr_cents) == (799, 0)


def twelve() -> Story:
    story = Story()
    for number in range(12):
        story.customer(f"c{number}").license(f"L{number}", customer=f"c{number}")
    return story.wait(900)


@pytest.mark.parametrize("gap", [1, 20, 300])
@pytest.mark.parametrize("gone", [(Source.LICENSES,), (Source.CUSTOMERS,), (Source.LICENSES, Source.CUSTOMERS)])
@pytest.mark.parametrize("plan", ["pro", "agency"])
def test_new_customers_are_as_many_as_the_note_says_after_any_delete_and_insert(
    gap: int, gone: tuple[Source, ...], plan: str
) -> None:
    story = twelve()
    for source in gone:
        for number in range(12):
            story.delete(source, f"L{number}" if source is Source.LICENSES else f"c{number}")
    story.wait(gap)
    for source in reversed(gone):
        for number in range(12):
            if source is Source.LICENSES:
                story.license(f"L{number}", plan, customer=f"c{number}")
            else:
                story.customer(f"c{number}")
    active = {event.license_id: event.type.value for event in story.shop.events if event.license_id}

    assert sum(map(day_sums.is_new_customer, story.shop.movements)) == story.types().count("new_customer") == 12
    assert "license_cancelled" not in active.values()
    assert ("churn" in kinds(story)) == (gap == 300 and Source.LICENSES in gone)
    assert story.shop.emitted_after_withdrawal == []


def test_documents_found_again_by_a_reconciliation_are_the_same_customers() -> None:
    story = twelve()
    before = story.types()
    for number in range(12):
        story.delete(Source.LICENSES, f"L{number}").delete(Source.CUSTOMERS, f"c{number}")
    found = [
        *(Change(Source.CUSTOMERS, Operation.INSERT, f"c{n}", story.now, "reconciliation:1", {}) for n in range(12)),
        *(
            Change(
                Source.LICENSES,
                Operation.INSERT,
                f"L{n}",
                story.now,
                "reconciliation:1",
                DOCUMENT | {"customer_id": f"c{n}"},
            )
            for n in range(12)
        ),
    ]
    story.shop.apply([change._replace(origin=Origin.RECOVERED) for change in found])

    assert story.types() == before
    assert set(kinds(story)) == {"new"}
    assert sum(map(day_sums.is_new_customer, story.shop.movements)) == 12


def test_a_license_that_returns_invalid_and_is_corrected_is_not_created_again() -> None:
    story = Story().customer("ada").license("L1").wait(500).delete(Source.LICENSES, "L1").wait(90)
    story.license("L1", status="?").set("L1", status="active")

    assert story.types().count("license_created") == 1
    assert story.types()[-1] == "license_activated"
