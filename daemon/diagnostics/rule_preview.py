"""What other rules would have said of past days, beside what is stored. Writes nothing.

Facts (a customer came, a licence was cancelled, somebody wrote an event) are as they are stored, told anew in the given
words. What only a rule makes of them is made again: milestones from the ledger's movements, growth, trends, dates and
summaries from its days, the owner's own rules from the documents as they are now. API calls are not in the ledger:
their milestones stand as facts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from daemon.config.schema import Config
from daemon.errors import Unavailable
from daemon.mongo.collections import SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.rollup.row_builder import facts
from daemon.source import snapshot
from daemon.source.custom_rules import CustomRuleMatcher
from daemon.source.decode import Decoder
from daemon.store import checkpoint as checkpoints
from daemon.store import documents, rows
from daemon.store.checkpoint import Checkpoint
from daemon.store.events import emitted_before
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.insights import daily, milestones
from rules.model import event_keys
from rules.model.changes import Plan
from rules.model.decision import Memories, Memory
from rules.model.events import Event
from rules.model.ledger import MovementKind
from rules.privacy import rendering
from rules.revenue import movements
from rules.rows import daily_note
from rules.settings import custom_rules

FACTS = ("milestone:api_calls:",)
MADE_BY_RULES = ("milestone:", "growth:", "trend:", "calendar:", "week:", "month:", "custom:")
"""Keys of events that only a rule makes; all others tell a fact."""


@dataclass(slots=True)
class DayPreview:
    """One day: the note it would have, the one it has (None: no row), and the events that would differ, in words.

    `gone` is a day whose events somebody deleted: it keeps its note, whatever the rules.
    """

    day: date
    note: str
    stored: str | None
    gone: bool = False
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return self.note != (self.stored or "") or bool(self.added or self.removed or self.changed)


class Preview:
    """Past days by one configuration. Raises Unavailable before the daemon's first start."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.config = config
        self.settings = config.settings()
        self.checkpoint = _checkpoint(database)
        states = MirrorReader(database, self.settings).plans().values()
        self.plans: dict[str, Plan] = {state.plan.name: state.plan for state in states if state.plan}

    def of(self, first: date, last: date) -> Iterator[DayPreview]:
        """The days from `first` to `last` that the ledger knows, oldest first."""
        begin = ledger.first_day(self.database)
        if begin is None or last < begin:
            return
        first = max(first, begin)
        made = self._made(first, last)
        found = rows.read(self.database, first, last)
        stored = {row["date"].date(): row.get("auto_notes", row.get("notes")) for row in found}
        for day in business_days.between(first, last):
            yield self._day(day, made, stored.get(day))

    # -- one day --------------------------------------------------------------------------------------------

    def _day(self, day: date, made: list[Event], note: str | None) -> DayPreview:
        standing = list(rows.events_between(self.database, *self._bounds(day)))
        if note and not standing:
            return DayPreview(day, note, note, gone=True)
        ours = [event for event in standing if _key(event) is not None]
        foreign = [event for event in standing if _key(event) is None]
        by_others = {key for event in foreign for key in event_keys.natural_keys(event)}
        would = [self._retold(event) for event in ours if not _made_by_rules(event)]
        would += [
            documents.event_document(event)
            for event in made
            if business_days.business_day(event.at, self.settings.zone) == day and event.key not in by_others
        ]
        told = sorted([*foreign, *would], key=lambda event: (event["event_date"], snapshot.order(event["_id"])))
        preview = DayPreview(day, daily_note.compose(facts(told, self.settings), self.settings), note)
        _compare(preview, {e["_id"]: e for e in ours}, {e["_id"]: e for e in would})
        return preview

    def _retold(self, event: Document) -> Document:
        return {**event, "description": rendering.rendered(event, self.plans, self.settings)}

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        zone = self.settings.zone
        return business_days.start(day, zone), business_days.start(day + business_days.ONE_DAY, zone)

    # -- what rules make ------------------------------------------------------------------------------------

    def _made(self, first: date, last: date) -> list[Event]:
        """All that rules would have told in these days and did not tell on another day before them, oldest first."""
        told = [*self._milestones(first, last), *self._diary(first, last), *self._custom(first, last)]
        before = business_days.start(first, self.settings.zone)
        known = emitted_before(self.database, {event.key for event in told}, before)
        return sorted((event for event in told if event.key not in known), key=lambda event: event.at)

    def _milestones(self, first: date, last: date) -> Iterator[Event]:
        """Every movement of these days in the ledger's order, over the peaks that stood before."""
        totals, peaks = ledger.before(self.database, first)
        memory: Memory = milestones.seed({}, milestones.measured(peaks)) if peaks else {}
        for movement in ledger.of_days(self.database, first, last):
            movements.add(totals, movement)
            if movement.kind is MovementKind.OPENING:
                memory = milestones.seed(memory, milestones.measured(totals))
                continue
            if movement.count != 1:
                continue
            for kind, total in milestones.measured(totals).items():
                event, memory = milestones.reached(kind, total, movement.at, memory, self.settings)
                if event is not None:
                    yield event

    def _diary(self, first: date, last: date) -> Iterator[Event]:
        """Days before `first` are only remembered, as far as the ledger goes back."""
        history = ledger.history(self.database, self.checkpoint.totals, date.min, last)
        memory: Memories = {}
        for place, day in enumerate(history):
            opened = daily.opening(day.date, history[:place], self.settings) if day.date >= first else []
            closed, memory = daily.closing(history[: place + 1], memory, self.settings)
            yield from (event for event in [*opened, *closed] if day.date >= first)

    def _custom(self, first: date, last: date) -> Iterator[Event]:
        since, until = (
            business_days.start(first, self.settings.zone),
            business_days.start(last + business_days.ONE_DAY, self.settings.zone),
        )
        decoder = Decoder(self.config.time.naive_zone, self.config.rules.manual_email)
        judge = CustomRuleMatcher(self.database, self.settings.custom, decoder)
        for change in judge.recovered(since, until - timedelta(milliseconds=1), "preview", None):
            yield from custom_rules.events(change, self.settings.custom, lambda at: at.astimezone(self.settings.zone))


def _checkpoint(database: Database) -> Checkpoint:
    checkpoint = checkpoints.load(database)
    if checkpoint is None:
        raise Unavailable("the daemon has not taken over this database yet: start it once")
    return checkpoint


def _key(event: Document) -> str | None:
    """The natural key of an event of ours; None for one of somebody else."""
    metadata = event.get("metadata")
    is_ours = isinstance(metadata, dict) and metadata.get("source") == SOURCE_NAME
    return str(metadata.get("key", "")) if is_ours and isinstance(metadata, dict) else None


def _made_by_rules(event: Document) -> bool:
    key = _key(event) or ""
    return key.startswith(MADE_BY_RULES) and not key.startswith(FACTS)


def _compare(preview: DayPreview, ours: dict[Any, Document], would: dict[Any, Document]) -> None:
    preview.added = [event["description"] for event_id, event in would.items() if event_id not in ours]
    preview.removed = [event["description"] for event_id, event in ours.items() if event_id not in would]
    both = ((ours[event_id]["description"], would[event_id]["description"]) for event_id in ours if event_id in would)
    preview.changed = [(old, new) for old, new in both if old != new]
