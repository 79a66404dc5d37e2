"""Properties of `decide`, checked against an independent recount over random histories."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.model.changes import Change, Operation, Source
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from rules.settings.settings import Settings
from rules.settings.thresholds import Thresholds
from tests.rules.histories import CUSTOMERS, LICENSES, STEPS, cuts, histories
from tests.rules.inspection import all_totals, countable_totals, customers, ids, same_id, state_text, sums
from tests.rules.recount import Oracle
from tests.rules.shop import Shop

OFF = {EventType.LICENSE_CANCELLED, EventType.LICENSE_EXPIRED, EventType.LICENSE_SUSPENDED}
ONCE = ("new_customer:", "license_created:", "payment_completed:", "limited_sale:")
"""Keys that repeat when a deleted document returns with its old `_id`, or a license to its old plan."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

many = settings(max_examples=2 * settings().max_examples)


@many
@given(histories())
def test_after_every_change_the_totals_equal_a_recount_of_the_documents(history: list[Change]) -> None:
    shop, oracle = Shop(), Oracle()

    for change in history:
        shop.apply([change])
        oracle.follow(change)

        assert countable_totals(shop.totals) == oracle.totals(change.at)


@many
@given(histories())
def test_each_mirrored_customer_carries_the_sum_of_its_licenses(history: list[Change]) -> None:
    shop, oracle = Shop(), Oracle()

    for change in history:
        shop.apply([change])
        oracle.follow(change)

        assert customers(shop) == oracle.customers(change.at)
        assert {i for i, c in shop.customers.items() if c.present} == set(oracle.documents[Source.CUSTOMERS])


@many
@given(histories())
def test_the_movements_add_up_to_the_totals_in_every_field(history: list[Change]) -> None:
    shop = Shop()

    for change in history:
        shop.apply([change])

        assert sums(shop.movements) == all_totals(shop.totals)


@many
@given(histories())
def test_exactly_the_invalid_documents_are_held(history: list[Change]) -> None:
    shop, oracle = Shop(), Oracle()

    for change in history:
        shop.apply([change])
        oracle.follow(change)

        assert set(shop.dead_letters) == oracle.held
        assert {i for i, state in shop.licenses.items() if state.held} == ids(oracle.held, Source.LICENSES)
        assert {i for i, state in shop.plans.items() if state.held} == ids(oracle.held, Source.PLANS)


@many
@given(histories())
def test_each_transition_of_a_license_is_emitted_exactly_once(history: list[Change]) -> None:
    """The window for license replacement is 0, so that no two transitions form a change of plan."""
    shop, oracle = Shop(settings=Settings(thresholds=Thresholds(plan_change_minutes=0))), Oracle()
    known: set[Any] = set()

    for change in history:
        event_count = len(shop.events)
        before = {i: state.value.active for i, state in shop.licenses.items() if state.value}
        assert before.keys() == oracle.good.keys()
        shop.apply([change])
        oracle.follow(change)

        after = oracle.active(change.at)
        for license_id in LICENSES:
            new_events = (e for e in shop.events[event_count:] if e.license_id == license_id)
            types = [e.type for e in new_events if same_id(e, license_id)]
            assert_emitted(types, before.get(license_id), after.get(license_id), license_id not in known)
        known |= after.keys()


def assert_emitted(types: list[EventType], before: bool | None, after: bool | None, is_new: bool) -> None:
    counts = Counter(types)
    if before is None:
        assert counts[EventType.LICENSE_CREATED] == (after is not None and is_new)
        assert not OFF & counts.keys()
        return
    switched = counts[EventType.LICENSE_ACTIVATED] - sum(counts[kind] for kind in OFF)
    assert counts[EventType.LICENSE_CREATED] == 0
    assert switched == bool(after) - before


@many
@given(histories(), cuts(), st.integers(1, 3))
def test_any_split_into_batches_gives_the_same_ledger_events_and_mirror(
    history: list[Change], where: set[int], chunk: int
) -> None:
    alone = Shop().one_by_one(history)

    together = Shop(chunk=chunk).follow(history, where)

    assert state_text(together) == state_text(alone)


@given(histories(), st.integers(0, 40), cuts())
def test_a_replayed_prefix_adds_nothing(history: list[Change], length: int, where: set[int]) -> None:
    once = Shop().follow(history)

    twice = Shop().follow(history, where).follow(history[:length], where)

    assert state_text(twice) == state_text(once)


