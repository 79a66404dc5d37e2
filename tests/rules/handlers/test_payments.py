"""Each payment is recorded once: by an external event, else by its document, else by its license.

The result does not depend on the order of the three or on the split into batches.
"""

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
from rules.model import documents
from rules.model.changes import Change, Operation, Origin, PaymentStatus, Source
from rules.model.events import Event, EventType
from rules.revenue.pricing import InvalidDocument
from rules.settings.settings import Settings
from tests.rules.examples import T0, Story
from tests.rules.histories import cuts
from tests.rules.inspection import state_text
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

many = settings(max_examples=2 * settings().max_examples)


class PaymentStory(Story):
    """A shop with payments and external events."""

    def pays(self, doc_id: str = "P1", **fields: Any) -> Self:
        return self.change(Source.PAYMENTS, Operation.INSERT, doc_id, GOOD | {"created_at": self.now} | fields)

    def set_status(self, doc_id: str, status: str) -> Self:
        return self.change(Source.PAYMENTS, Operation.UPDATE, doc_id, {"status": status})

    def external_event(
        self, license_id: Any = "L1", amount: Any = 7.99, kind: str = "payment_completed", customer_id: Any = "ada"
    ) -> Self:
        fields = {"event_type": kind, "license_id": license_id, "customer_id": customer_id, "amount": amount}
        return self.change(Source.EVENTS, Operation.INSERT, f"E{self.change_count}", fields | {"event_date": self.now})

    def paid(self) -> list[str]:
        return [event.description for event in self.shop.events if event.type.value.startswith("payment")]


def payment_story() -> PaymentStory:
    return PaymentStory().customer("ada")


def test_while_payments_is_empty_a_payment_is_inferred_from_a_paid_license() -> None:
    story = payment_story()
    story.license("L1")

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert story.shop.events[-1].key == "payment_completed:'L1'"


def test_the_first_payment_withdraws_the_guess_of_its_license_and_emits_the_paid_amount() -> None:
    story = payment_story()
    story.license("L1")
    guessed = story.now
    story.pays(amount=9.75, transaction_id="txn_1")

    event = story.shop.events[-1]
    assert story.paid() == ["Pagamento ricevuto: €9.75 da Ada"]
    assert (event.key, event.plan_name, event.amount_cents) == ("payment_completed:payment:'P1'", "pro", 975)
    assert event.metadata == {"customer_name": "Ada", "transaction_id": "txn_1", "payment_id": "P1"}
    assert guessed < event.at


def test_once_payments_are_used_no_payment_is_inferred_from_a_license() -> None:
    story = payment_story()
    story.license("L0").pays(license_id="L0")
    story.license("L1", expires_at=T0 + timedelta(days=30)).set("L1", expires_at=T0 + timedelta(days=60))

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert "license_renewed" in story.types()


def test_a_payment_that_arrives_before_its_license_is_emitted_without_the_plan() -> None:
    story = payment_story().pays()
    story.license("L1")

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert [event.plan_name for event in story.shop.events if event.type is EventType.PAYMENT_COMPLETED] == [None]


def test_a_pending_payment_withdraws_the_guess_and_is_emitted_when_it_is_settled() -> None:
    story = payment_story()
    story.license("L1").pays(status="pending")
    pending = story.paid()
    story.set_status("P1", "completed")

    assert (pending, story.paid()) == ([], ["Pagamento ricevuto: €7.99 da Ada"])


def test_a_payment_from_pending_to_failed_to_completed_to_refunded_emits_each_once() -> None:
    story = payment_story()
    story.license("L1").pays(status="pending")
    for status in ("failed", "pending", "failed", "completed", "completed", "refunded", "completed", "refunded"):
        story.set_status("P1", status)

    assert story.paid() == [
        "Pagamento fallito: €7.99 di Ada",
        "Pagamento ricevuto: €7.99 da Ada",
        "Pagamento rimborsato: €7.99 a Ada",
    ]


def test_a_transaction_delivered_twice_is_one_payment_but_one_with_its_number_next_month_is_another() -> None:
    story = payment_story()
    story.license("L1").pays("P1", transaction_id="txn").pays("P2", transaction_id="txn").pays(
        "P3", transaction_id="other"
    )
    twice = len(story.paid())
    story.wait(30 * 24 * 60).pays("P4", transaction_id="txn")

    assert (twice, len(story.paid())) == (2, 3)


