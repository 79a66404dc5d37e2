"""Row builder: computes the rows of a day, of consecutive days and of a month. Writes nothing.

Every row is read at one snapshot. For consecutive days the totals are carried forward, so each day reads only its own
movements.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from itertools import chain

from daemon import clock
from daemon.mongo.client import translated
from daemon.mongo.id_text import shown_id
from daemon.mongo.types import ClientSession, Database, Document
from daemon.rollup.event_descriptions import EventDescriber, is_own
from daemon.store import checkpoint as checkpoints
from daemon.store import events as event_store
from daemon.store import rows, sample_events
from daemon.store.forgotten import ErasureList, refresh
from daemon.store.ledger import day_sums, line_groups
from daemon.store.ledger import reader as ledger
from daemon.store.ledger import retention as ledger_retention
from daemon.store.ledger.day_totals import DayTotals
from daemon.store.mirror.reader import MirrorReader
from rules import business_days as days
from rules.model import event_keys
from rules.model.events import EventType
from rules.model.ledger import Totals
from rules.privacy import rendering
from rules.revenue import movements
from rules.revenue.day_sums import DaySums
from rules.rows import amendment, daily_note, monthly_note, period_data, periods, row
from rules.rows.period_data import LedgerStart, PeriodData
from rules.rows.periods import Period, PeriodKind
from rules.settings import catalog
from rules.settings.settings import Settings
from rules.text import MAX_NAME, one_line

REPEATABLE = (EventType.MILESTONE_REACHED, EventType.MARKETING_CAMPAIGN)
"""Event types that a dashboard may write more than once a day."""

SNAPSHOT_SECONDS = 60.0
"""The server keeps a snapshot for five minutes; a new one is opened well before."""
CACHE_SECONDS = 3600.0
"""Maximum age of the sums of past days in a live row."""


class RowBuilder:
    """Builds the rows of one database with one set of rules."""

    def __init__(self, database: Database, settings: Settings, day_totals: DayTotals | None = None) -> None:
        self.database = database
        self.day_totals = day_totals
        self.settings = settings
        self.mirror = MirrorReader(database, settings)
        self.describer = EventDescriber(self.mirror, settings)
        self.events_cut: date | None = None
        self._cache: tuple[tuple[date, date], float, Mapping[date, DaySums]] | None = None

    @property
    def forgotten(self) -> ErasureList:
        """The erasure list with which events are described."""
        return self.describer.forgotten

    def build_row(self, period: Period) -> Document:
        """Return the row of a day or a month."""
        with self._snapshot() as session:
            return self.build_from(period, self.period_data(period, session), session)

    def build_live_row(self, day: date) -> Document:
        """Return the row of the current day; its note, and no other, shows sample events.

        The sums of the past days that its rates cover are cached for an hour.
        """
        period = periods.day(day)
        with self._snapshot() as session:
            ledger_start = ledger.ledger_start(self.database, session)
            by_day = {**self._cached_sums(period, ledger_start), **day_sums.by_day(self.database, day, day, session)}
            data = period_data.of(period, self._totals_after(period, session), by_day, ledger_start)
            return self.build_from(period, data, session, is_live=True)

    def build_days(self, first: date, last: date) -> Iterator[Document]:
        """Yield the rows of the days from `first` to `last`, oldest first."""
        while first <= last:
            began = clock.monotonic()
            with self._snapshot() as session:
                for day, data in self._days_data(first, last, session):
                    yield self.build_from(periods.day(day), data, session)
                    first = day + days.ONE_DAY
                    if clock.monotonic() - began > SNAPSHOT_SECONDS:
                        break

    def period_data(self, period: Period, session: ClientSession) -> PeriodData:
        """Return the ledger data of a period."""
        ledger_start = ledger.ledger_start(self.database, session)
        first, by_day, totals = period_data.first_needed_day(period, ledger_start), None, None
        if self.day_totals is not None:
            by_day = self.day_totals.by_day(first, period.last, None, session)
            totals = self.day_totals.after(period.last, None, session)
        if by_day is None:
            by_day = day_sums.by_day(self.database, first, period.last, session)
        return period_data.of(period, totals or self._totals_after(period, session), by_day, ledger_start)

    def _totals_after(self, period: Period, session: ClientSession) -> Totals:
        running = checkpoints.running_totals(self.database, session)
        return ledger.totals_after(self.database, running, period.last, session)

    def _days_data(self, first: date, last: date, session: ClientSession) -> Iterator[tuple[date, PeriodData]]:
        ledger_start = ledger.ledger_start(self.database, session)
        running = checkpoints.running_totals(self.database, session)
        totals: Totals = ledger.totals_after(self.database, running, first - days.ONE_DAY, session)
        by_day = day_sums.by_day(
            self.database, period_data.first_needed_day(periods.day(first), ledger_start), last, session
        )
        for day in days.between(first, last):
            if day in by_day:
                totals = movements.combined(totals, line_groups.sums(self.database, {"day": days.stored(day)}, session))
            yield day, period_data.of(periods.day(day), totals, by_day, ledger_start)

    def _cached_sums(self, period: Period, ledger_start: LedgerStart | None) -> Mapping[date, DaySums]:
        """Return the sums of the past days that the rates cover; late facts appear within an hour."""
        now, since = clock.monotonic(), period_data.first_needed_day(period, ledger_start)
        key = (since, period.first)
        if self._cache is None or self._cache[0] != key or now - self._cache[1] > CACHE_SECONDS:
            sums = day_sums.by_day(self.database, since, period.first - days.ONE_DAY)
            self._cache = (key, now, sums)
        return self._cache[2]

    @contextmanager
    def _snapshot(self) -> Iterator[ClientSession]:
        self.describer.forgotten = refresh(self.database, self.forgotten)
        self.events_cut = ledger_retention.events_cutoff(self.database)
        with translated(), self.database.client.start_session(snapshot=True) as session:
            yield session

    # -- notes and events -----------------------------------------------------------------------------------

    def build_from(
        self, period: Period, data: PeriodData, session: ClientSession, *, is_live: bool = False
    ) -> Document:
        """Return the row of a period from its ledger data."""
        numbers = row.row(period, data, self.mirror.plans(), self.settings)
        if period.kind is PeriodKind.MONTHLY:
            return {**numbers, **NO_EVENTS, "auto_notes": monthly_note.note(period, data, self.settings)}
        return {**numbers, **self._note_and_events(period.first, session, is_live=is_live)}

    def _note_and_events(self, day: date, session: ClientSession, *, is_live: bool) -> Document:
        """Return note and events of a day; the stored ones if its events were deleted since."""
        composed, kept = self._compose(day, session, is_live=is_live)
        return composed if kept is None else {name: kept[name] for name in composed}

    def _compose(self, day: date, session: ClientSession, *, is_live: bool = False) -> tuple[Document, Document | None]:
        """Return note and events of a day, and the stored row if its events were deleted since (else None)."""
        start, end = self.bounds(day)
        first: list[Document] = []
        events = CountingIterable(
            self.describer.describe(event_store.events_between(self.database, start, end, session))
        )
        samples = self.describer.describe(sample_events.between(self.database, start, end, session) if is_live else ())
        note = daily_note.compose(facts(chain(keep_first(events, first), samples), self.settings), self.settings)
        composed = {
            "auto_events": [row.auto_event(_with_text_id(event), self.settings) for event in first],
            "auto_events_total": events.count,
            "auto_notes": note,
        }
        kept = rows.last_written(self.database, periods.day(day), session)
        were_deleted = kept is not None and self._events_were_deleted(kept, events.count, start, session)
        return composed, kept if were_deleted else None

    def _events_were_deleted(self, kept: Document, remaining: int, start: datetime, session: ClientSession) -> bool:
        if remaining >= kept.get("auto_events_total", 0):
            return False
        if self.events_cut is not None and start < self.bounds(self.events_cut)[0]:
            return True
        return amendment.events_were_deleted(
            kept, remaining, event_store.any_event_before(self.database, start, session)
        )

    def note_and_events(self, day: date) -> Document | None:
        """Return note and events of a day; None if its events were deleted since its row was written."""
        with self._snapshot() as session:
            composed, kept = self._compose(day, session)
        return composed if kept is None else None

    def events(self, day: date) -> Iterable[Document]:
        """Return the events of a day in chronological order, as its note and its row show them."""
        self.describer.forgotten = refresh(self.database, self.forgotten)
        return self.describer.describe(event_store.events_between(self.database, *self.bounds(day)))

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Return the instants at which a business day begins and ends."""
        zone = self.settings.zone
        return days.start(day, zone), days.start(day + days.ONE_DAY, zone)


