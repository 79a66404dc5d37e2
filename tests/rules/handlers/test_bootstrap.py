"""A first start and a reconciliation reach what following the stream reaches, however often they are cut off."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.model.changes import Change, Origin
from rules.model.events import EventType
from rules.model.ledger import MovementKind
from tests.rules.histories import cuts, histories
from tests.rules.looks import by_the_clock, customers, differences, everything, found, numbers, sums
from tests.rules.recount import Oracle
from tests.rules.shop import Shop

some = settings(max_examples=100)


@some
@given(histories(poison=False))
def test_a_bootstrap_says_nothing_and_counts_what_following_the_stream_counted(history: list[Change]) -> None:
    followed, oracle = Shop().follow(history), Oracle()
    for change in history:
        oracle.follow(change)

    started = Shop().follow(found(oracle, history, Origin.BOOTSTRAP), {3, 5})

    assert started.events == []
    assert numbers(started.totals) == numbers(followed.totals)
    assert sums(started.movements) == everything(started.totals)
    assert customers(started) == customers(followed)
    assert {m.kind for m in started.movements} <= {MovementKind.OPENING}


@some
@given(histories(poison=False), st.integers(0, 40), cuts())
def test_a_bootstrap_cut_off_and_begun_anew_still_balances(history: list[Change], cut: int, where: set[int]) -> None:
    early, late = Oracle(), Oracle()
    for index, change in enumerate(history):
        if index < cut:
            early.follow(change)
        late.follow(change)
    shop = Shop().follow(found(early, history, Origin.BOOTSTRAP), where)

    shop.follow(differences(shop, late, history, Origin.BOOTSTRAP), where)

    assert shop.events == [] or {e.type for e in shop.events} == {EventType.LICENSE_EXPIRED}
    assert sums(shop.movements) == everything(shop.totals)
    if history:
        assert numbers(shop.totals) == late.totals(history[-1].at)


@some
@given(histories(poison=False), st.integers(0, 40), cuts())
def test_a_reconciliation_reaches_the_same_totals_and_flags_what_it_recovered(
    history: list[Change], cut: int, where: set[int]
) -> None:
    oracle = Oracle()
    for change in history:
        oracle.follow(change)
    shop = Shop().follow(history[:cut])
    told = len(shop.events)

    shop.follow(differences(shop, oracle, history, Origin.RECOVERED), where)

    late = [e for e in shop.events[told:] if not by_the_clock(e)]
    assert all(event.metadata.get("recovered") is True for event in late)
    assert numbers(shop.totals) == oracle.totals(history[-1].at)
    assert sums(shop.movements) == everything(shop.totals)