@pytest.mark.parametrize(
    ("first", "second"),
    [(48213378, 48213378), (48213378, 48213378.0), (Decimal(48213378), 48213378), ("txn", "txn"), (b"t", b"t")],
    ids=repr,
)
def test_a_transaction_id_of_any_scalar_type_identifies_a_payment(first: object, second: object) -> None:
    story = payment_story()
    story.license("L1").pays("P1", transaction_id=first).pays("P2", transaction_id=second)

    assert len(story.paid()) == 1
    assert [event.metadata["transaction_id"] for event in story.shop.events if "payment" in event.type] == [
        payments.transaction_text(first)
    ]


@pytest.mark.parametrize("nothing", [None, True, {}, [1], ""], ids=repr)
def test_a_transaction_id_without_a_scalar_value_identifies_nothing(nothing: object) -> None:
    story = payment_story()
    story.license("L1").pays("P1", transaction_id=nothing).pays("P2", transaction_id=nothing)

    assert len(story.paid()) == 2


@pytest.mark.parametrize("amount", [-5.0, 5.0, Decimal("-5.00")], ids=str)
def test_a_refund_counts_without_its_sign(amount: object) -> None:
    story = payment_story()
    story.license("L1").pays("P1", transaction_id="txn").pays(
        "P2", status="refunded", amount=amount, transaction_id="txn"
    )

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada", "Pagamento rimborsato: €5.00 a Ada"]


def test_a_partial_refund_without_its_amount_is_held_with_the_reason() -> None:
    story = payment_story()
    story.license("L1").pays("P1").set_status("P1", "partially_refunded")

    assert "got str 'partially_refunded'" in story.shop.dead_letters[Source.PAYMENTS, "P1"].reason


def test_a_payment_of_zero_emits_nothing() -> None:
    story = payment_story()
    story.license("L1").pays(amount=0)

    assert story.paid() == []


def test_a_payment_in_another_currency_is_converted_by_its_rate_or_held() -> None:
    story = payment_story().pays(currency="USD", amount=10)
    held = story.shop.dead_letters[Source.PAYMENTS, "P1"].reason
    rated = payment_story()
    rated.shop.settings = replace(Settings(), rates={"USD": Decimal("0.92")})
    rated.pays(currency="USD", amount=10)

    assert held.startswith("currency must be EUR or one with a configured rate")
    assert rated.paid() == ["Pagamento ricevuto: €9.20 da Ada"]


@pytest.mark.parametrize("bad", HOSTILE, ids=str)
def test_an_invalid_payment_is_held_suppresses_nothing_and_is_emitted_once_it_is_valid(
    bad: dict[str, Any],
) -> None:
    with pytest.raises(InvalidDocument, match=f"^{next(iter(bad))} must be"):
        payments.read_payment(GOOD | bad, Settings())
    story = payment_story().pays(**bad)
    story.license("L1")
    guessed = story.paid()
    story.change(Source.PAYMENTS, Operation.UPDATE, "P1", {name: GOOD[name] for name in bad})

    assert guessed == ["Pagamento ricevuto: €7.99 da Ada"]
    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert story.shop.events[-1].key == "payment_completed:payment:'P1'"
    assert story.shop.dead_letters == {}


def test_a_held_payment_keeps_its_emitted_statuses() -> None:
    story = payment_story()
    story.license("L1").pays()
    story.change(Source.PAYMENTS, Operation.UPDATE, "P1", {"amount": NAN})
    story.change(Source.PAYMENTS, Operation.UPDATE, "P1", {"amount": 7.99})

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]


def test_an_update_of_an_unknown_payment_is_held_until_it_is_replaced() -> None:
    story = payment_story().set_status("P1", "completed")
    assert story.shop.dead_letters[Source.PAYMENTS, "P1"].reason == documents.PARTIAL.format("payment")
    story.change(Source.PAYMENTS, Operation.REPLACE, "P1", GOOD)

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]
    assert story.shop.dead_letters == {}


def test_imported_old_payments_emit_nothing_but_their_later_statuses_do() -> None:
    story = payment_story().pays(created_at=T0 - timedelta(days=90)).pays("P2", created_at=T0 - timedelta(days=6))
    story.set_status("P1", "refunded")

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada", "Pagamento rimborsato: €7.99 a Ada"]


