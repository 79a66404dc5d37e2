"""The facts of a note: each with the address that explains it, and the events behind one of them."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from daemon.diagnostics.note_explanation import NoteExplanation, NoteSource
from daemon.mongo.id_text import shown_id
from daemon.mongo.types import Document
from daemon.store import comments
from daemon.web.page import addresses, why_texts
from daemon.web.page.environment import page_url
from daemon.web.page.parts import rows
from daemon.web.page.parts.event_lines import EventLine, event_line
from daemon.web.page.snapshot import Snapshot
from rules.model.ledger import Movement
from rules.rows.daily_note import NoteLine
from rules.settings import italian
from rules.settings.settings import Settings
from rules.text import note_text


class LinkedFact(NamedTuple):
    """One fact of a note; `address` is "" if nothing is known about it."""

    text: str
    address: str


class FactSource(NamedTuple):
    """A fact with its first events, each with its movements."""

    text: str
    from_events: str
    events: list[tuple[EventLine, list[str]]]
    omitted: str


def of_day(snapshot: Snapshot, day: date, note: object) -> list[LinkedFact]:
    """Return the facts of the stored note of a day with what the day's events give now."""
    lines = NoteExplanation(snapshot.database, snapshot.settings, 0).note_lines(day) if note else []
    return linked(note, day, lines)


def of_whole_note(snapshot: Snapshot, day: date, row: Document) -> list[LinkedFact]:
    """Return the facts of a day's note and what a person wrote into it, which leads to its form."""
    written = comments.written(snapshot.database, row, snapshot.session)
    own = [] if written.text.is_whole else of_day(snapshot, day, written.generated)
    form = page_url(addresses.day(day), "commento")
    return own + [LinkedFact(fact, form) for fact in rows.facts(written.text.text)]


def linked(note: object, day: date, lines: Iterable[NoteLine]) -> list[LinkedFact]:
    """Return the facts of a stored note; a fact that the events of the day still give has an address."""
    parts = {_comparable(line.text): _part(line) for line in lines if line.text}
    found = []
    for fact in rows.facts(note):
        part = parts.get(_comparable(fact))
        found.append(LinkedFact(italian.with_readers_euros(fact), addresses.fact(day, part) if part else ""))
    return found


def _comparable(text: str) -> str:
    """Return a text of a note by which the shown form and the stored one are equal."""
    return note_text(italian.with_readers_euros(text).replace(italian.NBSP, " "))


def _part(line: NoteLine) -> str:
    """Return by what a fact is explained: the id of its event, or its type if it counts all events of one."""
    return shown_id(line.ids[0]) if line.ids else line.kind


def shown(sources: Iterable[NoteSource], settings: Settings) -> list[FactSource]:
    return [_source(source, settings) for source in sources]


def _source(source: NoteSource, settings: Settings) -> FactSource:
    events = [
        (event_line(event, settings), [_movement(line) for line in movements]) for event, movements in source.events
    ]
    count = len(events) + source.omitted
    return FactSource(
        italian.with_readers_euros(source.text),
        italian.plural(why_texts.NOTE_FROM_EVENTS, count) if count else "",
        events,
        italian.plural(why_texts.MORE_EVENTS, source.omitted) if source.omitted else "",
    )


def _movement(movement: Movement) -> str:
    kind, reason = why_texts.KINDS[movement.kind], why_texts.REASONS[movement.reason]
    amount = f" ({italian.signed_cents(movement.mrr_cents)})" if movement.mrr_cents else ""
    return f"{kind}: {reason}{amount}"
