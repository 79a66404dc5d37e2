from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.model.changes import Operation, Source
from rules.model.events import EventType
from tests.rules.examples import MINUTE, T0, Story


def test_a_sale_emits_customer_license_and_payment_in_italian() -> None:
    story = Story().customer("ada").license("L1")

    assert story.descriptions() == [
        "Nuovo cliente: Ada",
        "Nuova licenza Pro: Ada",
        "Pagamento ricevuto: €7.99 da Ada",
    ]


def test_a_license_entered_by_hand_has_no_payment_and_is_marked() -> None:
    by_source = Story().customer("ada").license("L1", metadata={"source": "manual_insert"})
    by_customer = Story().customer("manual", email="manual@chatello.io").license("L1", customer="manual")

    texts = ("Nuova licenza Pro inserita manualmente: Ada", "Nuova licenza Pro inserita manualmente")
    for story, text in zip((by_source, by_customer), texts, strict=True):
        created = story.shop.events[-1]
        assert created.description == text
        assert created.metadata["source"] == "manual_insert"
        assert "payment_completed" not in story.types()
        assert story.shop.totals.mrr_cents == 799


def test_a_free_license_is_created_but_neither_paid_nor_counted_as_paying() -> None:
    story = Story().plan("free", price=0).license("L1", "free")

    assert story.types() == ["license_created"]
    assert (story.shop.totals.active_licenses, story.shop.totals.paying_customers) == (1, 0)


@pytest.mark.parametrize(
    ("status", "kind", "reason", "text"),
    [
        ("cancelled", "license_cancelled", "cancelled", "Licenza Pro cancellata: Ada"),
        ("suspended", "license_suspended", "suspended", "Licenza Pro sospesa: Ada"),
        ("inactive", "license_suspended", "suspended", "Licenza Pro sospesa: Ada"),
        ("expired", "license_expired", "expired", "Licenza Pro scaduta: Ada"),
    ],
)
def test_a_license_that_becomes_inactive_has_the_event_of_its_status(
    status: str, kind: str, reason: str, text: str
) -> None:
    story = Story().customer("ada").license("L1").set("L1", status=status)

    assert (story.types()[-1], story.descriptions()[-1]) == (kind, text)
    assert story.lines()[-1] == ("churn", reason, -799)


def test_deleting_an_active_license_cancels_it_and_deleting_an_inactive_one_is_silent() -> None:
    active = Story().license("L1").delete(Source.LICENSES, "L1")
    inactive = Story().license("L1", status="inactive").delete(Source.LICENSES, "L1")

    assert active.types()[-1] == "license_cancelled"
    assert inactive.types() == ["license_created"]
    assert active.lines()[-1] == ("churn", "license_deleted", -799)


def test_deleting_a_customer_cancels_none_of_its_licenses() -> None:
    story = Story().customer("ada").license("L1").delete(Source.CUSTOMERS, "ada")

    assert (story.shop.totals.customers, story.shop.totals.mrr_cents) == (0, 799)
    assert story.types()[-1] == "payment_completed"


def test_a_license_whose_customer_arrives_later_counts_at_once_without_a_name() -> None:
    story = Story().license("L1", customer="late").customer("late")

    assert story.descriptions()[0] == "Nuova licenza Pro: un cliente senza nome"
    assert story.shop.customers["late"].mrr_cents == 799


def test_an_upgrade_and_a_downgrade_follow_the_price() -> None:
    story = Story().customer("ada").license("L1").set("L1", plan_id="agency").set("L1", plan_id="starter")

    assert story.descriptions()[-2:] == ["Upgrade Pro → Agency: Ada", "Downgrade Agency → Starter: Ada"]
    assert story.lines()[-2:] == [("expansion", "plan_changed", 1200), ("contraction", "plan_changed", -1700)]


def test_plans_of_one_price_are_compared_by_the_configured_order_only() -> None:
    ordered = Story().plan("starter", price=7.99).license("L1").set("L1", plan_id="starter")
    unordered = Story().plan("x", price=3).plan("y", price=3).license("L1", "x").set("L1", plan_id="y")

    assert ordered.types()[-1] == "plan_downgraded"
    assert unordered.types() == ["license_created", "payment_completed"]


def test_an_inactive_license_that_changes_plan_emits_nothing() -> None:
    story = Story().license("L1", status="suspended").set("L1", plan_id="agency")

    assert story.types() == ["license_created"]
    assert story.shop.totals.by_plan["agency"].licenses == 1


def test_a_step_from_a_free_to_a_paid_plan_is_paid_once() -> None:
    story = Story().plan("free", price=0).customer("ada").license("L1", "free").set("L1", plan_id="pro")
    story.set("L1", plan_id="agency")

    assert story.types()[1:] == ["license_created", "plan_upgraded", "payment_completed", "plan_upgraded"]
    assert [event.amount_cents for event in story.shop.events if event.type == "payment_completed"] == [799]


