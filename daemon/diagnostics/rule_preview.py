"""Preview of changed rules: the notes and events they would create on past days, compared with the stored ones.

Writes nothing. Facts (a new customer, a canceled license, a manual event) are kept as stored and rendered with the
given texts. Events that only a rule creates are recomputed: milestones and goals from the ledger's movements; growth,
trends, dates and summaries from its days; custom rules from the current documents. API calls are not in the ledger:
their milestones are kept as facts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from daemon.config.schema import Config
from daemon.errors import Unavailable
from daemon.mongo.collections import SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.rollup.event_descriptions import EventDescriber
from daemon.rollup.row_builder import facts
from daemon.source import snapshot
from daemon.source.custom_rules import CustomRuleMatcher
from daemon.source.decode import Decoder
from daemon.store import checkpoint as checkpoints
from daemon.store import documents, rows
from daemon.store import events as event_store
from daemon.store.checkpoint import Checkpoint
from daemon.store.events import emitted_before
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.insights import daily, milestones
from rules.insights.goals import GoalTracker
from rules.model import event_keys
from rules.model.changes import Plan
from rules.model.decision import Memories, Memory
from rules.model.events import Event
from rules.model.ledger import MovementKind
from rules.privacy import rendering
from rules.revenue import movements
from rules.rows import daily_note
from rules.settings import custom_rules

FACT_KEYS = ("milestone:api_calls:",)
RULE_KEYS = ("milestone:", "goal:", "growth:", "trend:", "calendar:", "week:", "month:", "custom:")
"""Key prefixes of events that only a rule creates; all others are facts."""


@dataclass(slots=True)
class DayPreview:
    """One day: the new note, the stored note (None: no row), and the descriptions of the events that would differ.

    `events_deleted`: the day's events were deleted, so it keeps its note whatever the rules.
    """

    day: date
    note: str
    stored: str | None
    events_deleted: bool = False
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return self.note != (self.stored or "") or bool(self.added or self.removed or self.changed)


class RulePreview:
    """Previews past days with one configuration. Raises Unavailable before the daemon's first start."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.config = config
        self.settings = config.settings()
        self.checkpoint = _require_checkpoint(database)
        mirror = MirrorReader(database, self.settings)
        self.describer = EventDescriber(mirror, self.settings)
        states = mirror.plans().values()
        self.plans: dict[str, Plan] = {state.plan.name: state.plan for state in states if state.plan}

    def days(self, first: date, last: date) -> Iterator[DayPreview]:
        """Yield the days of the ledger from `first` to `last`, oldest first."""
        begin = ledger.first_day(self.database)
        if begin is None or last < begin:
            return
        first = max(first, begin)
        rule_events = self._rule_events(first, last)
        found = rows.read(self.database, first, last)
        stored = {row["date"].date(): row.get("auto_notes", row.get("notes")) for row in found}
        for day in business_days.between(first, last):
            yield self._day(day, rule_events, stored.get(day))

    # -- one day --------------------------------------------------------------------------------------------

    def _day(self, day: date, rule_events: list[Event], note: str | None) -> DayPreview:
        stored = list(event_store.events_between(self.database, *self._bounds(day)))
        if note and not stored:
            return DayPreview(day, note, note, events_deleted=True)
        own = [event for event in stored if _own_key(event) is not None]
        external = [event for event in stored if _own_key(event) is None]
        external_keys = {key for event in external for key in event_keys.natural_keys(event)}
        expected = [self._rendered(event) for event in own if not _is_rule_event(event)]
        expected += [
            documents.event_document(event)
            for event in rule_events
            if business_days.business_day(event.at, self.settings.zone) == day and event.key not in external_keys
        ]
        events = sorted(
            [*external, *expected], key=lambda event: (event["event_date"], snapshot.sort_key(event["_id"]))
        )
        preview = DayPreview(
            day, daily_note.compose(facts(self.describer.describe(events), self.settings), self.settings), note
        )
        _compare(preview, {e["_id"]: e for e in own}, {e["_id"]: e for e in expected})
        return preview

    def _rendered(self, event: Document) -> Document:
        return {**event, "description": rendering.rendered(event, self.plans, self.settings)}

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        zone = self.settings.zone
        return business_days.start(day, zone), business_days.start(day + business_days.ONE_DAY, zone)

    # -- events of rules ------------------------------------------------------------------------------------

    def _rule_events(self, first: date, last: date) -> list[Event]:
        """Return the events that rules create on these days and have not created before `first`, oldest first."""
        events = [
            *self._milestone_events(first, last),
            *self._daily_events(first, last),
            *self._custom_events(first, last),
        ]
        before = business_days.start(first, self.settings.zone)
        known = emitted_before(self.database, {event.key for event in events}, before)
        return sorted((event for event in events if event.key not in known), key=lambda event: event.at)

    def _milestone_events(self, first: date, last: date) -> Iterator[Event]:
        """Yield milestones and goals of these days' movements in the ledger's order, above the earlier peaks."""
        totals, peaks = ledger.totals_and_peaks_before(self.database, first)
        memory: Memory = milestones.seed({}, milestones.milestone_values(peaks)) if peaks else {}
        goals = GoalTracker({}, totals, self.settings)
        for movement in ledger.of_days(self.database, first, last):
            movements.add(totals, movement)
            if movement.kind is MovementKind.OPENING:
                memory = milestones.seed(memory, milestones.milestone_values(totals))
                goals = GoalTracker({}, totals, self.settings)
                continue
            if movement.count != 1:
                continue
            for kind, total in milestones.milestone_values(totals).items():
                event, memory = milestones.reached(kind, total, movement.at, memory, self.settings)
                if event is not None:
                    yield event
            yield from goals.check(totals, movement.at)

    def _daily_events(self, first: date, last: date) -> Iterator[Event]:
        """Yield events of day boundaries; earlier days of the ledger only fill the memory."""
        history = ledger.history(self.database, self.checkpoint.totals, date.min, last)
        memory: Memories = {}
        for index, day in enumerate(history):
            opened = daily.opening_events(day.date, history[:index], self.settings) if day.date >= first else []
            closed, memory = daily.closing_events(history[: index + 1], memory, self.settings)
            yield from (event for event in [*opened, *closed] if day.date >= first)

    def _custom_events(self, first: date, last: date) -> Iterator[Event]:
        since, until = (
            business_days.start(first, self.settings.zone),
            business_days.start(last + business_days.ONE_DAY, self.settings.zone),
        )
        decoder = Decoder(self.config.time.naive_zone, self.config.rules.manual_email)
        matcher = CustomRuleMatcher(self.database, self.settings.custom, decoder)
        for change in matcher.recovered(since, until - timedelta(milliseconds=1), "preview", None):
            yield from custom_rules.events(change, self.settings.custom, lambda at: at.astimezone(self.settings.zone))


def _require_checkpoint(database: Database) -> Checkpoint:
    checkpoint = checkpoints.load(database)
    if checkpoint is None:
        raise Unavailable("the daemon has not bootstrapped this database yet; start it once")
    return checkpoint


def _own_key(event: Document) -> str | None:
    """Return the natural key of an event of the daemon; None for an external event."""
    metadata = event.get("metadata")
    is_own = isinstance(metadata, dict) and metadata.get("source") == SOURCE_NAME
    return str(metadata.get("key", "")) if is_own and isinstance(metadata, dict) else None


def _is_rule_event(event: Document) -> bool:
    key = _own_key(event) or ""
    return key.startswith(RULE_KEYS) and not key.startswith(FACT_KEYS)


def _compare(preview: DayPreview, own: dict[Any, Document], expected: dict[Any, Document]) -> None:
    preview.added = [event["description"] for event_id, event in expected.items() if event_id not in own]
    preview.removed = [event["description"] for event_id, event in own.items() if event_id not in expected]
    both = ((own[key]["description"], expected[key]["description"]) for key in own if key in expected)
    preview.changed = [(old, new) for old, new in both if old != new]
