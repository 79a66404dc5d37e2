"""What may turn out to be part of something else, written into a customer's mirror document and read back. Pure."""

from collections.abc import Mapping
from typing import Any

from daemon.mongo.types import Document
from daemon.store.documents import worth_document, worth_of
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from rules.model.recent import Lately, Sighting, Swing


def lately_document(lately: Lately) -> Document:
    return {
        "ended": swing_document(lately.ended),
        "begun": swing_document(lately.begun),
        "payments": [sighting_document(sighting) for sighting in lately.payments],
    }


def lately_of(document: Mapping[str, Any] | None) -> Lately | None:
    if document is None:
        return None
    payments = tuple(sighting_of(sighting) for sighting in document["payments"])
    return Lately(swing_of(document["ended"]), swing_of(document["begun"]), payments)


def sighting_document(sighting: Sighting) -> Document:
    always = {
        "at": sighting.at,
        "license_id": sighting.license_id,
        "kind": sighting.kind.value,
        "cents": sighting.cents,
    }
    sides = {name: getattr(sighting, name) for name in ("guess", "payment_key", "by_others", "transaction")}
    return {**always, **{name: value for name, value in sides.items() if value}}


def sighting_of(document: Mapping[str, Any]) -> Sighting:
    return Sighting(**{**document, "kind": EventType(document["kind"])})


def swing_document(swing: Swing | None) -> Document | None:
    if swing is None:
        return None
    worths = {"before": worth_document(swing.before), "after": worth_document(swing.after)}
    return {**swing._asdict(), "kind": swing.kind.value, "reason": swing.reason.value, **worths}


def swing_of(document: Mapping[str, Any] | None) -> Swing | None:
    if document is None:
        return None
    return Swing(
        document["at"],
        document["license_id"],
        MovementKind(document["kind"]),
        Reason(document["reason"]),
        document["key"],
        worth_of(document["before"]),
        worth_of(document["after"]),
    )