def test_a_step_to_a_paid_plan_with_a_new_term_is_paid_once() -> None:
    end = T0 + timedelta(days=30)
    story = Story().plan("free", price=0).customer("ada").license("L1", "free", expires_at=end)
    story.set("L1", plan_id="pro", expires_at=end + timedelta(days=30))

    assert story.types().count("payment_completed") == 1


def test_a_renewal_emits_renewal_and_payment() -> None:
    end = T0 + timedelta(days=30)
    story = Story().license("L1", expires_at=end).set("L1", expires_at=end + timedelta(days=30))

    assert story.types()[-2:] == ["license_renewed", "payment_completed"]


@pytest.mark.parametrize("end", [T0 + timedelta(days=10), None], ids=["earlier", "never"])
def test_an_end_that_moves_earlier_or_away_is_no_renewal(end: object) -> None:
    story = Story().license("L1", expires_at=T0 + timedelta(days=30)).set("L1", expires_at=end)

    assert story.types() == ["license_created", "payment_completed"]


def test_a_license_pays_when_it_first_becomes_active_and_again_only_for_a_new_term() -> None:
    story = Story().license("L1", status="inactive", expires_at=T0 + timedelta(days=30))
    story.set("L1", status="active").set("L1", status="suspended").wait(62).set("L1", status="active")
    story.set("L1", status="cancelled").wait(62).set("L1", status="active", expires_at=T0 + timedelta(days=60))

    assert story.types().count("license_activated") == 3
    assert story.types().count("payment_completed") == 2


def test_a_license_that_expires_without_a_write_leaves_mrr_at_that_instant() -> None:
    end = T0 + timedelta(hours=1)
    story = Story().license("L1", expires_at=end)

    story.shop.tick(end - timedelta(milliseconds=1))
    before = story.shop.totals.mrr_cents
    story.shop.tick(end)

    assert (before, story.shop.totals.mrr_cents) == (799, 0)
    assert (story.shop.events[-1].type, story.shop.events[-1].at) == (EventType.LICENSE_EXPIRED, end)
    assert story.shop.movements[-1].at == end


def test_a_status_written_after_the_license_expired_emits_nothing() -> None:
    story = Story().license("L1", expires_at=T0 + 10 * MINUTE)
    story.shop.tick(T0 + 10 * MINUTE)
    story.set("L1", status="expired")

    assert story.types().count("license_expired") == 1


def test_licenses_that_expire_at_one_instant_are_ordered_by_id_whatever_its_type() -> None:
    story = Story()
    for doc_id in ("1", 1, 2, "b"):
        story.license(doc_id, expires_at=T0 + timedelta(days=1))
    story.shop.tick(T0 + timedelta(days=1))

    assert [e.license_id for e in story.shop.events[-4:]] == [1, "1", 2, "b"]


def test_ids_with_the_same_text_have_separate_events() -> None:
    story = Story().license(1).license("1").customer("3")
    story.change(Source.CUSTOMERS, Operation.INSERT, 3, {})

    keys = [event.key for event in story.shop.events]

    assert len(set(keys)) == len(keys)


def test_the_founders_sale_counts_down() -> None:
    story = Story().plan("founders", price=29.0, is_lifetime=True, lifetime_limit=2, display_name="Founders Deal")
    for doc_id in ("L1", "L2", "L3"):
        story.license(doc_id, "founders", license_key=f"CHA-{doc_id}")

    sales = [e for e in story.shop.events if e.type is EventType.MILESTONE_REACHED]

    assert [e.description for e in sales] == [
        "Founders Deal: ne resta solo uno!",
        "Founders Deal: esaurito!",
        "Founders Deal: esaurito!",
    ]
    assert [e.metadata["founders_remaining"] for e in sales] == [1, 0, 0]
    assert sales[0].metadata["license_key"] == "CHA-L1"


def test_a_lifetime_plan_is_sold_once_and_is_never_mrr() -> None:
    story = Story().license("L1", "founders").set("L1", status="suspended").set("L1", status="active")

    assert (story.shop.totals.one_time_cents, story.shop.totals.mrr_cents) == (2900, 0)
    assert story.shop.totals.paying_customers == 1


def test_moving_to_a_lifetime_plan_sells_it() -> None:
    story = Story().license("L1", "pro").set("L1", plan_id="founders")

    assert (story.shop.totals.one_time_cents, story.shop.totals.mrr_cents) == (2900, 0)
    assert story.lines()[-1] == ("churn", "plan_changed", -799)


def test_a_lifetime_plan_left_and_rejoined_is_sold_once() -> None:
    story = Story().license("L1", "founders").set("L1", plan_id="pro").set("L1", plan_id="founders")

    assert story.shop.totals.one_time_cents == 2900


