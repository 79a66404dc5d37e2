"""The note of a day: its events as one readable line in Italian.

Facts are grouped by kind, most important kind first. A few facts of a kind are listed individually, many are a count
with the first names. The length of the line is limited: if the facts do not fit, they are counted, least important kind
first, and only then omitted, milestones last. The line is safe in HTML, in a quoted JavaScript string and in CSV.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rules.model.changes import DocId
from rules.model.events import EventType
from rules.rows.named_customers import NamedCustomers
from rules.settings import catalog
from rules.settings.catalog import EMOJIS, SEPARATOR, EventStyle, euro
from rules.settings.italian import and_other_events
from rules.settings.settings import Settings
from rules.text import MAX_NAME, leading_emoji, name_text, note_text, one_line

UNKNOWN_STYLE = EventStyle("🔹", 200, "altri eventi")
LISTED_ONE_BY_ONE = 3
"""Up to this many facts of one kind are listed individually."""

ALWAYS_LISTED = frozenset(
    (EventType.MILESTONE_REACHED, EventType.MARKETING_CAMPAIGN, EventType.FEATURE_RELEASED, EventType.PARTNERSHIP)
)
"""Kinds whose facts have only the kind in common: a count such as "4 traguardi" has no information."""

SUMMED = frozenset((EventType.PAYMENT_COMPLETED, EventType.PAYMENT_REFUNDED))
"""Kinds whose count has the sum of the amounts."""

FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""A spreadsheet runs a CSV cell that begins with one of these (OWASP, "CSV Injection")."""

_KINDS = frozenset(EventType)


class Fact(NamedTuple):
    """A stored event as input of the note; a text it does not have is "".

    `name` is the customer's name, `emoji` the event's own emoji, `short` the description without the name, `id` the
    event's id and `owner` the customer's id as text. `cents` is the amount in EUR, None if unknown. Facts of one
    `series` (the sales of a limited plan) are one line with the text of the last one.
    """

    type: str
    description: str
    name: str = ""
    emoji: str = ""
    short: str = ""
    id: DocId = None
    owner: str = ""
    cents: int | None = None
    series: str = ""


class NoteLine(NamedTuple):
    """A piece of the note, with the number, kind and ids of its facts; no ids if it is a count of all facts of a kind.

    An empty text stands for facts of which the note shows only the number.
    """

    text: str
    facts: int
    kind: str
    ids: tuple[DocId, ...] = ()


@dataclass(slots=True)
class Group:
    """The facts of one kind, in bounded memory: a day may have a hundred thousand.

    Up to `max_listed` facts are listed individually. `series` holds the place in `first` and the event ids of each
    series. `cents` is the sum of the amounts, None if one is unknown.
    """

    kind: str
    settings: Settings
    max_listed: int = LISTED_ONE_BY_ONE
    count: int = 0
    first: list[Fact] = field(default_factory=list)
    series: dict[str, tuple[int, list[DocId]]] = field(default_factory=dict)
    customers: NamedCustomers = field(default_factory=NamedCustomers)
    cents: int | None = 0

    def add(self, fact: Fact) -> None:
        if fact.type == EventType.NEW_CUSTOMER and fact.name == catalog.PLACEHOLDER:
            return
        self.count += 1
        self.cents = None if self.cents is None or fact.cents is None else self.cents + fact.cents
        if fact.series in self.series:
            place, ids = self.series[fact.series]
            self.first[place] = fact
            ids.append(fact.id)
        elif len(self.first) < self._max_kept:
            if fact.series:
                self.series[fact.series] = (len(self.first), [fact.id])
            self.first.append(fact)
        self.customers.add(fact, self.settings.note_names)

    @property
    def _max_kept(self) -> int:
        return self.settings.note_length if self.kind in ALWAYS_LISTED else LISTED_ONE_BY_ONE

    @property
    def is_counted(self) -> bool:
        """Whether the note shows a count with the first names instead of individual facts."""
        return self.count > self.max_listed and self.kind not in ALWAYS_LISTED

    def ids_of(self, fact: Fact) -> Sequence[DocId]:
        return self.series[fact.series][1] if fact.series else (fact.id,)

    @property
    def unlisted(self) -> int:
        """The number of facts that are neither kept nor part of a kept series."""
        return self.count - sum(len(self.ids_of(fact)) for fact in self.first)

    def listed_names(self) -> Iterator[str]:
        """Yield the customers that the group's lines always name; facts with a text without the name do not count."""
        always_named = [fact.name for fact in self.first if not fact.short]
        if not self.is_counted:
            yield from map(name_text, always_named)
        elif always_named:
            yield from self.customers.names


def compose(facts: Iterable[Fact], settings: Settings) -> str:
    """Return the day's note; "" for a day without events. `facts` is iterated once, in chronological order."""
    note = _bounded(lines(facts, settings), settings.note_length)
    return f"{UNKNOWN_STYLE.emoji} {note}"[: settings.note_length] if note.startswith(FORMULA_STARTS) else note


def lines(facts: Iterable[Fact], settings: Settings) -> list[NoteLine]:
    """Return all lines of a note, most important first; the last ones may not fit."""
    groups: dict[str, Group] = {}
    for fact in facts:
        if fact.type not in groups:
            groups[fact.type] = Group(fact.type, settings)
        groups[fact.type].add(fact)
    counted = [group for group in groups.values() if group.count]
    ranked = sorted(counted, key=lambda group: (style(group.kind, settings).rank, group.kind))
    found = _all_lines(ranked)
    for group in reversed(ranked):
        if len(SEPARATOR.join(line.text for line in found)) <= settings.note_length:
            break
        group.max_listed = 1
        found = _all_lines(ranked)
    return found


