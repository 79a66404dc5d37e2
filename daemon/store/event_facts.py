"""Facts about events that one commit adds to the outbox: recorded ones, and those that turned out not to be any.

An event that replaces another one of the same fact adds nothing: the fact stands, under the id that it always had.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from daemon.mongo.collections import event_id
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Document
from rules.model.changes import DocId
from rules.model.decision import Decision, ExternalFact, WithdrawalKind
from rules.model.documents import id_key
from rules.model.events import EventType
from rules.model.facts import EventFact, Fact, FactType
from rules.settings import catalog
from rules.text import MAX_NAME, note_text

_KINDS = frozenset(EventType)
MAX_NUMBERS = 20
"""Numbers of an event's metadata that are delivered."""
MAX_LENGTH = 200
"""Longest id, or name of a number, that is delivered; an event with a longer `_id` is known by its hash."""


def recorded(decision: Decision, events: Iterable[Document], stored: Mapping[Any, Document]) -> Iterator[Fact]:
    """Yield the facts of own events, as they are stored, that no event in `stored` reported before."""
    fact_ids = {event_id(key): event_id(fact_key) for key, fact_key in decision.fact_keys.items()}
    for event in events:
        fact_id, subject = fact_ids.get(event["_id"], event["_id"]), event_fact(event)
        if subject is not None and fact_id not in stored:
            yield Fact(str(fact_id), FactType.EVENT_RECORDED, event["event_date"], subject)


def withdrawn(decision: Decision, stored: Mapping[Any, Document]) -> Iterator[Fact]:
    """Yield the facts that turned out not to be any; `stored` are the own events that are about to be deleted."""
    for key, withdrawal in decision.withdrawn.items():
        event = stored.get(event_id(key))
        subject = event_fact(event) if event is not None else None
        if subject is not None and withdrawal.kind is WithdrawalKind.CORRECTED:
            yield Fact(f"{event_id(key)}.withdrawn", FactType.EVENT_WITHDRAWN, withdrawal.at, subject)


def external(decision: Decision, stored: Mapping[Any, Document], events: Mapping[Any, Document]) -> Iterator[Fact]:
    """Yield the facts that external events report and no own event did; `events` are the external ones by `_id`."""
    delivered = {decision.fact_keys.get(key, key) for key in decision.withdrawn if event_id(key) in stored}
    for one in decision.external:
        if one.key in delivered:
            continue
        subject = event_fact(events.get(one.id) or {"_id": one.id, "event_type": one.type})
        if subject is not None:
            yield Fact(external_id(one), FactType.EVENT_RECORDED, one.at, subject)


def external_id(one: ExternalFact) -> str:
    if one.key is not None:
        return str(event_id(one.key))
    return id_key(one.id) if _is_short(one.id) else _hash(one.id)


def event_fact(event: Mapping[str, Any]) -> EventFact | None:
    """Return what is delivered of a stored event: ids and numbers; None if its type is none of ours."""
    kind, metadata = event.get("event_type"), event.get("metadata")
    if type(kind) is not str or kind not in _KINDS:  # JavaScript code is a str, too
        return None
    facts = metadata if isinstance(metadata, Mapping) else {}
    return EventFact(
        event["_id"] if _is_short(event["_id"]) else _hash(event["_id"]),
        EventType(kind),
        _id(event.get("customer_id")),
        _id(event.get("license_id")),
        note_text(event.get("plan_name"), MAX_NAME) or None,
        catalog.cents(event.get("amount")),
        note_text(event.get("currency"), 3).upper() or "EUR",
        dict(list(_numbers(facts))[:MAX_NUMBERS]),
        bool(facts.get("recovered")),
    )


def _id(value: object) -> DocId:
    with suppress(UnusableId):
        return canonical(value) if _is_short(value) else None
    return None


def _is_short(value: object) -> bool:
    """Return whether an outbox document may contain a value: a commit adds thousands of them to one."""
    return not isinstance(value, str | bytes) or len(value) <= MAX_LENGTH


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _numbers(metadata: Mapping[Any, Any]) -> Iterator[tuple[str, int | float]]:
    for name, value in metadata.items():
        if _is_short(name) and isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value
