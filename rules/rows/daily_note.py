"""The note of a day: its events as one readable line in Italian.

Facts of one kind stand together, the most important kind first; few are told one by one, many as a count
with the first names. The line is bounded in length whatever happened: what does not fit is counted where it can be, the
least important kinds first, and only then left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rules.model.changes import DocId
from rules.model.events import EventType
from rules.settings import catalog
from rules.settings.catalog import EMOJIS, SEPARATOR, Style
from rules.settings.settings import Settings
from rules.text import MAX_NAME, MAX_TEXT, one_line

OTHER = Style("•", 200, "altri eventi")
LISTED_ONE_BY_ONE = 3
"""Up to this many facts of one kind each get a line of their own."""


NEVER_COUNTED = frozenset(
    (EventType.MILESTONE_REACHED, EventType.MARKETING_CAMPAIGN, EventType.FEATURE_RELEASED, EventType.PARTNERSHIP)
)
"""Kinds whose facts have nothing in common but the kind: "4 traguardi" would tell nobody anything."""


_KINDS = frozenset(EventType)


class Fact(NamedTuple):
    """A stored event as the note sees it; `name` is the customer's, `emoji` its own; "" where there is none.

    `short` is the description without the name, `id` the event's, `owner` the customer's as text.
    """

    type: str
    description: str
    name: str = ""
    emoji: str = ""
    short: str = ""
    id: DocId = None
    owner: str = ""


class Line(NamedTuple):
    """A piece of the note, how many facts of which kind it tells, and their ids; none where it counts all of a kind.

    An empty text stands for facts that nothing is told of but their number.
    """

    text: str
    facts: int
    kind: str
    ids: tuple[DocId, ...] = ()


@dataclass(slots=True)
class Group:
    """The facts of one kind, as far as a note can show them: a day may have a hundred thousand.

    Up to `most` each get a line of their own. `others` are the facts about nobody whom `names` tell; a namesake is
    somebody else.
    """

    kind: str
    settings: Settings
    most: int = LISTED_ONE_BY_ONE
    count: int = 0
    others: int = 0
    first: list[Fact] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    owners: set[str] = field(default_factory=set)

    def add(self, fact: Fact) -> None:
        self.count += 1
        most = self.settings.note_length if self.kind in NEVER_COUNTED else LISTED_ONE_BY_ONE
        if len(self.first) < most:
            self.first.append(fact)
        name = _one_fact(fact.name, MAX_NAME)
        owner = fact.owner or name
        if name and name not in self.names and len(self.names) < self.settings.note_names:
            self.names[name] = None
            self.owners.add(owner)
        self.others += owner not in self.owners

    @property
    def is_counted(self) -> bool:
        """Whether its facts are told as a number with the first names, not one by one."""
        return self.count > self.most and self.kind not in NEVER_COUNTED

    def named(self) -> Iterator[str]:
        """The customers its lines name in any case: not those of facts that have a text without the name."""
        told = [fact.name for fact in self.first if not fact.short]
        if not self.is_counted:
            yield from (_one_fact(name, MAX_NAME) for name in told)
        elif told:
            yield from self.names


def compose(facts: Iterable[Fact], settings: Settings) -> str:
    """The day's note; "" for a day without events. `facts` are in the order they happened, and passed over once."""
    return _bounded(lines(facts, settings), settings.note_length)


def lines(facts: Iterable[Fact], settings: Settings) -> list[Line]:
    """All a note has to tell, the most important first; what may not fit into it stands last."""
    groups: dict[str, Group] = {}
    for fact in facts:
        if fact.type not in groups:
            groups[fact.type] = Group(fact.type, settings)
        groups[fact.type].add(fact)
    ranked = sorted(groups.values(), key=lambda group: (style(group.kind, settings).rank, group.kind))
    told = _all(ranked)
    for group in reversed(ranked):
        if len(SEPARATOR.join(line.text for line in told)) <= settings.note_length:
            break
        group.most = 1
        told = _all(ranked)
    return told


def _all(groups: Sequence[Group]) -> list[Line]:
    named = {name for group in groups for name in group.named()}
    return [line for group in groups for line in _text_of(group, named)]


def _text_of(group: Group, named: set[str]) -> Iterator[Line]:
    """One line per fact while they are few (those that read alike share one), one line for all when they are many."""
    look = style(group.kind, group.settings)
    if group.is_counted:
        yield Line(f"{look.emoji} {group.count} {look.many}{_first(group, named)}", group.count, group.kind)
        return
    alike: dict[str, list[DocId]] = {}
    for fact in group.first:
        text = fact.short if fact.short and _one_fact(fact.name, MAX_NAME) in named else fact.description
        line = _line(one_line(fact.emoji, MAX_NAME) or look.emoji, _one_fact(text))
        alike.setdefault(line, []).append(fact.id)
    for line, ids in alike.items():
        yield Line(catalog.times(line, len(ids)), len(ids), group.kind, tuple(ids))
    if group.count > len(group.first):
        yield Line("", group.count - len(group.first), group.kind)


def style(kind: str, settings: Settings) -> Style:
    """How a kind of event shows; one nobody knows comes last."""
    return settings.styles[EventType(kind)] if kind in _KINDS else OTHER


def emoji(kind: str, metadata: Mapping[str, Any], settings: Settings) -> str:
    """The emoji of an event whose `metadata` tell it from others of its kind; "" if they do not."""
    for name in _names(kind, metadata):
        if found := settings.emojis.get(name) or EMOJIS.get(name):
            return found
    return ""


def _names(kind: str, metadata: Mapping[str, Any]) -> Iterator[str]:
    """What an event's emoji may be known by, the nearest first."""
    if "growth_period" in metadata:
        yield "growth"
    elif "week_start" in metadata or "month_start" in metadata:
        yield "summary"
    elif "special_date" in metadata:
        yield from (str(metadata.get("name")), "calendar")
    elif kind == EventType.MILESTONE_REACHED:
        yield from (str(metadata.get("trend")), str(metadata.get("milestone_type")))


def _one_fact(text: str, limit: int = MAX_TEXT) -> str:
    """A text on one line that cannot pass for two facts: a customer may be called "Ada • 💰 Pagamento ricevuto"."""
    return one_line(text, limit).replace(SEPARATOR.strip(), "·")


def _line(emoji: str, text: str) -> str:
    """The text behind its emoji, unless it brought it along (the dashboard's own events may)."""
    return text if text.startswith(emoji) else f"{emoji} {text}"


def _first(group: Group, named: set[str]) -> str:
    """The first names, unless the note tells them anyhow."""
    if not group.names or (not any(group.named()) and named.issuperset(group.names)):
        return ""
    return f": {', '.join(group.names)}" + (f" {catalog.others(group.others)}" if group.others else "")


def _bounded(lines: Sequence[Line], limit: int) -> str:
    """As many whole lines as fit, and how many facts then are not told; never longer than `limit`."""
    untold = sum(line.facts for line in lines)
    note = ""
    for line in lines:
        longer = f"{note}{SEPARATOR}{line.text}" if note else line.text
        if not line.text or len(longer) + len(_rest(untold - line.facts)) > limit:
            break
        note, untold = longer, untold - line.facts
    if not note and lines:
        untold -= lines[0].facts
        note = one_line(lines[0].text, max(1, limit - len(_rest(untold))))
    return f"{note}{_rest(untold)}"


def _rest(facts: int) -> str:
    return f"{SEPARATOR}… {catalog.others(facts)}" if facts else ""
