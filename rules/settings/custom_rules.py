"""Rules without code: a document of some collection matches, and an event is told, once per rule and document.

The match is the server's business; here is what a rule may say, and the event that follows. Values of documents are
hostile: they are made one short line each before they enter a text.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from rules.model.changes import Change, DocId
from rules.model.documents import id_key, is_id
from rules.model.events import Event, EventType
from rules.text import MAX_NAME, one_line

TYPES = (
    EventType.FEATURE_RELEASED,
    EventType.PARTNERSHIP,
    EventType.MEDIA_MENTION,
    EventType.SUPPORT_TICKET,
    EventType.SERVER_ISSUE,
    EventType.MAINTENANCE,
    EventType.MARKETING_CAMPAIGN,
)
"""What people tell, and rules of their own: never what the daemon finds out by itself."""

TAKEN = ("customers", "licenses", "plans", "payments", "usage_logs", "business_events", "historical_analytics")
"""Collections followed (or deliberately not followed) already, and those that are written."""

CARRIED = ("customer_id", "license_id")
"""Taken along where a document has them: the event is then about that customer, that licence."""

LARGEST = 1e15
"""Doubles below it are shown as whole numbers where they are."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_FIELD = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"[^\W\d][\w-]*(\.[\w-]+)*")
_SCRIPTS = ("$where", "$function", "$accumulator")


@dataclass(frozen=True, slots=True)
class CustomRule:
    """One `[[rules.custom]]`. `text` names fields of the document in braces: "Ticket {number}: {subject}".

    Raises ValueError, naming the key and what was wanted, for whatever can be seen without the server.
    """

    name: str
    collection: str
    event_type: str
    text: str
    match: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, wrong, wanted in self._mistakes():
            if wrong:
                raise ValueError(f"{key}: wanted {wanted}")

    def _mistakes(self) -> Iterator[tuple[str, bool, str]]:
        yield "name", not _NAME.fullmatch(self.name), "a short name of a-z, 0-9, - and _"
        taken = self.collection in TAKEN or self.collection.startswith(("analytics_", "system."))
        yield "collection", taken or not self.collection or "$" in self.collection, "a collection of your own"
        yield "event_type", self.event_type not in TYPES, f"one of {', '.join(TYPES)}"
        yield "text", not one_line(_FIELD.sub("x", self.text)), "a text, such as 'Ticket: {subject}'"
        wrong = "{" in _FIELD.sub("", self.text) or "}" in _FIELD.sub("", self.text)
        yield "text", wrong or not all(map(_PATH.fullmatch, self.fields)), "fields as {name} or {name.below}"
        yield "match", any(key in _SCRIPTS for key, _ in _parts(self.match)), "a match without JavaScript"
        wrong = any(
            isinstance(value, date | time) and not isinstance(value, datetime) for _, value in _parts(self.match)
        )
        yield "match", wrong, "dates with time and zone, such as 2026-01-31T00:00:00Z"

    @property
    def fields(self) -> tuple[str, ...]:
        """The dotted paths that the text names, as often as it does."""
        return tuple(_FIELD.findall(self.text))


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth; the elements of lists without one."""
    pairs = value.items() if isinstance(value, Mapping) else [("", part) for part in value]
    for key, part in pairs:
        yield key, part
        if isinstance(part, Mapping | list | tuple):
            yield from _parts(part)


def check(rules: Sequence[CustomRule]) -> None:
    """Raises ValueError where two rules share a name: their events would be taken for the same."""
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"wanted a name of its own for each rule, got {', '.join(twice)} twice")


def events(change: Change, rules: Sequence[CustomRule], local: Callable[[datetime], datetime]) -> Iterator[Event]:
    """What the rules named by `change` say of its document; rules that are gone meanwhile say nothing."""
    named = change.fields["rules"]
    return (_event(rule, change, local) for rule in rules if rule.name in named)


def key(rule: CustomRule, doc_id: DocId) -> str:
    """The natural key of a rule's event about a document."""
    return f"custom:{rule.name}:{id_key(doc_id)}"


def _event(rule: CustomRule, change: Change, local: Callable[[datetime], datetime]) -> Event:
    values = change.fields["values"]
    return Event(
        key=key(rule, change.id),
        type=EventType(rule.event_type),
        at=change.at,
        description=rendered(rule, values, local),
        **{name: values[name] for name in CARRIED if values.get(name) is not None and is_id(values[name])},
        metadata={"rule": rule.name, "collection": rule.collection, "document_id": str(change.id)},
    )


def rendered(rule: CustomRule, values: Mapping[str, Any], local: Callable[[datetime], datetime]) -> str:
    """The rule's text with the fields' values; the rule's name where nothing visible is left of it."""
    text = _FIELD.sub(lambda found: shown(values.get(found[1]), local), rule.text)
    return one_line(text) or rule.name


def shown(value: object, local: Callable[[datetime], datetime]) -> str:
    """One value as a person reads it; "" for what is no plain value. Braces in it are text, never fields."""
    if isinstance(value, bool):
        return "sì" if value else "no"
    if isinstance(value, datetime):
        return f"{local(value):%d/%m/%Y %H:%M}"
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
        return f"{value:.0f}"
    if value is None or isinstance(value, Mapping | list | tuple | bytes):
        return ""
    return one_line(value if isinstance(value, str) else str(value), 2 * MAX_NAME)