@given(histories(), st.integers(0, 40), cuts())
def test_a_restart_that_receives_its_last_changes_again_neither_loses_nor_duplicates(
    history: list[Change], stop: int, where: set[int]
) -> None:
    restarted = Shop().follow(history[:stop], where)

    restarted.follow(history[max(0, stop - 5) :], where)

    assert state_text(restarted) == state_text(Shop().follow(history))


@given(histories(), st.lists(st.sampled_from(STEPS), min_size=40, max_size=40))
def test_ticks_at_any_instant_do_not_change_the_result(history: list[Change], waits: list[Any]) -> None:
    ticked = Shop()
    for change, following, wait in zip(history, [*history[1:], None], waits, strict=False):
        ticked.apply([change])
        if following is not None:
            ticked.tick(min(change.at + wait, following.at))

    plain = Shop().one_by_one(history[: len(waits)])

    assert state_text(ticked) == state_text(plain)


@given(histories())
def test_a_license_expires_at_its_expiry_whatever_change_comes_next(history: list[Change]) -> None:
    shop = Shop().follow(history)
    if history:
        shop.tick(history[-1].at + 3 * STEPS[-1])

    ends = {e.key.rpartition(":")[2]: e.at for e in shop.events if e.type is EventType.LICENSE_EXPIRED}

    for cause, at in ends.items():
        assert cause.startswith("82") or at == EPOCH + timedelta(milliseconds=int(cause))
    for state in shop.licenses.values():
        if state.license and state.license.expires_at and history:
            assert not (state.value and state.value.active and state.license.expires_at <= history[-1].at)


@many
@given(histories(), cuts())
def test_no_two_facts_share_an_event_key(history: list[Change], where: set[int]) -> None:
    shop = Shop().follow(history, where)

    counts = Counter(event.key for event in shop.emitted)
    repeated = [event for event in shop.emitted if counts[event.key] > 1]

    returned = {(type(c.id), c.id) for c in history if c.op is Operation.DELETE}
    for event in repeated:
        subject = event.customer_id if event.type is EventType.NEW_CUSTOMER else event.license_id
        assert (type(subject), subject) in returned or event.key.startswith("limited_sale:")
        assert event.key.startswith(ONCE)
        assert event.type not in OFF


@many
@given(histories())
def test_a_lifetime_plan_is_sold_to_a_license_at_most_once(history: list[Change]) -> None:
    shop, sold = Shop(), set[Any]()

    for change in history:
        booked = len(shop.movements)
        shop.apply([change])
        if change.source is Source.LICENSES and change.op is Operation.DELETE:
            sold = {sale for sale in sold if sale[0] != (type(change.id), change.id)}
        sales = [m for m in shop.movements[booked:] if m.one_time_cents]
        keys = {((type(m.license_id), m.license_id), m.plan_id) for m in sales}

        assert len(keys) == len(sales)
        assert not keys & sold
        sold |= keys


@many
@given(histories())
def test_a_customers_movements_are_continuous(history: list[Change]) -> None:
    shop = Shop().follow(history)

    for customer_id in (*CUSTOMERS, None, "ghost"):
        lines = [m for m in shop.movements if m.customer_id == customer_id and m.plan_id is not None]
        halves = any(line.count != 1 for line in lines)
        mrr, ever = 0, False
        for line in lines:
            assert line.customer_mrr == (mrr, mrr + line.mrr_cents)
            moved = line.reason is Reason.LICENSE_MOVED  # MRR that moves is neither lost nor won
            expected = MovementKind.NEUTRAL if moved else expected_kind(*line.customer_mrr, ever=ever)
            assert halves or line.kind is expected
            mrr, ever = line.customer_mrr[1], ever or line.customer_mrr[1] > 0


def expected_kind(before: int, after: int, *, ever: bool) -> MovementKind:
    if before == after:
        return MovementKind.NEUTRAL
    if before and after:
        return MovementKind.EXPANSION if after > before else MovementKind.CONTRACTION
    if before:
        return MovementKind.CHURN
    return MovementKind.REACTIVATION if ever else MovementKind.NEW


@given(histories())
def test_movements_are_in_chronological_order(history: list[Change]) -> None:
    shop = Shop().follow(history)

    times = [movement.at for movement in shop.movements if movement.count >= 0]

    assert times == sorted(times)
