"""What may turn out to be part of something else, written into a customer's mirror document and read back. Pure."""

from collections.abc import Mapping
from typing import Any

from daemon.mongo.types import Document
from daemon.store.documents import worth_document, worth_of
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from rules.model.recent import PaymentObservation, PendingSwitch, RecentActivity


def recent_document(lately: RecentActivity) -> Document:
    return {
        "ended": switch_document(lately.ended),
        "begun": switch_document(lately.begun),
        "payments": [observation_document(sighting) for sighting in lately.payments],
    }


def recent_of(document: Mapping[str, Any] | None) -> RecentActivity | None:
    if document is None:
        return None
    payments = tuple(observation_of(sighting) for sighting in document["payments"])
    return RecentActivity(switch_of(document["ended"]), switch_of(document["begun"]), payments)


def observation_document(sighting: PaymentObservation) -> Document:
    always = {
        "at": sighting.at,
        "license_id": sighting.license_id,
        "kind": sighting.kind.value,
        "cents": sighting.cents,
    }
    sides = {name: getattr(sighting, name) for name in ("guess", "payment_key", "by_others", "transaction")}
    return {**always, **{name: value for name, value in sides.items() if value}}


def observation_of(document: Mapping[str, Any]) -> PaymentObservation:
    return PaymentObservation(**{**document, "kind": EventType(document["kind"])})


def switch_document(swing: PendingSwitch | None) -> Document | None:
    if swing is None:
        return None
    worths = {"before": worth_document(swing.before), "after": worth_document(swing.after)}
    return {**swing._asdict(), "kind": swing.kind.value, "reason": swing.reason.value, **worths}


def switch_of(document: Mapping[str, Any] | None) -> PendingSwitch | None:
    if document is None:
        return None
    return PendingSwitch(
        document["at"],
        document["license_id"],
        MovementKind(document["kind"]),
        Reason(document["reason"]),
        document["key"],
        worth_of(document["before"]),
        worth_of(document["after"]),
    )
