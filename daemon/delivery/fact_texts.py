"""Texts of facts, read when a message is made: names from the mirror, the text of a campaign from its document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS
from daemon.mongo.types import Database, Document
from daemon.rollup.event_descriptions import EventDescriber
from daemon.store import forgotten
from rules.model.facts import EventFact, Fact
from rules.rows import daily_note
from rules.settings.settings import Settings

T = TypeVar("T")


class FactText(NamedTuple):
    """What a fact says, with and without its emoji, and the customer's name; "" if a text is not known any more."""

    text: str = ""
    emoji: str = ""
    customer_name: str = ""

    @property
    def line(self) -> str:
        return f"{self.emoji} {self.text}".strip() if self.text else ""


def of(database: Database, facts: Sequence[Fact], settings: Settings) -> list[FactText]:
    """Return the text of each fact; empty for facts that are no events.

    An event is described as a note describes it. A withdrawn event has no document any more: it is composed from what
    the fact holds.
    """
    subjects = [fact.subject for fact in facts if isinstance(fact.subject, EventFact)]
    stored = _stored(database, [subject.reference for subject in subjects])
    documents = [stored.get(subject.reference) or _document(subject) for subject in subjects]
    described = iter(EventDescriber.of(database, settings).describe(documents))
    return [_text(next(described), settings) if isinstance(fact.subject, EventFact) else FactText() for fact in facts]


def _stored(database: Database, ids: list[Any]) -> dict[Any, Document]:
    with translated():
        return {event["_id"]: event for event in database[EVENTS].find({"_id": {"$in": ids}})}


def _document(event: EventFact) -> Document:
    """Return an event as another program would write it: without a text."""
    return {
        "event_type": event.type.value,
        "customer_id": event.customer_id,
        "license_id": event.license_id,
        "plan_name": event.plan_name,
        "amount": None if event.amount_cents is None else event.amount_cents / 100,
        "currency": event.currency,
        "metadata": dict(event.metadata),
    }


def _text(event: Mapping[str, Any], settings: Settings) -> FactText:
    stored = event.get("metadata")
    metadata = stored if isinstance(stored, Mapping) else {}
    emoji, text = daily_note.split_emoji(event["event_type"], metadata, event["description"], settings)
    return FactText(text, emoji, str(metadata.get("customer_name") or ""))


def while_list_is_unchanged(database: Database, make: Callable[[], T]) -> T:
    """Return what `make` composes; compose it again if a customer was forgotten in the meantime."""
    while True:
        known = forgotten.count(database)
        made = make()
        if forgotten.count(database) == known:
            return made