def _all_lines(groups: Sequence[Group]) -> list[NoteLine]:
    named = {name for group in groups for name in group.listed_names()}
    return [line for group in groups for line in _group_lines(group, named)]


def _group_lines(group: Group, named: set[str]) -> Iterator[NoteLine]:
    """Yield one line per fact if they are few (facts of equal text share one), one line for all if they are many."""
    if group.is_counted:
        yield NoteLine(_count(group, named), group.count, group.kind)
        return
    alike: dict[str, list[DocId]] = {}
    times: dict[str, int] = {}
    for fact in group.first:
        line = _fact_line(fact, named, group.settings)
        alike.setdefault(line, []).extend(group.ids_of(fact))
        times[line] = times.get(line, 0) + 1
    for line, ids in alike.items():
        yield NoteLine(catalog.repeated(line, times[line]), len(ids), group.kind, tuple(ids))
    if group.unlisted:
        yield NoteLine("", group.unlisted, group.kind)


def _fact_line(fact: Fact, named: set[str], settings: Settings) -> str:
    text = fact.short if fact.short and name_text(fact.name) in named else fact.description
    return _with_emoji(one_line(fact.emoji, MAX_NAME) or style(fact.type, settings).emoji, note_text(text))


def _count(group: Group, named: set[str]) -> str:
    """Return a count with the sum of payments, the number of customers if it differs, and the first names."""
    group_style, customers = style(group.kind, group.settings), group.customers
    text = f"{group_style.emoji} {group.count} {group_style.many}"
    if group.kind in SUMMED and group.cents is not None:
        text += f" ({euro(group.cents)})"
    if not customers.names or (not any(group.listed_names()) and named.issuperset(customers.names)):
        return text
    total = customers.total
    if customers.others and total is not None and total != group.count:
        text += f" {catalog.of_customers(group.kind, total)}"
    return f"{text}: {customers.listed()}"


def style(kind: str, settings: Settings) -> EventStyle:
    """Return the style of an event type; an unknown type has the last rank."""
    return settings.styles[EventType(kind)] if kind in _KINDS else UNKNOWN_STYLE


def emoji(kind: str, metadata: Mapping[str, Any], settings: Settings) -> str:
    """Return the emoji that `metadata` selects within the event type; "" if the type's own emoji applies."""
    for name in _emoji_names(kind, metadata):
        if found := settings.emojis.get(name) or EMOJIS.get(name):
            return found
    return ""


def _emoji_names(kind: str, metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names under which the event's emoji may be configured, most specific first."""
    if "growth_period" in metadata:
        yield "growth"
    elif "week_start" in metadata or "month_start" in metadata:
        yield "summary"
    elif "special_date" in metadata:
        yield from (str(metadata.get("name")), "calendar")
    elif "goal_metric" in metadata:
        yield "goal"
    elif kind == EventType.MILESTONE_REACHED:
        yield from (str(metadata.get("trend")), str(metadata.get("milestone_type")))


def _with_emoji(emoji: str, text: str) -> str:
    """Return the text with its emoji before it, unless it begins with one (as the dashboard's events may)."""
    return text if leading_emoji(text) else f"{emoji} {text}".strip()


def split_emoji(kind: str, metadata: Mapping[str, Any], text: str, settings: Settings) -> tuple[str, str]:
    """Return the emoji of an event and its text without it: the text's own emoji takes precedence."""
    own = leading_emoji(text)
    chosen = one_line(emoji(kind, metadata, settings), MAX_NAME) or style(kind, settings).emoji
    return own or chosen, text.removeprefix(own).lstrip()


def _bounded(lines: Sequence[NoteLine], limit: int) -> str:
    """Return as many whole lines as fit and the number of omitted facts, in at most `limit` characters."""
    shown = [line for line in lines if line.text]
    omitted = sum(line.facts for line in lines if not line.text)
    size, dropped = len(_joined(shown)), set[int]()
    for place in _drop_order(shown):
        if size + len(_omitted_suffix(omitted)) <= limit:
            break
        dropped.add(place)
        size -= len(SEPARATOR) + len(shown[place].text)
        omitted += shown[place].facts
    note = _joined([line for place, line in enumerate(shown) if place not in dropped])
    return one_line(note, max(1, limit - len(_omitted_suffix(omitted)))) + _omitted_suffix(omitted)


def _drop_order(lines: Sequence[NoteLine]) -> Sequence[int]:
    """Return the places of the lines that may be dropped, the first to drop first: milestones last; one line stays."""
    places = range(len(lines) - 1, -1, -1)
    routine = [place for place in places if not _is_milestone(lines[place])]
    return [*routine, *(place for place in places if _is_milestone(lines[place]))][:-1]


def _is_milestone(line: NoteLine) -> bool:
    return line.kind == EventType.MILESTONE_REACHED


def _joined(lines: Sequence[NoteLine]) -> str:
    return SEPARATOR.join(line.text for line in lines)


def _omitted_suffix(facts: int) -> str:
    return f"{SEPARATOR}… {and_other_events(facts)}" if facts else ""
