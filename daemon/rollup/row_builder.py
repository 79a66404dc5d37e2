"""Rows as ledger, events and rules have them now: of a day, of many days in one walk, of a month. Writes nothing.

Every row is read at one snapshot. A walk carries the totals along, so that each day costs its own movements only.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime

from daemon import clock
from daemon.mongo.client import translated
from daemon.mongo.collections import SOURCE_NAME
from daemon.mongo.types import ClientSession, Database, Document
from daemon.store import checkpoint as checkpoints
from daemon.store import rows
from daemon.store.forgotten import ErasureList, refreshed
from daemon.store.ledger import day_sums
from daemon.store.ledger import reader as ledger
from daemon.store.ledger import retention as ledger_retention
from daemon.store.mirror.reader import MirrorReader
from rules import business_days as days
from rules.model import event_keys
from rules.model.events import EventType
from rules.model.ledger import Totals
from rules.privacy import erasure
from rules.revenue import movements
from rules.revenue.day_sums import DaySums
from rules.rows import amendment, daily_note, monthly_note, periods
from rules.rows import period_data as books
from rules.rows import row as rollup
from rules.rows.period_data import LedgerStart, PeriodData
from rules.rows.periods import Kind, Period
from rules.settings import catalog
from rules.settings.settings import Settings
from rules.text import one_line

REPEATED = (EventType.MILESTONE_REACHED, EventType.MARKETING_CAMPAIGN)
"""What a dashboard may tell more than once a day."""

SNAPSHOT_SECONDS = 60.0
"""A server keeps a snapshot for five minutes; a walk takes a fresh one long before."""
REMEMBER_SECONDS = 3600.0


class RowBuilder:
    """Makes the rows of one database by one set of rules."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        self.mirror = MirrorReader(database, settings)
        self.forgotten = ErasureList()
        self.events_cut: date | None = None
        self._past: tuple[tuple[date, date], float, Mapping[date, DaySums]] | None = None

    def row(self, period: Period) -> Document:
        """The row of a day or a month."""
        with self._snapshot() as session:
            return self.build(period, self.books(period, session), session)

    def live(self, day: date) -> Document:
        """The row of a day that is not over: what its rates look back over is remembered for an hour."""
        period = periods.day(day)
        with self._snapshot() as session:
            begin = ledger.ledger_start(self.database, session)
            by_day = {**self._before(period, begin), **day_sums.by_day(self.database, day, day, session)}
            return self.build(period, self._books(period, by_day, begin, session), session)

    def days(self, first: date, last: date) -> Iterator[Document]:
        """The rows of the days from `first` to `last`, oldest first."""
        while first <= last:
            began = clock.monotonic()
            with self._snapshot() as session:
                for day, known in self._walk(first, last, session):
                    yield self.build(periods.day(day), known, session)
                    first = day + days.ONE_DAY
                    if clock.monotonic() - began > SNAPSHOT_SECONDS:
                        break

    def books(self, period: Period, session: ClientSession) -> PeriodData:
        """What the ledger knows of a period."""
        begin = ledger.ledger_start(self.database, session)
        by_day = day_sums.by_day(self.database, books.needed_from(period, begin), period.last, session)
        return self._books(period, by_day, begin, session)

    def _books(
        self, period: Period, by_day: Mapping[date, DaySums], begin: LedgerStart | None, session: ClientSession
    ) -> PeriodData:
        running = checkpoints.running_totals(self.database, session)
        totals = ledger.totals_after(self.database, running, period.last, session)
        return books.of(period, totals, by_day, begin)

    def _walk(self, first: date, last: date, session: ClientSession) -> Iterator[tuple[date, PeriodData]]:
        begin = ledger.ledger_start(self.database, session)
        running = checkpoints.running_totals(self.database, session)
        totals: Totals = ledger.totals_after(self.database, running, first - days.ONE_DAY, session)
        by_day = day_sums.by_day(self.database, books.needed_from(periods.day(first), begin), last, session)
        for day in days.between(first, last):
            if day in by_day:
                totals = movements.shifted(totals, ledger.sums(self.database, {"day": days.stored(day)}, session))
            yield day, books.of(periods.day(day), totals, by_day, begin)

    def _before(self, period: Period, begin: LedgerStart | None) -> Mapping[date, DaySums]:
        """What the days before brought that a live row looks back over; facts that come late show within the hour."""
        now, since = clock.monotonic(), books.needed_from(period, begin)
        known = (since, period.first)
        if self._past is None or self._past[0] != known or now - self._past[1] > REMEMBER_SECONDS:
            found = day_sums.by_day(self.database, since, period.first - days.ONE_DAY)
            self._past = (known, now, found)
        return self._past[2]

    @contextmanager
    def _snapshot(self) -> Iterator[ClientSession]:
        self.forgotten = refreshed(self.database, self.forgotten)
        self.events_cut = ledger_retention.events_cut(self.database)
        with translated(), self.database.client.start_session(snapshot=True) as session:
            yield session

    # -- notes and events -----------------------------------------------------------------------------------

    def build(self, period: Period, known: PeriodData, session: ClientSession) -> Document:
        """The row of a period of which the books are known."""
        numbers = rollup.row(period, known, self.mirror.plans(), self.settings)
        if period.kind is Kind.MONTHLY:
            return {**numbers, **EVENTLESS, "auto_notes": monthly_note.note(period, known, self.settings)}
        return {**numbers, **self._note_and_events(period.first, session)}

    def _note_and_events(self, day: date, session: ClientSession) -> Document:
        """The note and the events of a day; those it had, where somebody deleted its events since."""
        composed, kept = self._composed(day, session)
        return composed if kept is None else {name: kept[name] for name in composed}

    def _composed(self, day: date, session: ClientSession) -> tuple[Document, Document | None]:
        """What the events of a day tell now; and the row it had, where somebody deleted its events since."""
        start, end = self.bounds(day)
        first: list[Document] = []
        found = Counted(self._without_forgotten(rows.events_between(self.database, start, end, session)))
        note = daily_note.compose(facts(remembering(found, first), self.settings), self.settings)
        composed = {
            "auto_events": [rollup.auto_event(event, self.settings) for event in first],
            "auto_events_total": found.count,
            "auto_notes": note,
        }
        kept = rows.kept(self.database, periods.day(day), session)
        lost = kept is not None and self._lost_its_events(kept, found.count, start, session)
        return composed, kept if lost else None

    def _lost_its_events(self, kept: Document, standing: int, start: datetime, session: ClientSession) -> bool:
        if standing >= kept.get("auto_events_total", 0):
            return False
        if self.events_cut is not None and start < self.bounds(self.events_cut)[0]:
            return True
        return amendment.lost_its_events(kept, standing, rows.any_event_before(self.database, start, session))

    def note_and_events(self, day: date) -> Document | None:
        """The note and the events of a day as its events tell them; None where somebody deleted those since."""
        with self._snapshot() as session:
            composed, kept = self._composed(day, session)
        return composed if kept is None else None

    def events(self, day: date) -> Iterable[Document]:
        """The events of a day as its note may tell them, in the order they happened."""
        self.forgotten = refreshed(self.database, self.forgotten)
        return self._without_forgotten(rows.events_between(self.database, *self.bounds(day)))

    def _without_forgotten(self, events: Iterable[Document]) -> Iterable[Document]:
        """Whoever is to be forgotten is not named, whatever stands in an event that others wrote."""
        if not self.forgotten.hashes:
            return events
        plans = {state.plan.name: state.plan for state in self.mirror.plans().values() if state.plan}
        return (
            erasure.redacted_event(event, plans, self.settings)
            if self.forgotten.holds(event.get("customer_id"))
            else event
            for event in events
        )

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """The instants a business day begins and ends."""
        zone = self.settings.zone
        return days.start(day, zone), days.start(day + days.ONE_DAY, zone)


