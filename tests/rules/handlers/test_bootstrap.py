"""A bootstrap and a reconciliation reach the totals of the stream, however often they are interrupted."""

from hypothesis import given
from hypothesis import strategies as st

from rules.model.changes import Change, Origin
from rules.model.events import EventType
from rules.model.ledger import MovementKind
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
