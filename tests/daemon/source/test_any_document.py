"""Any source document is applied or held, and every result can be stored and read back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.mongo.client import CODEC
from daemon.source.decode import Decoder
from daemon.store import documents as records
from daemon.store.mirror import states
from rules import business_days
from rules.model.changes import Change, Source, Undecodable
from rules.model.decision import Decision
from rules.model.documents import CARRIED, TRACKED
from rules.settings.settings import Settings
from tests.rules.shop import Shop

RULES = Settings()
DECODER = Decoder(UTC, RULES.manual_email)
BEGIN = datetime(2026, 3, 28, 23, tzinfo=UTC)
SIGNALLING = Decimal128.from_bid((0x7E << 120).to_bytes(16, "little"))

IDS = (ObjectId(b"c" * 12), ObjectId(b"p" * 12), 1, "one", "61" * 12)
ODD = (
    *(None, True, 0, -1, 1.0, 2**62, Int64(3), 7.99, -0.0, 1e300, 5e-324, float("nan"), float("inf")),
    *(Decimal128(text) for text in ("1", "7.99", "NaN", "-Infinity", "1E+6000")),
    *(SIGNALLING, "", "7,99", "active", "suspended", "cancelled", "month", "EUR", "USD", "x" * 2000, "\u202e\x00"),
    *([], ["active"], {}, {"source": "manual_insert"}, {"a": Decimal128("1")}),
    *(b"x", Binary(b"0" * 16, 4), Regex("a"), Code("x"), Code("x", {"a": 1}), MinKey(), MaxKey(), Timestamp(9, 9)),
    *(DatetimeMS(2**60), DatetimeMS(-(2**60)), BEGIN, BEGIN + timedelta(seconds=5), BEGIN + timedelta(days=400)),
)
LIKELY: dict[str, tuple[object, ...]] = {
    "status": ("active", "suspended", "completed", "failed"),
    "price": (7.99, 2.99, 0, Decimal128("19.99")),
    "amount": (7.99, 2.99, 0, Decimal128("19.99")),
    "name": ("pro", "founders", "Ada"),
    "event_type": ("new_customer", "license_created", "payment_completed", "payment_failed", "milestone_reached"),
    "milestone_type": ("customers",),
    "milestone_value": (10,),
    **dict.fromkeys(("customer_id", "plan_id", "license_id"), IDS),
    **dict.fromkeys(("currency", "billing_period", "is_lifetime", "lifetime_limit", "expires_at"), (None,)),
}
NAMES = {source: (*TRACKED[source], *CARRIED[source]) for source in TRACKED} | {
    Source.EVENTS: ("event_type", "event_date", "customer_id", "license_id", "amount", "metadata")
}


def value(name: str) -> st.SearchStrategy[object]:
    likely = LIKELY.get(name)
    return st.sampled_from(ODD) if likely is None else st.sampled_from(likely) | st.sampled_from(ODD)


def document(source: Source) -> st.SearchStrategy[dict[str, Any]]:
    names = [name for name in NAMES[source] if "." not in name]
    return st.fixed_dictionaries({}, optional={name: value(name) for name in names})


@st.composite
def change_events(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a change event without resume token and times."""
    source = draw(st.sampled_from(list(NAMES)))
    operation = (
        "insert" if source is Source.EVENTS else draw(st.sampled_from(["insert", "update", "replace", "delete"]))
    )
    doc_id = draw(st.sampled_from(IDS) | st.sampled_from(ODD))
    made: dict[str, Any] = {"operationType": operation, "ns": {"coll": source.value}, "documentKey": {"_id": doc_id}}
    if operation in ("insert", "replace"):
        made["fullDocument"] = {"_id": doc_id, **draw(document(source))}
    elif operation == "update":
        tracked = st.sampled_from(TRACKED[source])
        removed = draw(st.lists(tracked, max_size=1))
        made["updateDescription"] = {"updatedFields": draw(document(source)), "removedFields": removed}
    return made


class Stored(Shop):
    """A shop whose states are all encoded to BSON and decoded after each batch."""

    def _store(self, decision: Decision) -> None:
        super()._store(decision)
        self.customers = {i: _reread(Source.CUSTOMERS, i, s) for i, s in self.customers.items()}
        self.licenses = {i: _reread(Source.LICENSES, i, s) for i, s in self.licenses.items()}
        self.payments = {i: _reread(Source.PAYMENTS, i, s) for i, s in self.payments.items()}
        self.plans = {i: _reread(Source.PLANS, i, s) for i, s in self.plans.items()}
        _through_bson([records.event_document(event) for event in decision.events])
        lines = [(one, business_days.business_day(one.at, RULES.zone)) for one in decision.movements]
        _through_bson([records.movement_document(one, seq, day) for seq, (one, day) in enumerate(lines)])
        _through_bson([states.storable(held.fields) for held in decision.held.values()])


def _reread(source: Source, doc_id: Any, state: Any) -> Any:
    """Return a state as the next batch reads it."""
    write, read = SHAPES[source]
    known = _through_bson([{"_id": states.mirror_id(source, doc_id), **write(state)}])[0]
    found = read(known)
    assert bson.encode(write(found)) == bson.encode(write(state))
    assert [type(one) for one in found.fields.values()] == [type(one) for one in state.fields.values()]
    assert found.id == state.id
    return found


SHAPES: dict[Source, tuple[Any, Any]] = {
    Source.CUSTOMERS: (states.customer_document, states.customer_of),
    Source.LICENSES: (states.license_document, lambda found: states.license_of(found, RULES)),
    Source.PAYMENTS: (states.payment_document, states.payment_of),
    Source.PLANS: (states.plan_document, states.plan_of),
}


def _through_bson(documents: list[Any]) -> list[dict[str, Any]]:
    return [bson.decode(bson.encode(one), codec_options=CODEC) for one in documents]


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(change_events(), max_size=12), st.sets(st.integers(1, 12)))
def test_any_documents_can_be_decided_and_stored(stream: list[dict[str, Any]], cuts: set[int]) -> None:
    shop = Stored()
    changes: list[Change] = []
    for number, event in enumerate(stream, 1):
        at = BEGIN + timedelta(seconds=number)
        placed = {**event, "_id": {"_data": f"82{number:06d}"}, "wallTime": at, "clusterTime": Timestamp(1, number)}
        found = DECODER.change(_through_bson([placed])[0])
        if not isinstance(found, Undecodable):
            assert isinstance(found, Change)
            changes.append(found)

    shop.follow(changes, cuts).tick(BEGIN + timedelta(minutes=1))

    assert shop.totals.customers == sum(state.present for state in shop.customers.values())
    assert shop.totals.mrr_cents == sum(state.value.mrr_cents for state in shop.licenses.values() if state.value)