def test_payments_found_by_a_bootstrap_emit_nothing_and_are_in_use() -> None:
    story = payment_story()
    found = Change(Source.PAYMENTS, Operation.INSERT, "P1", T0, "reconciliation:1", GOOD, origin=Origin.BOOTSTRAP)
    story.shop.apply([found])
    story.license("L1")

    assert story.paid() == []
    story.set_status("P1", "refunded")
    assert story.paid() == ["Pagamento rimborsato: €7.99 a Ada"]


def test_a_payment_found_refunded_after_a_gap_was_completed_in_it() -> None:
    story = payment_story().pays(status="pending")
    changed = GOOD | {"status": "refunded"}
    found = Change(
        Source.PAYMENTS, Operation.REPLACE, "P1", story.now, "reconciliation:1", changed, origin=Origin.RECOVERED
    )
    story.shop.apply([found])

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada", "Pagamento rimborsato: €7.99 a Ada"]


def test_when_the_last_payment_is_deleted_payments_are_inferred_from_licenses_again() -> None:
    story = payment_story().pays(license_id="L0").delete(Source.PAYMENTS, "P1")
    story.license("L1")

    assert len(completed_payments(story)) == 2


@pytest.mark.parametrize("days", [0, 10])
@pytest.mark.parametrize("external", [True, False])
def test_a_payment_deleted_and_inserted_again_is_the_same_payment(days: int, external: bool) -> None:
    story = payment_story()
    story.license("L1").pays("P1")
    if external:
        story.external_event()
    before = story.paid()
    story.wait(days * 24 * 60 + 1).delete(Source.PAYMENTS, "P1").pays("P1").set_status("P1", "refunded")

    assert story.paid() == [*before, "Pagamento rimborsato: €7.99 a Ada"]
    assert story.shop.emitted_after_withdrawal == []
    assert story.shop.memory["payments"]["known"] == 1


def test_a_deleted_payment_that_returns_invalid_is_counted_once_it_exists() -> None:
    story = payment_story().pays("P1").delete(Source.PAYMENTS, "P1").pays("P1", status="?")
    story.set_status("P1", "completed").delete(Source.PAYMENTS, "P1")

    assert story.shop.memory["payments"]["known"] == 0
    assert len(story.paid()) == 1


def completed_payments(story: Story) -> list[Event]:
    return [event for event in story.shop.events if event.type is EventType.PAYMENT_COMPLETED]


def test_payments_without_a_license_are_emitted_for_their_customer() -> None:
    story = payment_story().pays(license_id=None, transaction_id="t").pays("P2", license_id=None, transaction_id="t")

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]


def test_an_external_payment_takes_precedence_in_any_order() -> None:
    for order in ("GF", "GFP", "GPF", "PF", "FP", "FGP", "PGF"):
        story = payment_story()
        steps: dict[str, Callable[[], Any]] = {
            "G": partial(story.license, "L1"),
            "P": story.pays,
            "F": story.external_event,
        }
        for step in order:
            steps[step]()
        assert story.paid() == [], order


def test_an_external_renewal_does_not_withdraw_the_payment_of_the_start() -> None:
    story = payment_story()
    story.license("L1", expires_at=T0 + timedelta(days=30)).wait(20 * 24 * 60)
    story.set("L1", expires_at=T0 + timedelta(days=60))
    story.external_event()

    assert len(story.paid()) == 1
    assert completed_payments(story)[0].at < T0 + timedelta(hours=1)


def test_two_payments_of_one_license_are_distinguished_by_their_amount() -> None:
    story = payment_story()
    story.license("L1").pays("P1", amount=7.99).pays("P2", amount=19.99).external_event(amount=19.99)

    assert story.paid() == ["Pagamento ricevuto: €7.99 da Ada"]


def test_an_external_failed_payment_takes_precedence_too() -> None:
    story = payment_story().pays(status="failed").external_event(kind="payment_failed")

    assert story.paid() == []


@pytest.mark.parametrize(
    "odd",
    [
        {"license_id": None, "customer_id": None},
        {"license_id": None, "customer_id": "bob"},
        {"license_id": ["L1"]},
        {"license_id": "L9"},
        {"amount": NAN},
    ],
    ids=str,
)
def test_other_external_events_about_payments_are_harmless(odd: dict[str, Any]) -> None:
    story = payment_story()
    story.license("L1").external_event(**odd)

    assert len(story.paid()) == (0 if "amount" in odd else 1)


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
    """One payment: its sources, and the statuses of its document."""

    license_id: str
    base: int
    path: tuple[str, ...]
    external: bool
    twice: bool
    amount: float


