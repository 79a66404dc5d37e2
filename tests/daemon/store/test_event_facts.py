"""Delivered facts of payments and events of licenses: each fact has one id, whatever replaces its event."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import partial
from typing import Any

import bson
import pytest
from bson import Code
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from daemon.delivery.channels import cloud_event
from daemon.mongo.client import CODEC
from daemon.mongo.collections import event_id
from daemon.mongo.ids import canonical
from daemon.mongo.types import Document
from daemon.store import event_facts, outbox
from daemon.store.documents import event_document
from rules.model.changes import Change, Operation, Origin, Source
from rules.model.decision import Decision, ExternalFact
from rules.model.facts import Fact, FactType
from tests.daemon.source.test_any_document import BEGIN, IDS, ODD
from tests.rules.handlers.test_external_events import CAUSES, STEPS, changes_of
from tests.rules.handlers.test_payments import GOOD, PaymentStory, World, worlds
from tests.rules.histories import cuts
from tests.rules.shop import Shop

GUESS, PAYMENT = "payment_completed:'L1'", "payment_completed:payment:'P1'"


@dataclass
class DeliveringShop(Shop):
    """A shop that adds the facts of its events to an outbox, as the commit does."""

    sent: list[Fact] = field(default_factory=list)

    def _store_events(self, decision: Decision) -> None:
        stored = {one["_id"]: one for one in map(event_document, self.events)}
        removed = {id: stored[id] for id in map(event_id, decision.withdrawn) if id in stored}
        new = [one for one in map(event_document, decision.events) if one["_id"] not in stored.keys() - removed.keys()]
        others = {one.id: self._external(one.id, one.type) for one in decision.external}
        self.sent += event_facts.withdrawn(decision, removed)
        self.sent += event_facts.recorded(decision, new, removed)
        self.sent += event_facts.external(decision, removed, others)
        super()._store_events(decision)

    def _external(self, id: object, kind: str) -> Document:
        return {"_id": id, "event_type": kind}

    def recorded(self) -> list[str]:
        return [one.id for one in self.sent if one.type is FactType.EVENT_RECORDED]

    def standing(self) -> list[str]:
        """Return the ids of the facts that stand; each was recorded once and not again after it was withdrawn."""
        recorded = self.recorded()
        withdrawn = [one.id.removesuffix(".withdrawn") for one in self.sent if one.type is FactType.EVENT_WITHDRAWN]
        assert len(set(recorded)) == len(recorded)
        assert len(set(withdrawn)) == len(withdrawn)
        assert set(withdrawn) <= set(recorded)
        return sorted(set(recorded) - set(withdrawn))


def story(order: str) -> DeliveringShop:
    return story_and_steps(order)[0]


def story_and_steps(order: str) -> tuple[DeliveringShop, dict[str, Callable[[], object]]]:
    """Return a shop after a payment was guessed (G), found as a document (P) and reported externally (E)."""
    shop = DeliveringShop()
    paid = PaymentStory(shop).customer("ada")
    steps: dict[str, Callable[[], object]] = {
        "G": partial(paid.license, "L1"),
        "P": paid.pays,
        "E": paid.external_event,
    }
    for step in order:
        steps[step]()
    return shop, steps


def payments_of(shop: DeliveringShop) -> list[tuple[FactType, str]]:
    return [(one.type, one.id) for one in shop.sent if one.subject.type == "payment_completed"]  # type: ignore[union-attr]


@pytest.mark.parametrize("order", ["G", "GP", "GE", "GPE", "GEP"])
def test_a_guessed_payment_is_one_fact_whatever_reports_it_later(order: str) -> None:
    assert payments_of(story(order)) == [(FactType.EVENT_RECORDED, str(event_id(GUESS)))]


@pytest.mark.parametrize("order", ["P", "E", "PE", "EP"])
def test_a_payment_that_a_former_version_guessed_keeps_its_id(order: str) -> None:
    """That version stored no `first` with an observation."""
    shop, steps = story_and_steps("G")
    customer = shop.customers["ada"]
    assert customer.recent is not None
    former = tuple(one._replace(first="") for one in customer.recent.payments)
    shop.customers["ada"] = replace(customer, recent=customer.recent._replace(payments=former))
    for step in order:
        steps[step]()

    assert payments_of(shop) == [(FactType.EVENT_RECORDED, str(event_id(GUESS)))]


@pytest.mark.parametrize("order", ["PG", "PGE", "PE"])
def test_a_payment_document_that_comes_first_gives_the_fact_its_id(order: str) -> None:
    assert payments_of(story(order)) == [(FactType.EVENT_RECORDED, str(event_id(PAYMENT)))]


@pytest.mark.parametrize("order", ["EG", "EP", "EGP", "EPG"])
def test_an_external_payment_that_comes_first_gives_the_fact_its_id(order: str) -> None:
    shop = story(order)

    assert payments_of(shop) == [(FactType.EVENT_RECORDED, f"'{shop.external[0].id}'")]


@pytest.mark.parametrize(
    ("fields", "later"), [({"amount": 9.75}, []), ({"status": "failed"}, []), ({"status": "pending"}, ["completed"])]
)
def test_a_guess_that_its_payment_contradicts_is_withdrawn(fields: dict[str, Any], later: list[str]) -> None:
    shop = DeliveringShop()
    paid = PaymentStory(shop).customer("ada")
    paid.license("L1").pays(**fields)
    for status in later:
        paid.set_status("P1", status)
    paid.external_event(amount=9.75)
    guess = str(event_id(GUESS))

    assert payments_of(shop)[:2] == [(FactType.EVENT_RECORDED, guess), (FactType.EVENT_WITHDRAWN, f"{guess}.withdrawn")]
    assert [kind for kind, _ in payments_of(shop)[2:]] == [FactType.EVENT_RECORDED]


def test_a_guessed_payment_that_is_found_refunded_after_a_gap_was_made() -> None:
    shop = DeliveringShop()
    paid = PaymentStory(shop).customer("ada")
    paid.license("L1")
    refunded = {**GOOD, "status": "refunded"}
    found = Change(Source.PAYMENTS, Operation.INSERT, "P1", paid.now, "reconciliation:1", refunded)
    shop.apply([found._replace(origin=Origin.RECOVERED)])

    assert payments_of(shop) == [(FactType.EVENT_RECORDED, str(event_id(GUESS)))]
    assert [one.subject.type for one in shop.sent[-1:]] == ["payment_refunded"]  # type: ignore[union-attr]


def test_a_second_document_of_one_transaction_adds_no_fact() -> None:
    shop = DeliveringShop()
    paid = PaymentStory(shop).customer("ada")
    paid.license("L1").pays(transaction_id="t").pays("P2", transaction_id="t")

    assert payments_of(shop) == [(FactType.EVENT_RECORDED, str(event_id(GUESS)))]


@given(st.booleans().flatmap(lambda used: worlds(used=used)), cuts())
def test_each_payment_is_one_fact_under_one_id_for_any_split(world: World, where: set[int]) -> None:
    shop, alone = DeliveringShop(), DeliveringShop()
    shop.follow(world.changes, where)
    alone.one_by_one(world.changes)

    external = sum(fact.external for fact in world.facts)
    assert shop.standing() == alone.standing()
    assert len(shop.standing()) == len(shop.events) + external


@given(st.lists(st.sampled_from(STEPS), max_size=16), st.sampled_from(sorted(CAUSES)), cuts(20))
def test_each_event_of_a_license_is_one_fact_and_one_found_again_keeps_its_id(
    steps: list[str], kind: str, where: set[int]
) -> None:
    changes = list(changes_of(steps, kind))
    shop, alone = DeliveringShop(), DeliveringShop()
    shop.follow(changes, where)
    alone.one_by_one(changes)
    assert shop.standing() == alone.standing()

    known = set(alone.recorded())
    found = [one for one in changes[-5:] if one.source is Source.EVENTS]
    alone.apply([one._replace(origin=Origin.RECOVERED, cause="reconciliation:1") for one in found])
    assert set(alone.recorded()) == known


AMOUNTS = (1.797e308, -1.797e308, 9.3e16, 1e17, 2**62, 7.99)
LONG = "x" * 20_000
VALUES = st.sampled_from((*ODD, *IDS, *AMOUNTS))
NAMES = st.sampled_from(("test", "", "a.b", "$inc", "$ref", "$id", LONG)) | st.text(
    st.characters(exclude_characters="\0")
)
EVENTS = st.fixed_dictionaries(
    {"_id": st.sampled_from((*IDS, LONG, LONG.encode()))},
    optional={
        **dict.fromkeys(("customer_id", "license_id"), VALUES | st.just(LONG)),
        **dict.fromkeys(("amount", "currency", "plan_name", "event_type"), VALUES),
        "metadata": VALUES | st.dictionaries(NAMES, VALUES, max_size=30),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@example({"_id": 1, "event_type": Code("payment_completed")}, "")
@given(EVENTS, st.sampled_from(["payment_completed", "marketing_campaign"]))
def test_any_external_event_is_a_small_fact_that_can_be_stored_and_sent(event: dict[str, Any], kind: str) -> None:
    stored = bson.decode(bson.encode({"event_type": kind, **event}), codec_options=CODEC)
    reported = ExternalFact(canonical(stored["_id"]), kind, BEGIN)

    facts = list(event_facts.external(Decision(external=[reported]), {}, {reported.id: stored}))
    document = bson.encode(outbox.document(1, BEGIN, facts))
    assert len(document) < 10_000
    for entry in bson.decode(document, codec_options=CODEC)["entries"]:
        assert cloud_event.body(outbox.fact_of(entry), "shop", UTC)


@pytest.mark.parametrize(("amount", "cents"), [*((amount, None) for amount in AMOUNTS[:-1]), (7.99, 799)])
def test_an_impossible_amount_is_left_out(amount: float, cents: int | None) -> None:
    found = event_facts.event_fact({"_id": 1, "event_type": "payment_completed", "amount": amount})

    assert found is not None
    assert found.amount_cents == cents
