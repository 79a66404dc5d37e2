"""Rows of `historical_analytics`: reading, compare-and-set writes beside the dashboard, editing of notes.

A row is replaced only if it is unchanged since `rules.rows.amendment` decided on it, so no concurrent write is lost.
The dashboard and people write to the collection too: readers pass on every field value unchanged.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from daemon.errors import Unavailable
from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import ROWS, WRITTEN_ROWS
from daemon.mongo.types import Database, Document
from daemon.store import row_copies
from daemon.store.row_copies import differ
from rules import business_days
from rules.rows import amendment
from rules.rows.amendment import Amendment, FieldDifference
from rules.rows.note_grammar import COMMENT_MARK, PersonalText
from rules.rows.periods import Period, PeriodKind
from rules.rows.row import NUMBERS

MAX_ATTEMPTS = 100
PROJECTION = dict.fromkeys(
    (
        *("date", *NUMBERS, "notes", "auto_notes"),
        *("final", "revision", "first_reported", "reconstructed", "updated_at"),
    ),
    1,
)
FIRST_DATE, LAST_DATE = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""Bounds of an open range. PyMongo does not return dates beyond them as `datetime`, so such rows are left out."""


class NoteOutcome(Enum):
    """Result of editing a note; KEPT: a text that has no generated note to give way to."""

    WRITTEN = "written"
    KEPT = "kept"
    NO_ROW = "no_row"
    CHANGED_SINCE = "changed_since"


# -- reading ------------------------------------------------------------------------------------------------


def final_days(database: Database, first: date, last: date, kind: PeriodKind = PeriodKind.DAILY) -> set[date]:
    """Return the dates from `first` to `last` (both included) whose row of that kind is final."""
    query = {**between(kind.value, first, last), "final": True}
    with translated():
        return {row["date"].date() for row in database[ROWS].find(query, {"date": 1})}


def read(database: Database, first: date, last: date, kind: PeriodKind = PeriodKind.DAILY) -> list[Document]:
    """Return the rows from `first` to `last`, oldest first."""
    with translated():
        return list(database[ROWS].find(between(kind.value, first, last)).sort("date", 1))


def newest(database: Database, kind: PeriodKind, first: date, last: date, limit: int) -> list[Document]:
    """Return at most `limit` rows of one kind from `first` to `last`, newest first."""
    with translated():
        return list(database[ROWS].find(between(kind.value, first, last)).sort("date", -1).limit(limit))


def page(
    database: Database,
    period_type: str,
    first: date | None,
    part: tuple[int, int],
    session: ClientSession | None = None,
) -> list[Document]:
    """Return rows (fields of `PROJECTION`) of one period type since `first` (None: all), newest first.

    `part` is the number of rows to skip and the maximum number to return.
    """
    skip, limit = part
    with translated():
        found = database[ROWS].find(between(period_type, first), PROJECTION, session=session)
        return list(found.sort("date", -1).skip(skip).limit(limit))


def each(database: Database, kind: PeriodKind, first: date | None) -> Iterator[Document]:
    """Yield the rows (fields of `PROJECTION`) of one kind since `first` (None: all), newest first."""
    with translated():
        yield from database[ROWS].find(between(kind.value, first), PROJECTION, batch_size=BATCH_SIZE).sort("date", -1)


def count(database: Database, period_type: str, first: date | None, session: ClientSession | None = None) -> int:
    with translated():
        return database[ROWS].count_documents(between(period_type, first), session=session)


def get(database: Database, period: Period, session: ClientSession | None = None) -> Document | None:
    """Return the whole stored row of a period."""
    return _find(database, _key_of(period), session)


def daily_row(database: Database, day: date, session: ClientSession | None = None) -> Document | None:
    """Return the daily row of one day, with the fields of `PROJECTION`."""
    with translated():
        return database[ROWS].find_one(_daily_key(day), PROJECTION, session=session)


