"""Recent activity of a customer as part of its mirror document: encoding and decoding. Pure."""

from collections.abc import Mapping
from typing import Any

from daemon.mongo.types import Document
from daemon.store.documents import license_value_document, license_value_of
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from rules.model.recent import FactObservation, PendingSwitch, RecentActivity

_OPTIONAL = {
    "guess": "guess",
    "payment_key": "payment_key",
    "external": "external",
    "transaction": "transaction",
    "since": "since",
    "first": "first",
}
"""Stored names of the fields of an observation that are left out while empty."""


def recent_document(recent: RecentActivity) -> Document:
    return {
        "ended": [switch_document(switch) for switch in recent.ended],
        "begun": switch_document(recent.started),
        "payments": [observation_document(observation) for observation in recent.payments],
    }


def recent_of(document: Mapping[str, Any] | None) -> RecentActivity | None:
    if document is None:
        return None
    payments = tuple(observation_of(observation) for observation in document["payments"])
    return RecentActivity(_ended(document["ended"]), switch_of(document["begun"]), payments)


def _ended(stored: list[Document] | Document | None) -> tuple[PendingSwitch, ...]:
    """Return the ended licenses; format 1 stored only the last one, without a list."""
    listed = stored if isinstance(stored, list) else [stored]
    return tuple(switch for one in listed if (switch := switch_of(one)) is not None)


def observation_document(observation: FactObservation) -> Document:
    document: Document = {
        "at": observation.at,
        "license_id": observation.license_id,
        "kind": observation.kind.value,
        "cents": observation.cents,
    }
    optional = {stored: getattr(observation, name) for name, stored in _OPTIONAL.items()}
    return document | {name: value for name, value in optional.items() if value}


def observation_of(document: Mapping[str, Any]) -> FactObservation:
    known = {name: document[stored] for name, stored in _OPTIONAL.items() if stored in document}
    if document.get("by_others"):  # format 1 did not store the id of the external event
        known["external"] = "unknown"
    kind = EventType(document["kind"])
    return FactObservation(document["at"], document["license_id"], kind, document["cents"], **known)


def switch_document(switch: PendingSwitch | None) -> Document | None:
    if switch is None:
        return None
    values = {"before": license_value_document(switch.before), "after": license_value_document(switch.after)}
    return {**switch._asdict(), "kind": switch.kind.value, "reason": switch.reason.value, **values}


def switch_of(document: Mapping[str, Any] | None) -> PendingSwitch | None:
    if document is None:
        return None
    return PendingSwitch(
        document["at"],
        document["license_id"],
        MovementKind(document["kind"]),
        Reason(document["reason"]),
        document["key"],
        license_value_of(document["before"]),
        license_value_of(document["after"]),
    )
