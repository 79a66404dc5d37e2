"""Custom rules: a configured rule emits one event per matching document of a collection.

The server evaluates the match; this module validates rules and creates the events. Values of documents are untrusted:
each becomes one short line before it enters a text.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from rules.model.changes import Change, DocId
from rules.model.documents import id_key, is_id
from rules.model.events import Event, EventType
from rules.text import MAX_NAME, note_text, one_line

MANUAL_TYPES = (
    EventType.MARKETING_CAMPAIGN,
    EventType.FEATURE_RELEASED,
    EventType.PARTNERSHIP,
    EventType.MEDIA_MENTION,
    EventType.SUPPORT_TICKET,
    EventType.SERVER_ISSUE,
    EventType.MAINTENANCE,
)
"""Types of events created by users and custom rules: none that the daemon emits itself."""

RESERVED_COLLECTIONS = (
    "customers",
    "licenses",
    "plans",
    "payments",
    "usage_logs",
    "business_events",
    "historical_analytics",
)
"""Collections that the daemon follows, deliberately does not follow, or writes."""

CARRIED_IDS = ("customer_id", "license_id")
"""Fields of a document that are copied to the event: its customer and license."""

MAX_WHOLE_FLOAT = 1e15
"""Integral doubles below this value are shown without decimals."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_FIELD = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"[^\W\d][\w-]*(\.[\w-]+)*")
_SCRIPTS = ("$where", "$function", "$accumulator")


@dataclass(frozen=True, slots=True)
class CustomRule:
    """One `[[rules.custom]]`. `text` has fields of the document in braces: "Ticket {number}: {subject}".

    Raises ValueError with the key and the requirement, as far as it can be checked without the server.
    """

    name: str
    collection: str
    event_type: str
    text: str
    match: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, is_wrong, requirement in self._requirements():
            if is_wrong:
                raise ValueError(f"{key}: must {requirement}")

    def _requirements(self) -> Iterator[tuple[str, bool, str]]:
        yield "name", not _NAME.fullmatch(self.name), "be a name of at most 40 characters a-z, 0-9, - and _"
        is_reserved = self.collection in RESERVED_COLLECTIONS or self.collection.startswith(("analytics_", "system."))
        yield (
            "collection",
            is_reserved or not self.collection or "$" in self.collection,
            "be a collection that the daemon does not use",
        )
        yield "event_type", self.event_type not in MANUAL_TYPES, f"be one of {', '.join(MANUAL_TYPES)}"
        yield "text", not one_line(_FIELD.sub("x", self.text)), "be a text, such as 'Ticket: {subject}'"
        has_stray_brace = "{" in _FIELD.sub("", self.text) or "}" in _FIELD.sub("", self.text)
        yield (
            "text",
            has_stray_brace or not all(map(_PATH.fullmatch, self.fields)),
            "have fields as {name} or {name.nested}",
        )
        yield "match", any(key in _SCRIPTS for key, _ in _nested_items(self.match)), "not contain JavaScript"
        has_plain_date = any(
            isinstance(value, date | time) and not isinstance(value, datetime) for _, value in _nested_items(self.match)
        )
        yield "match", has_plain_date, "have dates with time and zone, such as 2026-01-31T00:00:00Z"

    @property
    def fields(self) -> tuple[str, ...]:
        """The dotted paths of the fields in the text, in order, with repetitions."""
        return tuple(_FIELD.findall(self.text))


def _nested_items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth; elements of lists have the key ""."""
    pairs = value.items() if isinstance(value, Mapping) else [("", part) for part in value]
    for key, part in pairs:
        yield key, part
        if isinstance(part, Mapping | list | tuple):
            yield from _nested_items(part)


def check(rules: Sequence[CustomRule]) -> None:
    """Raise ValueError if two rules share a name: their events would have the same keys."""
    names = [rule.name for rule in rules]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"each rule must have a unique name, got {', '.join(repeated)} twice")


def events(change: Change, rules: Sequence[CustomRule], local: Callable[[datetime], datetime]) -> Iterator[Event]:
    """Return the events of the rules that matched the document of `change`; deleted rules are ignored."""
    named = change.fields["rules"]
    return (_event(rule, change, local) for rule in rules if rule.name in named)


def key(rule: CustomRule, doc_id: DocId) -> str:
    """Return the natural key of a rule's event about a document."""
    return f"custom:{rule.name}:{id_key(doc_id)}"


def _event(rule: CustomRule, change: Change, local: Callable[[datetime], datetime]) -> Event:
    values = change.fields["values"]
    return Event(
        key=key(rule, change.id),
        type=EventType(rule.event_type),
        at=change.at,
        description=rendered(rule, values, local),
        **{name: values[name] for name in CARRIED_IDS if values.get(name) is not None and is_id(values[name])},
        metadata={"rule": rule.name, "collection": rule.collection, "document_id": str(change.id)},
    )


def rendered(rule: CustomRule, values: Mapping[str, Any], local: Callable[[datetime], datetime]) -> str:
    """Return the rule's text with the fields' values; the rule's name if nothing visible remains."""
    text = _FIELD.sub(lambda found: formatted(values.get(found[1]), local), rule.text)
    return note_text(text) or rule.name


def formatted(value: object, local: Callable[[datetime], datetime]) -> str:
    """Return a value as text, "" for a document, list or binary. Braces in it are not fields."""
    if isinstance(value, bool):
        return "sì" if value else "no"
    if isinstance(value, datetime):
        return f"{local(value):%d/%m/%Y %H:%M}"
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE_FLOAT:
        return f"{value:.0f}"
    if value is None or isinstance(value, Mapping | list | tuple | bytes):
        return ""
    return one_line(value if isinstance(value, str) else str(value), 2 * MAX_NAME)
