"""Only an invalid document itself is held, until a valid version of it or of its plan arrives."""

from datetime import timedelta
from typing import Any

import pytest

from rules.handlers.license_documents import read_license
from rules.model.changes import Change, LicenseStatus, Operation, Source
from rules.revenue.pricing import InvalidDocument
from rules.settings.settings import Settings
from tests.rules.examples import T0, Story

SETTINGS = Settings()
GOOD: dict[str, Any] = {"customer_id": 1, "plan_id": 2, "status": "active", "expires_at": None}


@pytest.mark.parametrize(
    "bad",
    [
        {"status": "on"},
        {"status": None},
        {"status": ["active"]},
        {"expires_at": "2025-01-01"},
        {"expires_at": 7},
        {"expires_at": T0.replace(tzinfo=None)},
        {"customer_id": [1]},
        {"customer_id": {"a": 1}},
        {"customer_id": True},
        {"customer_id": float("nan")},
        {"plan_id": []},
        {"plan_id": False},
    ],
    ids=str,
)
def test_an_invalid_license_names_the_invalid_field(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument, match=f"^{next(iter(bad))} must be"):
        read_license({**GOOD, **bad}, SETTINGS)


def test_a_license_without_a_customer_is_valid() -> None:
    license = read_license({"plan_id": 2, "status": "active"}, SETTINGS)

    assert (license.customer_id, license.status) == (None, LicenseStatus.ACTIVE)


def test_a_held_license_keeps_its_last_valid_contribution_until_a_valid_version_arrives() -> None:
    story = Story().license("L1").set("L1", status=["?"])
    held = (story.shop.totals.mrr_cents, story.shop.dead_letters[Source.LICENSES, "L1"].reason)
    story.set("L1", status="cancelled")

    assert held[0] == 799
    assert held[1].startswith("status must be one of active, ")
    assert story.shop.dead_letters == {}
    assert story.lines()[-1] == ("churn", "cancelled", -799)


def test_a_held_license_still_expires_with_its_last_valid_version() -> None:
    story = Story().license("L1", expires_at=T0 + timedelta(days=1)).set("L1", plan_id=["?"])
    story.shop.tick(T0 + timedelta(days=1))

    assert story.shop.totals.mrr_cents == 0
    assert (Source.LICENSES, "L1") in story.shop.dead_letters
    assert story.shop.licenses["L1"].held


def test_a_license_waits_for_its_plan_and_is_emitted_when_the_plan_arrives() -> None:
    story = Story().license("L1", "new")
    waiting = story.types()
    story.plan("new", price=5)

    assert waiting == []
    assert story.types() == ["license_created", "payment_completed"]
    assert (story.shop.totals.mrr_cents, story.shop.dead_letters) == (500, {})


def test_a_license_keeps_the_last_price_of_a_deleted_plan_but_no_license_joins_it() -> None:
    story = Story().license("L1").delete(Source.PLANS, "pro").license("L2")

    assert story.shop.totals.mrr_cents == 799
    assert "was deleted" in story.shop.dead_letters[Source.LICENSES, "L2"].reason


def test_a_plan_deleted_while_held_is_released() -> None:
    story = Story().plan("bad", price="x").license("L1", "bad").delete(Source.PLANS, "bad").license("L2", "bad")

    assert set(story.shop.dead_letters) == {(Source.LICENSES, "L1"), (Source.LICENSES, "L2")}
    assert story.shop.dead_letters[Source.LICENSES, "L2"].reason.startswith(
        "plan_id must be the id of an existing plan"
    )


def test_a_license_known_only_from_updates_is_held_until_it_is_replaced() -> None:
    story = Story().set("L1", status="active").set("L1", plan_id="pro", expires_at=None).reprice("pro", 9)
    held = set(story.shop.dead_letters)
    story.change(Source.LICENSES, Operation.REPLACE, "L1", {**GOOD, "plan_id": "pro"})

    assert held == {(Source.LICENSES, "L1")}
    assert story.shop.dead_letters == {}
    assert story.shop.customers[1].mrr_cents == 900


def test_a_customer_known_only_from_an_update_counts_and_is_named() -> None:
    story = Story()
    story.change(Source.CUSTOMERS, Operation.UPDATE, "c", {"name": "Carla"})

    assert story.descriptions() == ["Nuovo cliente: Carla"]
    assert story.shop.totals.customers == 1


def test_a_license_that_waits_for_a_deleted_plan_is_emitted_when_the_plan_returns_at_the_same_price() -> None:
    story = Story().delete(Source.PLANS, "pro").license("L1").plan("pro", price=7.99)

    assert story.types() == ["license_created", "payment_completed"]
    assert story.shop.dead_letters == {}


def test_a_document_released_and_invalid_again_in_one_batch_is_held() -> None:
    shop = Story().license("L1").set("L1", status="?").shop
    good, bad = ({"status": status} for status in ("active", "??"))

    shop.apply(
        [
            Change(Source.LICENSES, Operation.UPDATE, "L1", T0 + timedelta(hours=1), f"83{number}", fields)
            for number, fields in enumerate((good, bad))
        ]
    )

    assert "'??'" in shop.dead_letters[Source.LICENSES, "L1"].reason
