"""Rows of the table as the page shows them: one per day or month, with the note split into facts and its author.

The dashboard writes rows too, so a field may hold anything: invalid numbers show as a dash, invalid notes as empty.
"""

from datetime import date, datetime
from typing import NamedTuple

from daemon.mongo.types import ReadOnlyDocument
from daemon.web.page import texts
from daemon.web.page.snapshot import Snapshot
from rules.rows import amendment, note_grammar, periods
from rules.settings import italian
from rules.settings.catalog import SEPARATOR
from rules.text import one_line

MAX_FACTS = 200


class Tag(NamedTuple):
    """A label beside a note; `why` is its tooltip, `kind` its CSS class."""

    text: str
    why: str
    kind: str


class TableRow(NamedTuple):
    """One row; `when` names its day or month in addresses."""

    id: str
    when: str
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


def daily(document: ReadOnlyDocument, snapshot: Snapshot | None = None) -> TableRow:
    """Return a row; today's has the totals of the snapshot, because the stored one is up to a minute old."""
    day = _date(document)
    when = str(day) if day and (snapshot is None or _is_explained(day, snapshot)) else ""
    if snapshot is not None and snapshot.current is not None and day == snapshot.today:
        document, when = with_totals(document, snapshot), texts.NOW
    return _row(document, day, when, texts.weekday(day)[:3])


def with_totals(document: ReadOnlyDocument, snapshot: Snapshot) -> ReadOnlyDocument:
    """Return a row; today's with the totals of the snapshot."""
    if snapshot.current is None or _date(document) != snapshot.today:
        return document
    totals = snapshot.current.totals
    numbers = {"total_customers": totals.customers, "paying_customers": totals.paying_customers}
    return {**document, **numbers, "mrr": totals.mrr_cents / 100}


def _is_explained(day: date, snapshot: Snapshot) -> bool:
    """Return whether the ledger has the numbers of a day."""
    current = snapshot.current
    return current is not None and current.first_day is not None and current.first_day <= day


def monthly(document: ReadOnlyDocument, snapshot: Snapshot) -> TableRow:
    day = _date(document)
    is_explained = day is not None and _is_explained(periods.month(day).last, snapshot)
    row = _row(document, None, f"{day:%Y-%m}" if is_explained else "", "")
    return row._replace(date=texts.month(day))


def _row(document: ReadOnlyDocument, day: date | None, when: str, weekday: str) -> TableRow:
    return TableRow(
        id=f"d{day.isoformat()}" if day else "",
        when=when,
        day=day,
        date=texts.day(day),
        weekday=weekday,
        customers=italian.integer(document.get("total_customers")),
        paying=italian.integer(document.get("paying_customers")),
        mrr=italian.euro(document.get("mrr")),
        facts=facts(document.get("notes")),
        tags=tags(document),
        author=author(document),
        is_running=document.get("final") is False,
    )


def _date(document: ReadOnlyDocument) -> date | None:
    found = document.get("date")
    return found.date() if isinstance(found, datetime) else None


def facts(note: object) -> list[str]:
    """Split a note into its facts: each one line without invisible characters, with amounts in the readers' form."""
    text = note[: note_grammar.MAX_LENGTH] if isinstance(note, str) else ""
    parts = [
        one_line(part, note_grammar.MAX_LENGTH) for line in text.splitlines() for part in line.split(SEPARATOR.strip())
    ]
    return [_keep_emoji_with_text(italian.with_readers_euros(part)) for part in parts if part][:MAX_FACTS]


def _keep_emoji_with_text(fact: str) -> str:
    """Join the emoji and the next word by a no-break space."""
    return fact if fact[0].isalnum() else fact.replace(" ", italian.NBSP, 1)


def tags(document: ReadOnlyDocument) -> list[Tag]:
    """Return labels for rows that are still open, reconstructed, or revised."""
    found = []
    if document.get("final") is False:
        found.append(Tag(texts.RUNNING, "", "running"))
    if document.get("reconstructed"):
        found.append(Tag(texts.RECONSTRUCTED, texts.RECONSTRUCTED_WHY, "reconstructed"))
    return found + revised(document)


def revised(document: ReadOnlyDocument) -> list[Tag]:
    """Return the label of an amended row."""
    if not isinstance(document.get("revision"), int) or document["revision"] < 1:
        return []
    why = texts.REVISED_NOTE_WHY if amendment.is_of_the_note_only(document) else texts.REVISED_WHY
    return [Tag(texts.REVISED, why, "revised")]


def author(document: ReadOnlyDocument) -> Tag:
    """Return the author of the note, without a comment after it: the daemon, a person, or the dashboard."""
    if "auto_notes" not in document:
        return Tag(texts.BY_DASHBOARD, texts.BY_DASHBOARD_WHY, "dashboard")
    if note_grammar.personal_text(document.get("notes"), [document["auto_notes"]]).is_whole:
        return Tag(texts.BY_HAND, texts.BY_HAND_WHY, "hand")
    return Tag(texts.AUTO, texts.AUTO_WHY, "auto")
