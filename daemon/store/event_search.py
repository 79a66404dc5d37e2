"""Search for events by words: newest first, a bounded number of events at a time, because no index supports it."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal
from unicodedata import normalize

from daemon.mongo import pagination
from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS
from daemon.mongo.pagination import PageCursor
from daemon.mongo.types import Database, Document
from daemon.store.events import ORDER, EventFilter

SEARCHED = 50_000
"""Events whose text one search reads; the next one continues after them."""


def search(
    database: Database,
    filters: EventFilter,
    words: str,
    cursor: PageCursor | None = None,
    until: datetime | None = None,
) -> Iterator[Document]:
    """Yield the events whose text contains words in any case, newest first, after `cursor` and not before `until`."""
    query = _after(filters, cursor, until)
    query["description"] = {"$in": [_containing(words, form) for form in ("NFC", "NFD")]}
    with translated():
        found = database[EVENTS].find(query).sort(list(ORDER))
        yield from found.skip(cursor.skip if cursor else 0)


def searched_until(database: Database, filters: EventFilter, cursor: PageCursor | None) -> datetime | None:
    """Return the date of the last event that one search after `cursor` reads; None if it reads all."""
    with translated():
        found = database[EVENTS].find(_after(filters, cursor), {"event_date": 1, "_id": 0}).sort(list(ORDER))
        last = next(iter(found.skip(SEARCHED + (cursor.skip if cursor else 0)).limit(1)), None)
    return last["event_date"] if last else None


def _after(filters: EventFilter, cursor: PageCursor | None, until: datetime | None = None) -> Document:
    query = pagination.up_to("event_date", filters.query(), cursor)
    return query if until is None else {**query, "event_date": {**query["event_date"], "$gte": until}}


def _containing(words: str, form: Literal["NFC", "NFD"]) -> re.Pattern[str]:
    return re.compile(re.escape(normalize(form, words)), re.IGNORECASE)
