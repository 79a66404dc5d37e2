"""Sources of the parts of a row's note, read from the events and the ledger. Writes nothing."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from unicodedata import normalize

from daemon.mongo.client import translated
from daemon.mongo.id_text import shown_id
from daemon.mongo.types import Database, Document
from daemon.rollup.row_builder import RowBuilder, facts
from daemon.store import rows
from daemon.store.ledger import reader as ledger
from rules.model.changes import DocId
from rules.model.ledger import Movement
from rules.rows import daily_note, monthly_note, periods
from rules.rows.daily_note import NoteLine
from rules.rows.periods import Period
from rules.settings.settings import Settings
from rules.text import note_text

MAX_TEXT = 10_000
"""Characters of a note that are searched."""
MAX_EVENT_DISTANCE = timedelta(seconds=10)
"""Maximum time between an external event and the movement of the same fact."""


@dataclass(slots=True)
class NoteSource:
    """Sources of one part of a note: its first events with their movements, and the number of events omitted.

    Parts of a monthly note have `numbers` instead. `deleted_events` are entries of the row's `auto_events`, for a day
    whose events were deleted.
    """

    text: str
    events: list[tuple[Document, list[Movement]]] = field(default_factory=list)
    omitted: int = 0
    numbers: tuple[str, ...] = ()
    deleted_events: list[Document] = field(default_factory=list)


class NoteExplanation:
    """Finds the sources of notes in one database, each with at most `limit` events."""

    def __init__(self, database: Database, settings: Settings, limit: int) -> None:
        self.database = database
        self.settings = settings
        self.limit = limit
        self.row_builder = RowBuilder(database, settings)

    def note_sources(self, text: str, period: Period) -> list[NoteSource]:
        """Return the sources of the parts of the period's note that contain `text` ("": of all parts)."""
        if period.kind is periods.PeriodKind.MONTHLY:
            return list(self._monthly_note_sources(text, period))
        found = [line for line in self.note_lines(period.first) if _contains(line.text, text)]
        sources = [self._daily_note_source(line, period.first) for line in found if line.text]
        return sources or list(self._deleted_note_sources(text, period))

    def note_lines(self, day: date) -> list[NoteLine]:
        """Return the lines of the note that the events of a day give now."""
        return daily_note.lines(self._facts(day), self.settings)

    def part_sources(self, part: str, day: date) -> list[NoteSource]:
        """Return the sources of the lines of a day's note that a type, or the id of an event as text, stands for."""
        found = [
            line
            for line in self.note_lines(day)
            if line.text and (part == line.kind or any(shown_id(event) == part for event in line.ids))
        ]
        return [self._daily_note_source(line, day) for line in found]

    def _monthly_note_sources(self, text: str, period: Period) -> Iterator[NoteSource]:
        with translated(), self.database.client.start_session(snapshot=True) as session:
            data = self.row_builder.period_data(period, session)
        for part in monthly_note.parts(period, data, self.settings):
            if _contains(str(part), text):
                yield NoteSource(str(part), numbers=part.numbers)

    def _facts(self, day: date) -> Iterator[daily_note.Fact]:
        yield from facts(self.row_builder.events(day), self.settings)

    def _daily_note_source(self, line: NoteLine, day: date) -> NoteSource:
        source = NoteSource(line.text)
        events: list[Document] = []
        for event in self.row_builder.events(day):
            if event["_id"] in line.ids if line.ids else str(event.get("event_type")) == line.kind:
                if len(events) < self.limit:
                    events.append(event)
                else:
                    source.omitted += 1
        source.events = list(self._with_movements(events, day))
        return source

    def _with_movements(self, events: list[Document], day: date) -> Iterator[tuple[Document, list[Movement]]]:
        """Yield each event with the ledger movements of the same fact."""
        movements: dict[DocId, list[Movement]] = defaultdict(list)
        subjects = {_subject_id(event) for event in events}
        times = {event["event_date"] for event in events if _subject_id(event) is None}
        for movement in ledger.of_day(self.database, day):
            for owner in {movement.license_id, movement.customer_id} & subjects:
                movements[owner].append(movement)
            if movement.at in times:
                movements[movement.at].append(movement)
        for event in events:
            found = movements[_subject_id(event) or event["event_date"]]
            yield event, [line for line in found if abs(line.at - event["event_date"]) <= MAX_EVENT_DISTANCE]

    def _deleted_note_sources(self, text: str, period: Period) -> Iterator[NoteSource]:
        """Yield the stored note of a day whose events were deleted: only the row still contains them."""
        stored = rows.get(self.database, period) or {}
        note = str(stored.get("auto_notes") or "")
        if note and _contains(note, text):
            yield NoteSource(note, deleted_events=list(stored.get("auto_events") or ()))


def _subject_id(event: Document) -> DocId:
    """Return the event's license id, else its customer id, else None."""
    found = event.get("license_id") or event.get("customer_id")
    return found if found is None or getattr(found, "__hash__", None) else str(found)


def _contains(part: str, text: str) -> bool:
    """Return whether a part of a note contains a text, which may be typed as the database writes a name."""
    return _comparable(text) in _comparable(part)


def _comparable(text: str) -> str:
    return normalize("NFC", note_text(text, MAX_TEXT)).casefold()