EVENTLESS: Document = {"auto_events": [], "auto_events_total": 0}
"""A month's events are those of its days."""


class Counted:
    """Documents passing by, counted."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents = documents
        self.count = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self.documents:
            self.count += 1
            yield document


def remembering(stored: Iterable[Document], first: list[Document]) -> Iterator[Document]:
    """Pass events on and keep the first in `first`: a busy day's are not held in memory whole."""
    for event in stored:
        if len(first) < rollup.MAX_AUTO_EVENTS:
            first.append(event)
        yield event


def facts(stored: Iterable[Document], settings: Settings) -> Iterable[daily_note.Fact]:
    """Stored events as the note sees them; whatever others put into theirs, it is text or nothing.

    A milestone or a date that the dashboard repeats counts once.
    """
    told: set[str] = set()
    for event in stored:
        keys = set(event_keys.natural_keys(event)) if event.get("event_type") in REPEATED else set()
        if keys & told:
            continue
        told |= keys
        yield fact(event, settings)


def fact(event: Document, settings: Settings) -> daily_note.Fact:
    kind, metadata = str(event.get("event_type")), event.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    name, text = one_line(metadata.get("customer_name")), one_line(event.get("description"))
    short = catalog.short(event, settings.texts) if metadata.get("source") == SOURCE_NAME else ""
    about = event.get("customer_id")
    owner = "" if about is None else str(about)
    return daily_note.Fact(kind, text, name, daily_note.emoji(kind, metadata, settings), short, event.get("_id"), owner)
