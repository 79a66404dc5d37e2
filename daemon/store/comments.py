"""What a person wrote into a row's note: a comment after the generated note, or the whole note; edited with an undo."""

import hashlib
from datetime import date, datetime
from typing import NamedTuple

from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import ROWS, WRITTEN_ROWS
from daemon.mongo.types import Database, Document
from daemon.store import row_copies, rows
from daemon.store.rows import NoteOutcome
from rules.rows import amendment, note_grammar, periods
from rules.rows.note_grammar import PersonalText

PREVIOUS = "previous_comment"
"""Field of a row with what a person's text was before the last edit: {text, is_whole}."""
MAX_ATTEMPTS = 20


class Written(NamedTuple):
    """A person's text in a row, the generated note beside it, and the text before the last edit (None: no edit)."""

    text: PersonalText
    generated: str
    previous: PersonalText | None

    @property
    def digest(self) -> str:
        """Digest by which an edit recognizes that the text changed since its form was loaded."""
        return hashlib.sha256(str(self.text).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def written(database: Database, row: Document, session: ClientSession | None = None) -> Written:
    """Return what a person wrote into a whole stored row."""
    key = {"date": row["date"], "period_type": row["period_type"]}
    text = amendment.current_text(row, row_copies.find(database, key, session))
    text = PersonalText(text.text if isinstance(text.text, str) else "", text.is_whole)
    generated = row.get("auto_notes") if text.is_whole else note_grammar.generated_part(row.get("notes"), text)
    return Written(text, generated if isinstance(generated, str) else "", _previous(row))


def _previous(row: Document) -> PersonalText | None:
    found = row.get(PREVIOUS)
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        return None
    return PersonalText(found["text"], found.get("is_whole") is True)


def edit(database: Database, day: date, text: str | None, seen: str, now: datetime) -> NoteOutcome:
    """Replace a person's text, or undo the last edit (None), unless it changed since the form of `seen` was loaded.

    `seen` is the digest of the text that the form showed. The generated note stays. A person's whole note that is
    emptied gives way to the generated one; a row that has none (the dashboard's) keeps its text.
    """
    for _ in range(MAX_ATTEMPTS):
        row = rows.get(database, periods.day(day))
        if row is None:
            return NoteOutcome.NO_ROW
        found = written(database, row)
        if found.digest != seen:
            return NoteOutcome.CHANGED_SINCE
        chosen = _chosen(found, text)
        notes = chosen.with_note(found.generated)
        if not notes and found.text.text:
            return NoteOutcome.KEPT
        if _store(database, row, found, (chosen, notes), now):
            return NoteOutcome.WRITTEN
    return NoteOutcome.CHANGED_SINCE


def _chosen(found: Written, text: str | None) -> PersonalText:
    if text is None:
        return found.text if found.previous is None else found.previous
    return PersonalText(text, found.text.is_whole and bool(text))


def _store(database: Database, row: Document, found: Written, new: tuple[PersonalText, str], now: datetime) -> bool:
    """Store a text and the note with it; return False if the row changed since it was read.

    A comment beside an empty generated note is recognized by the daemon's copy of the row, which is written first.
    """
    text, notes = new
    if notes == row.get("notes"):
        return True
    key = {"date": row["date"], "period_type": row["period_type"]}
    guard = {"notes": {"$eq": row["notes"]} if "notes" in row else {"$exists": False}}
    previous = {"text": found.text.text, "is_whole": found.text.is_whole}
    change = {"notes": notes, PREVIOUS: previous, "updated_at": now}
    with translated():
        if "auto_notes" in row and not found.generated and not text.is_whole:
            database[WRITTEN_ROWS].update_one({"_id": key}, {"$set": {"comment": text.text}})
        return database[ROWS].update_one({"_id": row["_id"], **guard}, {"$set": change}).matched_count == 1
