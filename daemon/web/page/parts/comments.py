"""The comment of a day as its form shows it."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from daemon.mongo.types import Document
from daemon.store import comments
from daemon.web.page import event_texts, texts
from daemon.web.page.parts import rows
from daemon.web.page.parts.rows import Tag
from daemon.web.page.snapshot import Snapshot
from rules.rows import note_grammar
from rules.settings import italian


class Outcome(StrEnum):
    """What the page confirms after an edit."""

    SAVED = "salvato"
    DELETED = "eliminato"
    RESTORED = "ripreso"
    KEPT = "tenuto"


CONFIRMATIONS = {
    Outcome.SAVED: event_texts.COMMENT_SAVED,
    Outcome.DELETED: event_texts.COMMENT_DELETED,
    Outcome.RESTORED: event_texts.COMMENT_RESTORED,
    Outcome.KEPT: event_texts.COMMENT_KEPT,
}


class CommentView(NamedTuple):
    """A person's text and its form; `undo` says what "Annulla" brings back, "" where there is nothing to undo."""

    title: str
    text: str
    seen: str
    is_whole: bool
    label: str
    hint: str
    undo: str
    limit: int = note_grammar.MAX_LENGTH
    problem: str = ""
    stored: str = ""


def view(snapshot: Snapshot, day: date, row: Document) -> CommentView:
    found = comments.written(snapshot.database, row, snapshot.session)
    is_whole = found.text.is_whole
    hint = event_texts.WHOLE_NOTE_HINT if is_whole else event_texts.COMMENT_HINT
    del_day = italian.with_article(italian.DEL, day, snapshot.today)
    return CommentView(
        title=_title(row, is_whole=is_whole),
        text=found.text.text[: note_grammar.MAX_LENGTH],
        seen=found.digest,
        is_whole=is_whole,
        label=event_texts.WHOLE_NOTE if is_whole else event_texts.COMMENT_LABEL.format(del_day=del_day),
        hint=hint.format(limit=italian.integer(note_grammar.MAX_LENGTH)),
        undo=_undo(found),
    )


def _title(row: Document, *, is_whole: bool) -> str:
    if not is_whole:
        return event_texts.COMMENT
    return event_texts.WHOLE_NOTE if "auto_notes" in row else event_texts.DASHBOARD_NOTE


def _undo(found: comments.Written) -> str:
    if found.previous is None:
        return ""
    text = found.previous.text
    return event_texts.COMMENT_UNDO_WHY.format(text=text[:100]) if text else event_texts.COMMENT_UNDO_EMPTY


def own_note(snapshot: Snapshot, row: Document) -> str:
    """Return the generated note of a row, without what a person wrote."""
    return comments.written(snapshot.database, row, snapshot.session).generated


def author(snapshot: Snapshot, row: Document) -> Tag:
    """Return who wrote the note: a person only if all of it is a person's."""
    found = comments.written(snapshot.database, row, snapshot.session)
    if found.text.is_whole:
        return Tag(texts.BY_HAND, texts.BY_HAND_WHY, "hand")
    return rows.author({**row, "notes": found.generated})