def daily_numbers(
    database: Database, first: date | None, last: date, session: ClientSession | None = None
) -> list[Document]:
    """Return the numbers that charts show, of the daily rows from `first` to `last`, oldest first."""
    numbers = ("mrr", "total_customers", "paying_customers", "active_licenses")
    wanted = {"_id": 0, **dict.fromkeys(("date", *numbers, "reconstructed"), 1)}
    with translated():
        return list(database[ROWS].find(between("daily", first, last), wanted, session=session).sort("date", 1))


def newest_final(database: Database) -> Document | None:
    """Return `date` and `updated_at` of the newest final daily row."""
    with translated():
        query = {**between("daily"), "final": True}
        return database[ROWS].find_one(query, {"date": 1, "updated_at": 1}, sort=[("date", -1)])


def last_written(database: Database, period: Period, session: ClientSession | None = None) -> Document | None:
    """Return the row of a period as the daemon last wrote it."""
    return row_copies.find(database, _key_of(period), session)


def was_changed(database: Database, period: Period) -> bool:
    """Return whether another writer replaced the daemon's row or changed its note."""
    stored, own = _find(database, _key_of(period)), last_written(database, period)
    if stored is None or not amendment.is_own(stored):
        return stored is not None
    note = amendment.current_text(stored, own).with_note(stored.get("auto_notes"))
    return own is None or _differ_in_note({"notes": note}, stored) or _differ_in_note(stored, own)


# -- writing ------------------------------------------------------------------------------------------------


def write(
    database: Database, computed: Mapping[str, Any], *, final: bool, now: datetime, announces: bool = False
) -> Amendment:
    """Insert or amend one row; a row in which only `updated_at` would change is not written.

    `announces`: targets are configured, so that new final numbers have to be delivered.

    The daemon's copy is compared and written first: after a crash in between, the row is still missing or reopened.
    Raises Unavailable after `MAX_ATTEMPTS` lost races with another writer.
    """
    key = _key(computed["date"], computed["period_type"])
    with translated():
        for _ in range(MAX_ATTEMPTS):
            stored = _find(database, key)
            known = row_copies.find(database, key)
            result = amendment.amend(computed, stored, known, final=final, now=now)
            is_current = stored is not None and row_copies.same(stored, result.row)
            copy = _copy(stored if stored is not None and is_current else result.row, result.comment)
            row_copies.remember(database, key, known, copy, announces=announces)
            if is_current:
                return result._replace(written=False)
            if _replace(database, key, stored, result.row):
                return result
    raise Unavailable(
        f"the row of {computed['date']:%Y-%m-%d} changed during each of {MAX_ATTEMPTS} attempts to write it; "
        "another process keeps writing it, the daemon retries later"
    )


def _replace(database: Database, key: Document, stored: Document | None, row: Document) -> bool:
    """Store the row if the one it was computed from is unchanged; return whether it was stored."""
    if stored is None:
        try:
            database[ROWS].insert_one(dict(row))
        except DuplicateKeyError:
            return False
        return True
    guard = {
        name: {"$eq": stored[name]} if name in stored else {"$exists": False}
        for name in ("notes", "updated_at", "revision")
    }
    changed = {name: row[name] for name in row if name not in stored or differ(stored, row, name)}
    return database[ROWS].update_one({"_id": stored["_id"], **key, **guard}, {"$set": changed}).matched_count == 1


def _copy(row: Document, comment: str) -> Document:
    """Return the daemon's copy of a row, with what a person added to its note."""
    copy = {name: value for name, value in row.items() if name != "_id"}
    return {**copy, "comment": comment} if comment else copy


def restore_notes(database: Database, first: date, now: datetime) -> list[datetime]:
    """Restore the generated notes of final rows since `first` that another writer emptied or replaced.

    A person's text is kept. Neither the numbers nor the revision of a row change. Return the dates of the rows.
    """
    with translated():
        changed = [row for kind in PeriodKind for row in database[ROWS].find(_changed_notes(kind, first))]
        return [row["date"] for row in changed if _restore_note(database, row, now)]


def _changed_notes(kind: PeriodKind, first: date) -> Document:
    """Return the query of final rows whose note is not the generated one; a reconstructed row's only if it is empty."""
    rows = [{"final": True, "revision": {"$exists": True}}, {"reconstructed": True, "notes": {"$in": [None, ""]}}]
    return {**between(kind.value, first), "$expr": {"$ne": ["$notes", "$auto_notes"]}, "$or": rows}


