"""Each payment is told once: by somebody else, else by its document, else by its licence; in any order and split."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, NamedTuple, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.handlers import payments
from rules.model.changes import Change, Operation, Origin, PaymentStatus, Source
from rules.model.events import Event, EventType
from rules.revenue.pricing import InvalidDocument
from rules.settings.settings import Settings
from tests.rules.examples import T0, Story
from tests.rules.histories import cuts
from tests.rules.looks import story
from tests.rules.shop import Shop

NAN = float("nan")
GOOD: dict[str, Any] = {
    "customer_id": "ada",
    "license_id": "L1",
    "amount": 7.99,
    "currency": "EUR",
    "status": "completed",
}
HOSTILE: list[dict[str, Any]] = [
    {"amount": NAN},
    {"amount": float("inf")},
    {"amount": Decimal("NaN")},
    {"amount": "12,50"},
    {"amount": True},
    {"amount": None},
    {"amount": [7.99]},
    {"amount": -7.99},
    {"currency": "XYZ"},
    {"currency": ["EUR"]},
    {"status": ["completed"]},
    {"status": "paid"},
    {"status": None},
    {"customer_id": ["ada"]},
    {"license_id": {"$ne": 1}},
    {"license_id": True},
]

many = settings(max_examples=200)


class Till(Story):
    """A shop with payments, and somebody else who writes events."""

    def pays(self, doc_id: str = "P1", **fields: Any) -> Self:
        return self.happens(Source.PAYMENTS, Operation.INSERT, doc_id, GOOD | {"created_at": self.now} | fields)

    def turns(self, doc_id: str, status: str) -> Self:
        return self.happens(Source.PAYMENTS, Operation.UPDATE, doc_id, {"status": status})

    def others_tell(self, license_id: Any = "L1", amount: Any = 7.99, kind: str = "payment_completed") -> Self:
        fields = {"event_type": kind, "license_id": license_id, "customer_id": "ada", "amount": amount}
        return self.happens(Source.EVENTS, Operation.INSERT, f"E{self.told}", fields | {"event_date": self.now})

    def paid(self) -> list[str]:
        return [event.description for event in self.shop.events if event.type.value.startswith("payment")]


def till() -> Till:
    return Till().customer("ada")


# -- one by one -------------------------------------------------------------------------------------------------


def test_while_payments_is_empty_a_paid_licence_stands_for_its_payment() -> None:
    shop = till()
    shop.license("L1")

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert shop.shop.events[-1].key == "payment_completed:'L1'"


def test_the_first_payment_withdraws_the_guess_of_its_licence_and_tells_what_was_paid() -> None:
    shop = till()
    shop.license("L1")
    guessed = shop.now
    shop.pays(amount=9.75, transaction_id="txn_1")

    event = shop.shop.events[-1]
    assert shop.paid() == ["Pagamento ricevuto: €9.75 da Ada"]
    assert (event.key, event.plan_name, event.amount_cents) == ("payment_completed:payment:'P1'", "pro", 975)
    assert event.metadata == {"customer_name": "Ada", "transaction_id": "txn_1", "payment_id": "P1"}
    assert guessed < event.at


def test_once_payments_are_used_no_licence_stands_for_one_any_more() -> None:
    shop = till()
    shop.license("L0").pays(license_id="L0")
    shop.license("L1", expires_at=T0 + timedelta(days=30)).set("L1", expires_at=T0 + timedelta(days=60))

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert "license_renewed" in shop.types()


def test_a_payment_that_comes_before_its_licence_is_told_without_the_plan() -> None:
    shop = till().pays()
    shop.license("L1")

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert [event.plan_name for event in shop.shop.events if event.type is EventType.PAYMENT_COMPLETED] == [None]


def test_a_pending_payment_withdraws_the_guess_and_is_told_when_it_is_settled() -> None:
    shop = till()
    shop.license("L1").pays(status="pending")
    pending = shop.paid()
    shop.turns("P1", "completed")

    assert (pending, shop.paid()) == ([], ["Pagamento ricevuto: €7.99 da Ada"])


def test_a_payment_from_pending_to_failed_to_completed_to_refunded_tells_each_once() -> None:
    shop = till()
    shop.license("L1").pays(status="pending")
    for status in ("failed", "pending", "failed", "completed", "completed", "refunded", "completed", "refunded"):
        shop.turns("P1", status)

    assert shop.paid() == [
        "Pagamento fallito: €7.99 da Ada",
        "Pagamento ricevuto: €7.99 da Ada",
        "Pagamento rimborsato: €7.99 a Ada",
    ]


def test_a_transaction_delivered_twice_is_one_payment_and_a_number_used_again_next_month_is_another() -> None:
    shop = till()
    shop.license("L1").pays("P1", transaction_id="txn").pays("P2", transaction_id="txn").pays(
        "P3", transaction_id="other"
    )
    twice = len(shop.paid())
    shop.wait(30 * 24 * 60).pays("P4", transaction_id="txn")

    assert (twice, len(shop.paid())) == (2, 3)


def test_a_payment_of_nothing_is_silence() -> None:
    shop = till()
    shop.license("L1").pays(amount=0)

    assert shop.paid() == []


def test_a_payment_in_another_currency_is_told_by_its_rate_or_held() -> None:
    shop = till().pays(currency="USD", amount=10)
    held = shop.shop.letters[Source.PAYMENTS, "P1"].reason
    rated = till()
    rated.shop.settings = replace(Settings(), rates={"USD": Decimal("0.92")})
    rated.pays(currency="USD", amount=10)

    assert held.startswith("currency must be EUR or one with a configured rate")
    assert rated.paid() == ["Pagamento ricevuto: €9.20 da Ada"]


@pytest.mark.parametrize("bad", HOSTILE, ids=str)
def test_a_payment_nobody_can_understand_is_held_silences_nothing_and_is_told_once_it_is_mended(
    bad: dict[str, Any],
) -> None:
    with pytest.raises(InvalidDocument, match=f"^{next(iter(bad))} must be"):
        payments.read_payment(GOOD | bad, Settings())
    shop = till().pays(**bad)
    shop.license("L1")
    guessed = shop.paid()
    shop.happens(Source.PAYMENTS, Operation.UPDATE, "P1", {name: GOOD[name] for name in bad})

    assert guessed == ["Pagamento ricevuto: €7.99 da Ada"]
    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert shop.shop.events[-1].key == "payment_completed:payment:'P1'"
    assert shop.shop.letters == {}


def test_a_held_payment_keeps_what_was_told_of_it() -> None:
    shop = till()
    shop.license("L1").pays()
    shop.happens(Source.PAYMENTS, Operation.UPDATE, "P1", {"amount": NAN})
    shop.happens(Source.PAYMENTS, Operation.UPDATE, "P1", {"amount": 7.99})

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]


def test_an_update_of_a_payment_never_seen_is_held_until_it_is_seen_whole() -> None:
    shop = till().turns("P1", "completed")
    assert shop.shop.letters[Source.PAYMENTS, "P1"].reason == payments.UNSEEN
    shop.happens(Source.PAYMENTS, Operation.REPLACE, "P1", GOOD)

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert shop.shop.letters == {}


def test_old_payments_that_somebody_imports_are_no_news_but_what_becomes_of_them_is() -> None:
    shop = till().pays(created_at=T0 - timedelta(days=90)).pays("P2", created_at=T0 - timedelta(days=6))
    shop.turns("P1", "refunded")

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada", "Pagamento rimborsato: €7.99 a Ada"]


def test_payments_found_at_a_first_start_are_silent_and_in_use() -> None:
    shop = till()
    found = Change(Source.PAYMENTS, Operation.INSERT, "P1", T0, "reconciliation:1", GOOD, origin=Origin.BOOTSTRAP)
    shop.shop.apply([found])
    shop.license("L1")

    assert shop.paid() == []
    shop.turns("P1", "refunded")
    assert shop.paid() == ["Pagamento rimborsato: €7.99 a Ada"]


def test_a_payment_found_refunded_after_a_gap_was_completed_in_it() -> None:
    shop = till().pays(status="pending")
    changed = GOOD | {"status": "refunded"}
    found = Change(
        Source.PAYMENTS, Operation.REPLACE, "P1", shop.now, "reconciliation:1", changed, origin=Origin.RECOVERED
    )
    shop.shop.apply([found])

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada", "Pagamento rimborsato: €7.99 a Ada"]


def test_when_the_last_payment_is_deleted_licences_stand_for_payments_again() -> None:
    shop = till().pays(license_id="L0").delete(Source.PAYMENTS, "P1")
    shop.license("L1")

    assert len(shop_paid(shop)) == 2


def shop_paid(shop: Story) -> list[Event]:
    return [event for event in shop.shop.events if event.type is EventType.PAYMENT_COMPLETED]


def test_payments_without_a_licence_are_told_of_their_customer() -> None:
    shop = till().pays(license_id=None, transaction_id="t").pays("P2", license_id=None, transaction_id="t")

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]


def test_somebody_elses_payment_stands_above_ours_whoever_comes_first() -> None:
    for order in ("GF", "GFP", "GPF", "PF", "FP", "FGP", "PGF"):
        shop = till()
        steps: dict[str, Callable[[], Any]] = {
            "G": partial(shop.license, "L1"),
            "P": shop.pays,
            "F": shop.others_tell,
        }
        for step in order:
            steps[step]()
        assert shop.paid() == [], order


def test_somebody_elses_renewal_does_not_touch_the_payment_of_the_start() -> None:
    shop = till()
    shop.license("L1", expires_at=T0 + timedelta(days=30)).wait(20 * 24 * 60)
    shop.set("L1", expires_at=T0 + timedelta(days=60))
    shop.others_tell()

    assert len(shop.paid()) == 1
    assert shop_paid(shop)[0].at < T0 + timedelta(hours=1)


def test_two_payments_of_one_licence_are_told_apart_by_their_amount() -> None:
    shop = till()
    shop.license("L1").pays("P1", amount=7.99).pays("P2", amount=19.99).others_tell(amount=19.99)

    assert shop.paid() == ["Pagamento ricevuto: €7.99 da Ada"]


def test_somebody_elses_failed_payment_stands_once_too() -> None:
    shop = till().pays(status="failed").others_tell(kind="payment_failed")

    assert shop.paid() == []


@pytest.mark.parametrize(
    "odd", [{"license_id": None}, {"license_id": ["L1"]}, {"license_id": "L9"}, {"amount": NAN}], ids=str
)
def test_whatever_else_somebody_writes_about_payments_does_no_harm(odd: dict[str, Any]) -> None:
    shop = till()
    shop.license("L1").others_tell(**odd)

    assert len(shop.paid()) == (0 if "amount" in odd else 1)


# -- at random --------------------------------------------------------------------------------------------------

PATHS = (
    ("completed",),
    ("completed",),
    ("pending", "completed"),
    ("pending",),
    ("pending", "failed"),
    ("failed", "completed"),
    ("completed", "refunded"),
    ("pending", "completed", "refunded"),
)
APART = timedelta(days=3)
HOURS = 10


class Fact(NamedTuple):
    """One payment as it happened: which sides tell it, and what became of its document."""

    license_id: str
    base: int
    path: tuple[str, ...]
    by_others: bool
    twice: bool


class World(NamedTuple):
    facts: list[Fact]
    changes: list[Change]


@st.composite
def worlds(draw: st.DrawFn, *, used: bool) -> World:
    """Licences that start and are renewed, and what their payments look like from every side, in any order."""
    chance = Random(draw(st.integers(0, 10**9)))
    facts = [
        Fact(name, base, chance.choice(PATHS) if used else (), chance.random() < 0.4, used and chance.random() < 0.2)
        for name in ("L1", "L2", "L3")[: chance.randrange(1, 4)]
        for base in range(chance.randrange(1, 4))
    ]
    told: list[tuple[Any, Change]] = []
    for fact in facts:
        told += [(change.at, change) for change in _sides(fact, chance)]
    told.sort(key=lambda pair: pair[0])
    plans = [Change(Source.PLANS, Operation.INSERT, "pro", T0, "", {"name": "pro", "price": 7.99})]
    changes = [*plans, *(change for _, change in told)]
    return World(facts, [change._replace(cause=f"82{place:06d}") for place, change in enumerate(changes)])


def _sides(fact: Fact, chance: Random) -> list[Change]:
    start = T0 + fact.base * APART

    def at(hours: float = HOURS) -> Any:
        return start + timedelta(seconds=chance.randrange(int(hours * 3600)))

    until = start + timedelta(days=30)
    if fact.base == 0:
        license = {"customer_id": fact.license_id.lower(), "plan_id": "pro", "status": "active", "expires_at": until}
        sides = [Change(Source.LICENSES, Operation.INSERT, fact.license_id, at(), "", license)]
    else:
        sides = [Change(Source.LICENSES, Operation.UPDATE, fact.license_id, at(), "", {"expires_at": until})]
    for copy in range(1 + fact.twice if fact.path else 0):
        sides += _document(fact, f"{fact.license_id}-{fact.base}-{copy}", sorted(at() for _ in fact.path))
    if fact.by_others:
        told: dict[str, Any] = {"event_type": "payment_completed", "amount": 7.99}
        told["license_id"] = fact.license_id
        if fact.base == 0 or chance.random() < 0.5:  # whose a licence is that nobody knows yet must be said
            told["customer_id"] = fact.license_id.lower()
        when = at()
        sides.append(Change(Source.EVENTS, Operation.INSERT, f"E-{fact}", when, "", told | {"event_date": when}))
    return sides


def _document(fact: Fact, doc_id: str, times: list[Any]) -> list[Change]:
    whole = {
        "customer_id": fact.license_id.lower(),
        "license_id": fact.license_id,
        "amount": 9.75,
        "status": fact.path[0],
        "transaction_id": f"txn-{fact.license_id}-{fact.base}",
        "created_at": times[0],
    }
    first = Change(Source.PAYMENTS, Operation.INSERT, doc_id, times[0], "", whole)
    later = zip(fact.path[1:], times[1:], strict=True)
    return [first, *(Change(Source.PAYMENTS, Operation.UPDATE, doc_id, at, "", {"status": s}) for s, at in later)]


def standing(shop: Shop, fact: Fact) -> Counter[str]:
    start = T0 + fact.base * APART
    mine = [
        event.type.value
        for event in shop.events
        if event.license_id == fact.license_id and start <= event.at < start + APART
    ]
    return Counter(kind for kind in mine if kind.startswith("payment"))


@many
@given(worlds(used=True), cuts())
def test_where_payments_are_used_each_is_told_exactly_once(world: World, where: set[int]) -> None:
    shop = Shop().follow(world.changes, where)

    for fact in world.facts:
        told = standing(shop, fact)
        assert told["payment_completed"] == ("completed" in fact.path and not fact.by_others), fact
        assert told["payment_failed"] == ("failed" in fact.path)
        assert told["payment_refunded"] == ("refunded" in fact.path)


@many
@given(worlds(used=False), cuts())
def test_where_payments_is_empty_each_start_and_renewal_is_told_exactly_once(world: World, where: set[int]) -> None:
    shop = Shop().follow(world.changes, where)

    for fact in world.facts:
        assert standing(shop, fact)["payment_completed"] == (not fact.by_others), fact


@many
@given(st.booleans().flatmap(lambda used: worlds(used=used)), cuts())
def test_any_split_into_batches_and_any_replay_give_the_same(world: World, where: set[int]) -> None:
    alone = Shop().one_by_one(world.changes)

    assert story(Shop().follow(world.changes, where)) == story(alone)
    assert story(Shop().follow(world.changes, where).follow(world.changes[:9])) == story(alone)


@many
@given(worlds(used=True), st.integers(0, 10**6))
def test_hostile_payments_among_the_others_change_nothing_but_the_dead_letters(world: World, seed: int) -> None:
    chance = Random(seed)
    plain = Shop().follow(world.changes)
    spoiled: list[Change] = []
    for change in world.changes:
        spoiled.append(change)
        if change.source is not Source.PLANS and chance.random() < 0.5:
            bad = GOOD | chance.choice(HOSTILE)
            spoiled.append(
                Change(Source.PAYMENTS, Operation.INSERT, f"bad{len(spoiled)}", change.at, change.cause + "x", bad)
            )

    shop = Shop().follow(spoiled)

    assert [event.key for event in shop.events] == [event.key for event in plain.events]
    assert len(shop.letters) == len(spoiled) - len(world.changes)


def test_every_status_but_pending_has_an_event() -> None:
    assert set(payments.KINDS) == set(PaymentStatus) - {PaymentStatus.PENDING}