def test_two_lifetime_plans_are_sold_each() -> None:
    story = Story().plan("gold", price=99, is_lifetime=True).license("L1", "founders").set("L1", plan_id="gold")
    story.set("L1", plan_id="founders").set("L1", plan_id="gold")

    assert story.shop.totals.one_time_cents == 2900 + 9900


def test_a_lifetime_license_entered_by_hand_sells_nothing_now_or_later() -> None:
    story = Story().license("L1", "founders", metadata={"source": "manual_insert"})
    story.set("L1", status="suspended").set("L1", status="active", metadata=None)

    assert story.shop.totals.one_time_cents == 0
    assert "payment_completed" not in story.types()


def test_a_license_moved_to_a_lifetime_plan_while_suspended_is_sold_when_it_is_activated() -> None:
    story = Story().customer("ada").license("L1").set("L1", status="suspended").set("L1", plan_id="founders")
    before = story.shop.totals.one_time_cents
    story.set("L1", status="active").set("L1", status="suspended").set("L1", status="active")

    assert (before, story.shop.totals.one_time_cents) == (0, 2900)
    assert story.descriptions().count("Pagamento ricevuto: €29.00 da Ada") == 1


def test_an_active_license_that_moves_to_a_lifetime_plan_pays_its_price() -> None:
    story = Story().customer("ada").license("L1").set("L1", plan_id="founders")

    assert story.descriptions()[-2:] == ["Upgrade Pro → Founders: Ada", "Pagamento ricevuto: €29.00 da Ada"]


def test_a_plan_that_becomes_lifetime_is_not_sold_to_the_licenses_on_it() -> None:
    story = Story().license("L1").license("L2").set("L2", status="suspended")
    story.change(Source.PLANS, Operation.UPDATE, "pro", {"is_lifetime": True})
    story.set("L2", status="active").set("L1", status="suspended").set("L1", status="active")

    assert (story.shop.totals.one_time_cents, story.shop.totals.mrr_cents) == (0, 0)


def test_a_new_price_of_a_lifetime_plan_is_not_a_sale_to_the_licenses_on_it() -> None:
    story = Story().plan("gift", price=0, is_lifetime=True).license("L1", "gift").reprice("gift", 29.0)

    assert story.shop.totals.one_time_cents == 0
    assert story.shop.totals.paying_customers == 1


@settings(max_examples=40)
@given(st.integers(0, 5), st.integers(0, 3), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_plans_new_price_moves_mrr_by_the_difference_for_each_active_license(
    active: int, inactive: int, old: int, new: int
) -> None:
    story = Story().plan("p", price=old / 100)
    for number in range(active + inactive):
        story.license(number, "p", f"c{number % 3}", status="active" if number < active else "cancelled")
    event_count, movement_count = len(story.shop.events), len(story.shop.movements)
    story.reprice("p", new / 100)

    moved = story.shop.movements[movement_count:]

    assert story.shop.totals.mrr_cents == new * active
    assert len(moved) == (active if old != new else 0)
    assert {m.reason.value for m in moved} <= {"reprice"}
    assert [event for event in story.shop.events[event_count:] if event.license_id is not None] == []


def test_a_plan_renamed_without_a_new_price_revalues_no_license() -> None:
    story = Story().license("L1")
    before = len(story.shop.movements)

    story.change(Source.PLANS, Operation.UPDATE, "pro", {"display_name": "Pro!"})

    assert len(story.shop.movements) == before
    assert story.shop.plans["pro"].plan is not None
    assert story.shop.plans["pro"].plan.title == "Pro!"


def test_cancelling_one_of_two_licenses_is_contraction_and_the_last_one_is_churn() -> None:
    story = Story().license("L1").license("L2", "starter").wait(61)
    story.set("L1", status="cancelled").set("L2", status="cancelled").set("L2", status="active")

    assert [kind for kind, _, _ in story.lines()] == ["new", "expansion", "contraction", "churn", "reactivation"]


def test_a_customer_once_paying_comes_back_as_a_reactivation_even_after_its_document_was_deleted() -> None:
    story = Story().customer("ada").license("L1").set("L1", status="cancelled")
    story.delete(Source.CUSTOMERS, "ada").customer("ada").set("L1", status="active")

    assert [kind for kind, _, _ in story.lines()] == ["new", "churn", "reactivation"]


def test_a_license_that_moves_leaves_one_customer_and_joins_the_other() -> None:
    story = Story().license("L1", customer="ada").set("L1", customer_id="bruno")

    assert story.lines()[-2:] == [("neutral", "license_moved", -799), ("neutral", "license_moved", 799)]
    assert story.types() == ["license_created", "payment_completed"]


def test_a_cancellation_that_also_changes_plan_names_the_canceled_plan() -> None:
    story = Story().license("L1", "agency").set("L1", plan_id="pro", status="cancelled")

    event = story.shop.events[-1]

    assert (event.plan_name, event.amount_cents) == ("agency", 1999)