class World(NamedTuple):
    facts: list[Fact]
    changes: list[Change]


@st.composite
def worlds(draw: st.DrawFn, *, used: bool) -> World:
    """Draw licenses that start and are renewed, with the changes of every source of their payments, in any order."""
    chance = Random(draw(st.integers(0, 10**9)))
    facts = [
        Fact(
            name,
            base,
            chance.choice(PATHS) if used else (),
            chance.random() < 0.4,
            used and chance.random() < 0.2,
            chance.choice((7.99, 9.75)),
        )
        for name in ("L1", "L2", "L3")[: chance.randrange(1, 4)]
        for base in range(chance.randrange(1, 4))
    ]
    plan = Change(Source.PLANS, Operation.INSERT, "pro", T0, "", {"name": "pro", "price": 7.99})
    payment_changes = [change for fact in facts for change in _changes_of(fact, chance)]
    changes = [plan, *sorted(payment_changes, key=lambda change: change.at)]
    return World(facts, [change._replace(cause=f"82{place:06d}") for place, change in enumerate(changes)])


def _changes_of(fact: Fact, chance: Random) -> list[Change]:
    start = T0 + fact.base * APART

    def at(hours: float = HOURS) -> Any:
        return start + timedelta(seconds=chance.randrange(int(hours * 3600)))

    until = start + timedelta(days=30)
    if fact.base == 0:
        license = {"customer_id": fact.license_id.lower(), "plan_id": "pro", "status": "active", "expires_at": until}
        changes = [Change(Source.LICENSES, Operation.INSERT, fact.license_id, at(), "", license)]
    else:
        changes = [Change(Source.LICENSES, Operation.UPDATE, fact.license_id, at(), "", {"expires_at": until})]
    for copy in range(1 + fact.twice if fact.path else 0):
        changes += _document(fact, f"{fact.license_id}-{fact.base}-{copy}", sorted(at() for _ in fact.path))
    if fact.external:
        event: dict[str, Any] = {"event_type": "payment_completed", "amount": 7.99, "license_id": fact.license_id}
        if fact.base == 0 or chance.random() < 0.5:  # the event of an unknown license needs its customer
            event["customer_id"] = fact.license_id.lower()
        when = at()
        changes.append(Change(Source.EVENTS, Operation.INSERT, f"E-{fact}", when, "", event | {"event_date": when}))
    return changes


def _document(fact: Fact, doc_id: str, times: list[Any]) -> list[Change]:
    whole = {
        "customer_id": fact.license_id.lower(),
        "license_id": fact.license_id,
        "amount": fact.amount,
        "status": fact.path[0],
        "transaction_id": f"txn-{fact.license_id}-{fact.base}",
        "created_at": times[0],
    }
    first = Change(Source.PAYMENTS, Operation.INSERT, doc_id, times[0], "", whole)
    later = zip(fact.path[1:], times[1:], strict=True)
    return [first, *(Change(Source.PAYMENTS, Operation.UPDATE, doc_id, at, "", {"status": s}) for s, at in later)]


def stored_payments(shop: Shop, fact: Fact) -> Counter[str]:
    start = T0 + fact.base * APART
    mine = [
        event.type.value
        for event in shop.events
        if event.license_id == fact.license_id and start <= event.at < start + APART
    ]
    return Counter(kind for kind in mine if kind.startswith("payment"))


@many
@given(worlds(used=True), cuts())
def test_where_payments_are_used_each_is_emitted_exactly_once(world: World, where: set[int]) -> None:
    shop = Shop().follow(world.changes, where)

    for fact in world.facts:
        counts = stored_payments(shop, fact)
        assert counts["payment_completed"] == ("completed" in fact.path and not fact.external), fact
        assert counts["payment_failed"] == ("failed" in fact.path)
        assert counts["payment_refunded"] == ("refunded" in fact.path)


