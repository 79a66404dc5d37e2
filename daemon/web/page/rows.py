"""The table as the page shows it: one row a day (or a month), its note taken apart into facts, and who wrote it.

Others write rows too, and a note may be anything: what is no number shows as a dash, what is no text as nothing.
"""

import hashlib
from datetime import date, datetime
from typing import NamedTuple

from daemon.mongo.types import ReadOnlyDocument
from daemon.web.page import texts
from rules.settings.catalog import SEPARATOR
from rules.text import one_line

LONGEST_NOTE = 5000
"""Characters of a note that are shown, and that may be written here."""
MOST_FACTS = 200


class Tag(NamedTuple):
    """A small word beside a note, with what it means; `kind` is for the style sheet."""

    text: str
    why: str
    kind: str


class Row(NamedTuple):
    id: str
    day: date | None
    date: str
    weekday: str
    customers: str
    paying: str
    mrr: str
    facts: list[str]
    tags: list[Tag]
    author: Tag
    is_running: bool


def daily(document: ReadOnlyDocument) -> Row:
    day = _date(document)
    return _row(document, day, texts.day(day), texts.weekday(day)[:3])


def monthly(document: ReadOnlyDocument) -> Row:
    day = _date(document)
    return _row(document, None, texts.month(day), "")


def _row(document: ReadOnlyDocument, day: date | None, written: str, weekday: str) -> Row:
    return Row(
        id=f"d{day.isoformat()}" if day else "",
        day=day,
        date=written,
        weekday=weekday,
        customers=texts.integer(document.get("total_customers")),
        paying=texts.integer(document.get("paying_customers")),
        mrr=texts.euro(document.get("mrr")),
        facts=facts(document.get("notes")),
        tags=tags(document),
        author=author(document),
        is_running=document.get("final") is False,
    )


def _date(document: ReadOnlyDocument) -> date | None:
    found = document.get("date")
    return found.date() if isinstance(found, datetime) else None


def facts(note: object) -> list[str]:
    """A note as the single facts it tells, each one harmless line."""
    text = note[:LONGEST_NOTE] if isinstance(note, str) else ""
    parts = [one_line(part, LONGEST_NOTE) for line in text.splitlines() for part in line.split(SEPARATOR.strip())]
    return [_held_together(part) for part in parts if part][:MOST_FACTS]


def _held_together(fact: str) -> str:
    """A fact whose emoji never stands alone at the end of a line."""
    return fact if fact[0].isalnum() else fact.replace(" ", texts.NBSP, 1)


def tags(document: ReadOnlyDocument) -> list[Tag]:
    """What kind of row it is, where it is not a measured and closed one."""
    found = []
    if document.get("final") is False:
        found.append(Tag(texts.RUNNING, "", "running"))
    if document.get("reconstructed"):
        found.append(Tag(texts.RECONSTRUCTED, texts.RECONSTRUCTED_WHY, "reconstructed"))
    if isinstance(document.get("revision"), int) and document["revision"] > 0:
        found.append(Tag(texts.REVISED, texts.REVISED_WHY, "revised"))
    return found


def author(document: ReadOnlyDocument) -> Tag:
    """Who wrote the note: we, a person, or the dashboard before us."""
    if "auto_notes" not in document:
        return Tag(texts.BY_OTHERS, texts.BY_OTHERS_WHY, "others")
    if document.get("notes") in (None, "", document["auto_notes"]):
        return Tag(texts.AUTO, texts.AUTO_WHY, "auto")
    return Tag(texts.BY_HAND, texts.BY_HAND_WHY, "hand")


def mark(document: ReadOnlyDocument) -> str:
    """Tells one state of a note from another, so that nobody overwrites what they have not seen."""
    return hashlib.sha256(str(document.get("notes")).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_ours(document: ReadOnlyDocument) -> bool:
    return document.get("notes") in (None, "") or document.get("notes") == document.get("auto_notes")


def writable(text: str) -> str:
    """A person's note as it is stored: lines kept, ends trimmed, nothing invisible."""
    lines = (one_line(line, LONGEST_NOTE + 1) for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(lines).strip()
