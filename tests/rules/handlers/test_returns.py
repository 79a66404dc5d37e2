"""Documents that come back: a late renewal, a deletion that was undone, a nightly sync that deletes and inserts."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.changes import Operation, Source
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