NO_EVENTS: Document = {"auto_events": [], "auto_events_total": 0}
"""A month's row has no events of its own; they are in the rows of its days."""


def _with_text_id(event: Document) -> Document:
    customer_id = event.get("customer_id")
    return event if customer_id is None else {**event, "customer_id": shown_id(customer_id)}


class CountingIterable:
    """Counts documents during iteration."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents = documents
        self.count = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self.documents:
            self.count += 1
            yield document


def keep_first(stored: Iterable[Document], first: list[Document]) -> Iterator[Document]:
    """Yield all events and append the first MAX_AUTO_EVENTS to `first`; a busy day does not fit in memory."""
    for event in stored:
        if len(first) < row.MAX_AUTO_EVENTS:
            first.append(event)
        yield event


def facts(described: Iterable[Document], settings: Settings) -> Iterable[daily_note.Fact]:
    """Return described events as facts of a note; fields of external events are converted to text."""
    for event in distinct(described):
        yield fact(event, settings)


def distinct(events: Iterable[Document]) -> Iterator[Document]:
    """Yield events; a milestone or a date that the dashboard repeats only once."""
    seen_keys: set[str] = set()
    for event in events:
        keys = set(event_keys.natural_keys(event)) if event.get("event_type") in REPEATABLE else set()
        if not keys & seen_keys:
            seen_keys |= keys
            yield event


def fact(event: Document, settings: Settings) -> daily_note.Fact:
    kind, metadata, owner = str(event.get("event_type")), event.get("metadata"), event.get("customer_id")
    if not isinstance(metadata, dict):
        metadata = {}
    remaining, is_euro = metadata.get("founders_remaining"), str(event.get("currency") or "EUR").upper() == "EUR"
    return daily_note.Fact(
        kind,
        str(event.get("description") or ""),
        one_line(metadata.get("customer_name"), MAX_NAME),
        daily_note.emoji(kind, metadata, settings),
        _short(event, metadata, settings),
        event.get("_id"),
        "" if owner is None else str(owner),
        catalog.cents(event.get("amount")) if is_euro else None,
        "" if remaining is None else f"limited_sale:{event.get('plan_name')}",
    )


def _short(event: Document, metadata: Document, settings: Settings) -> str:
    """Return the text without the customer's name; "" for a text of another program."""
    if event.get("event_type") != EventType.PAYMENT_COMPLETED:
        return ""
    is_composed = is_own(event) or event.get("description") == rendering.from_fields(event, {}, settings)
    return catalog.short_description(event, settings.texts) if is_composed and metadata else ""