@many
@given(worlds(used=False), cuts())
def test_where_payments_is_empty_each_start_and_renewal_is_emitted_exactly_once(world: World, where: set[int]) -> None:
    shop = Shop().follow(world.changes, where)

    for fact in world.facts:
        assert stored_payments(shop, fact)["payment_completed"] == (not fact.external), fact


@many
@given(st.booleans().flatmap(lambda used: worlds(used=used)), cuts())
def test_any_split_into_batches_and_any_replay_give_the_same(world: World, where: set[int]) -> None:
    alone = Shop().one_by_one(world.changes)

    assert state_text(Shop().follow(world.changes, where)) == state_text(alone)
    assert state_text(Shop().follow(world.changes, where).follow(world.changes[:9])) == state_text(alone)


@many
@given(worlds(used=True), st.integers(0, 10**6))
def test_invalid_payments_change_nothing_but_the_dead_letters(world: World, seed: int) -> None:
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
    assert len(shop.dead_letters) == len(spoiled) - len(world.changes)


def test_every_status_but_pending_has_an_event() -> None:
    assert set(payments.EVENT_TYPES) == set(PaymentStatus) - {PaymentStatus.PENDING}


def test_deleting_a_held_payment_releases_it_and_forgets_a_payment_without_an_event() -> None:
    story = PaymentStory().customer("ada").license("L1")
    story.change(Source.PAYMENTS, Operation.INSERT, "P1", {**GOOD, "amount": "12,50"})
    assert list(story.shop.dead_letters) == [(Source.PAYMENTS, "P1")]

    story.delete(Source.PAYMENTS, "P1")
    assert story.shop.dead_letters == {}
    assert "P1" not in story.shop.payments


def test_a_deleted_payment_keeps_its_emitted_statuses_and_its_last_valid_version() -> None:
    story = PaymentStory().customer("ada").license("L1")
    story.change(Source.PAYMENTS, Operation.INSERT, "P1", GOOD).delete(Source.PAYMENTS, "P1")
    kept = story.shop.payments["P1"]

    assert (kept.id, kept.fields, kept.deleted, kept.emitted) == ("P1", {}, True, (PaymentStatus.COMPLETED,))
    assert kept.payment is not None and kept.payment.cents == 799


def test_a_held_payment_is_stored_with_its_fields_under_its_id() -> None:
    fields = {**GOOD, "amount": "12,50"}
    story = PaymentStory().change(Source.PAYMENTS, Operation.INSERT, "P1", fields)
    held, state = story.shop.dead_letters[Source.PAYMENTS, "P1"], story.shop.payments["P1"]

    assert (state.id, state.fields, state.held) == ("P1", fields, held.reason)
    assert (held.fields, held.change.id) == (fields, "P1")


def test_an_event_of_a_payment_names_its_customer_and_its_transaction() -> None:
    story = PaymentStory().customer("ada").license("L1")
    story.change(Source.PAYMENTS, Operation.INSERT, "P1", {**GOOD, "transaction_id": "txn_1"})
    event = story.shop.events[-1]

    assert (event.customer_id, event.license_id, event.plan_name) == ("ada", "L1", "pro")
    assert event.metadata == {"customer_name": "Ada", "transaction_id": "txn_1", "payment_id": "P1"}


def test_an_event_of_a_payment_of_an_unknown_customer_has_no_name() -> None:
    story = PaymentStory().change(Source.PAYMENTS, Operation.INSERT, "P1", {**GOOD, "license_id": None})

    assert story.shop.events[-1].metadata == {"payment_id": "P1"}


def test_a_held_payment_is_valid_or_not_by_its_fields_and_the_rates() -> None:
    story = PaymentStory().change(Source.PAYMENTS, Operation.INSERT, "P1", {**GOOD, "currency": "USD"})
    state = story.shop.payments["P1"]

    assert not payments.is_readable(state, Settings())
    assert payments.is_readable(state, Settings(rates={"USD": Decimal("0.9")}))


def test_after_a_bootstrap_the_number_of_known_payments_is_kept_and_marked_as_complete() -> None:
    assert payments.after_bootstrap({}) == {"known": 0, "taken_over": 1}
    assert payments.after_bootstrap({"payments": {"known": 3}}) == {"known": 3, "taken_over": 1}
    assert payments.is_after_bootstrap({"payments": payments.after_bootstrap({})})
    assert not payments.is_after_bootstrap({"payments": {"known": 3}})
    assert not payments.is_after_bootstrap({})
