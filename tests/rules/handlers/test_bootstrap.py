"""A bootstrap and a reconciliation reach the totals of the stream, however often they are interrupted."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules.model.changes import Change, Operation, Origin, Source
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from tests.rules.examples import Story
from tests.rules.histories import cuts, histories
from tests.rules.inspection import (
    all_totals,
    countable_totals,
    customers,
    is_natural_expiry,
    reconciliation_changes,
    reconciliation_inserts,
    sums,
)
from tests.rules.recount import Oracle
from tests.rules.shop import Shop


@given(histories(poison=False))
def test_a_bootstrap_emits_nothing_and_reaches_the_totals_of_the_stream(history: list[Change]) -> None:
    followed, oracle = Shop().follow(history), Oracle()
    for change in history:
        oracle.follow(change)

    started = Shop().follow(reconciliation_inserts(oracle, history, Origin.BOOTSTRAP), {3, 5})

    assert started.events == []
    assert countable_totals(started.totals) == countable_totals(followed.totals)
    assert sums(started.movements) == all_totals(started.totals)
    assert customers(started) == customers(followed)
    assert {m.kind for m in started.movements} <= {MovementKind.OPENING}


@given(histories(poison=False), st.integers(0, 40), cuts())
def test_a_bootstrap_interrupted_and_restarted_still_balances(history: list[Change], cut: int, where: set[int]) -> None:
    early, late = Oracle(), Oracle()
    for index, change in enumerate(history):
        if index < cut:
            early.follow(change)
        late.follow(change)
    shop = Shop().follow(reconciliation_inserts(early, history, Origin.BOOTSTRAP), where)

    shop.follow(reconciliation_changes(shop, late, history, Origin.BOOTSTRAP), where)

    assert shop.events == [] or {e.type for e in shop.events} == {EventType.LICENSE_EXPIRED}
    assert sums(shop.movements) == all_totals(shop.totals)
    if history:
        assert countable_totals(shop.totals) == late.totals(history[-1].at)


@given(histories(poison=False), st.integers(0, 40), cuts())
def test_a_reconciliation_reaches_the_same_totals_and_flags_what_it_recovered(
    history: list[Change], cut: int, where: set[int]
) -> None:
    oracle = Oracle()
    for change in history:
        oracle.follow(change)
    shop = Shop().follow(history[:cut])
    event_count = len(shop.events)

    shop.follow(reconciliation_changes(shop, oracle, history, Origin.RECOVERED), where)

    late = [e for e in shop.events[event_count:] if not is_natural_expiry(e)]
    assert all(event.metadata.get("recovered") is True for event in late)
    assert countable_totals(shop.totals) == oracle.totals(history[-1].at)
    assert sums(shop.movements) == all_totals(shop.totals)


def test_an_opening_balance_is_one_line_per_plan_dated_at_its_first_document_with_the_sum_of_all() -> None:
    story = Story()
    at = story.now
    inserts = [
        Change(source, Operation.INSERT, doc_id, at + timedelta(number), "bootstrap", fields, origin=Origin.BOOTSTRAP)
        for number, (source, doc_id, fields) in enumerate(
            [
                (Source.CUSTOMERS, "ada", {"name": "Ada"}),
                *((Source.LICENSES, key, {"customer_id": "ada", "plan_id": "pro", "status": "active"}) for key in "AB"),
            ]
        )
    ]
    story.shop.apply(inserts)
    nothing, pro = story.shop.movements

    assert (nothing.plan_id, nothing.customers, nothing.licenses) == (None, 1, 0)
    assert (pro.plan_id, pro.customers, pro.licenses, pro.mrr_cents) == ("pro", 0, 2, 1598)
    assert (pro.at, pro.kind, pro.reason, pro.cause) == (
        at + timedelta(1), MovementKind.OPENING, Reason.BOOTSTRAP, "bootstrap",
    )  # fmt: skip


def test_the_number_of_known_payments_is_kept_beside_the_other_memory_of_the_rule() -> None:
    story = Story(Shop(memory={"payments": {"known": 1, "taken_over": 1}}))
    fields = {"customer_id": "ada", "license_id": None, "amount": 7.99, "currency": "EUR", "status": "completed"}
    story.change(Source.PAYMENTS, Operation.INSERT, "P1", fields)

    assert story.shop.memory["payments"] == {"known": 2, "taken_over": 1}