def _restore_note(database: Database, stored: Document, now: datetime) -> bool:
    """Write the note that a row should have, and the same note into the daemon's copy; return whether it differed."""
    key = _key(stored["date"], stored["period_type"])
    own = row_copies.find(database, key)
    text = amendment.current_text(stored, own)
    note = text.with_note(stored.get("auto_notes"))
    if own is not None and _differ_in_note({"notes": note}, own):
        database[WRITTEN_ROWS].update_one({"_id": key}, {"$set": {"notes": note, "comment": text.comment}})
    if not _differ_in_note({"notes": note}, stored):
        return False
    guard = {"notes": {"$eq": stored["notes"]} if "notes" in stored else {"$exists": False}}
    change = {"$set": {"notes": note, "updated_at": now}}
    return database[ROWS].update_one({"_id": stored["_id"], **guard}, change).matched_count == 1


def set_note(database: Database, day: date, text: str | PersonalText, seen: object, now: datetime) -> NoteOutcome:
    """Replace the note of a daily row if it still equals `seen`, is empty, or was generated by the daemon.

    A string is the whole note; an empty `text` restores the generated note, and changes nothing in a row that has none.
    """
    still = {"$or": [{"notes": seen}, {"notes": {"$in": [None, ""]}}, {"$expr": {"$eq": ["$notes", "$auto_notes"]}}]}
    chosen, key = _chosen_note(text), _daily_key(day)
    with translated():
        written = database[ROWS].update_one({**key, **still}, [{"$set": {"notes": chosen, "updated_at": now}}])
        if written.matched_count:
            return NoteOutcome.WRITTEN
        return NoteOutcome.CHANGED_SINCE if database[ROWS].find_one(key, {"_id": 1}) else NoteOutcome.NO_ROW


def _chosen_note(text: str | PersonalText) -> Any:
    """Return the aggregation expression of a note, with the generated note as the row has it at that moment."""
    generated = {"$ifNull": ["$auto_notes", "$notes", ""]}
    if not isinstance(text, PersonalText):
        text = PersonalText(text, is_whole=True)
    if not text.text:
        return generated
    literal = {"$literal": text.text}
    return literal if text.is_whole else {"$concat": [generated, {"$literal": COMMENT_MARK}, literal]}


# -- comparing ----------------------------------------------------------------------------------------------


def differences(stored: Mapping[str, Any], computed: Mapping[str, Any]) -> Iterator[FieldDifference]:
    """Yield the computed fields whose stored BSON differs."""
    for name in computed:
        if name not in stored:
            yield FieldDifference(name, None, computed[name])
        elif differ(stored, computed, name):
            found = list(amendment.differences(stored, computed, (name,)))
            yield from found or [FieldDifference(name, stored[name], computed[name])]


def _differ_in_note(left: Document, right: Document) -> bool:
    """Return whether the notes of two rows differ, or only one row has a note."""
    return ("notes" in left) != ("notes" in right) or ("notes" in left and differ(left, right, "notes"))


# -- queries ------------------------------------------------------------------------------------------------


def _find(database: Database, key: Document, session: ClientSession | None = None) -> Document | None:
    with translated():
        return database[ROWS].find_one(key, session=session)


def _key(at: datetime, period_type: str) -> Document:
    """Return the unique key of a row; `at` is the period's first day at midnight UTC."""
    return {"date": at, "period_type": period_type}


def _key_of(period: Period) -> Document:
    return _key(business_days.stored(period.first), period.kind.value)


def _daily_key(day: date) -> Document:
    return _key(business_days.stored(day), PeriodKind.DAILY.value)


def between(period_type: str, first: date | None = None, last: date | None = None) -> Document:
    """Return the query of the rows of one period type from `first` to `last` (None: unbounded)."""
    lowest = business_days.stored(first) if first else FIRST_DATE
    highest = business_days.stored(last) if last else LAST_DATE
    return {"period_type": period_type, "date": {"$gte": lowest, "$lte": highest}}
