"""Pagination of long lists, newest first, by a date field that every document of the list has."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bson.datetime_ms import DatetimeMS
from pymongo.collection import Collection

from daemon.mongo.types import Document

LAST_DATE = datetime.max.replace(tzinfo=UTC)
"""Later dates cannot be represented in Python."""
MAX_LOOKUPS = 10_000
"""Maximum number of documents fetched for one page by the index of the second field."""
LOOKUP_COST = 4
"""Cost of fetching a document at a random position, relative to one in date order (measured: 4 µs and 1 µs)."""


class PageCursor(NamedTuple):
    """A position in a list: after `skip` documents dated `at`."""

    at: datetime
    skip: int


def newest(
    collection: Collection[Document],
    order: Sequence[tuple[str, int]],
    query: Mapping[str, Any],
    limit: int,
    cursor: PageCursor | None,
    hint: Sequence[tuple[str, int]] | None = None,
) -> list[Document]:
    """Return at most `limit` matching documents after a cursor; the first field of `order` is the date field."""
    found = collection.find(_up_to(order[0][0], query, cursor)).sort(list(order))
    if hint is not None:
        found = found.hint(list(hint))
    return list(found.skip(cursor.skip if cursor else 0).limit(limit))


def _up_to(field: str, query: Mapping[str, Any], cursor: PageCursor | None) -> Document:
    """Restrict the query to dates up to the cursor.

    The upper bound is exclusive and a millisecond later, which is equivalent for BSON dates: with bounds that enclose
    one single instant, the server would not keep the order.
    """
    last: Document = {"$lte": LAST_DATE} if cursor is None else {"$lt": DatetimeMS(int(DatetimeMS(cursor.at)) + 1)}
    return {**query, field: {**query.get(field, {}), **last}}


def newest_among(
    collection: Collection[Document],
    fields: tuple[str, str],
    query: Mapping[str, Any],
    limit: int,
    cursor: PageCursor | None,
) -> list[Document]:
    """Like `newest`, for a query by a second field; both `fields` (date field first) need an index.

    Scanning the date index backward is fast for frequent values but skips many documents for rare ones. Rare values are
    fetched by the index of the second field if that is cheaper. Both ways return documents of one instant in the order
    of the date index (newest record first), so pages fit together whichever way each was read.
    Raises OperationFailure if one of the indexes is missing.
    """
    date_field, field = fields
    wanted = _up_to(date_field, query, cursor)
    count = limit + (cursor.skip if cursor else 0)
    most = min(MAX_LOOKUPS, math.isqrt(count * collection.estimated_document_count() // LOOKUP_COST))
    few = _count(collection, field, wanted, most)
    if few > most or _count(collection, date_field, wanted, few) <= few:
        return newest(collection, [(date_field, -1)], query, limit, cursor, hint=[(date_field, 1)])
    return _by_second_field(collection, fields, wanted, count)[count - limit :]


def _count(collection: Collection[Document], field: str, query: Document, most: int) -> int:
    """Count, in its index, the documents that match by one field alone, up to `most` + 1."""
    return collection.count_documents({field: query[field]}, limit=most + 1, hint=[(field, 1)])


def _by_second_field(
    collection: Collection[Document], fields: tuple[str, str], query: Document, count: int
) -> list[Document]:
    """Return the newest `count` of the few that match by the second field; of one instant the newest record first.

    The server sorts only by date, so it may leave out any documents of the last instant: all of these are read.
    """
    date_field, field = fields
    ordered = collection.find(query, show_record_id=True).hint([(field, 1)]).sort(date_field, -1)
    found = list(ordered.limit(count + 1))
    if len(found) > count and (last := found[count][date_field]) == found[count - 1][date_field]:
        together = collection.find({**query, date_field: last}, show_record_id=True).hint([(date_field, 1)])
        found = [*(document for document in found if document[date_field] != last), *together]
    found.sort(key=lambda document: (document[date_field], document.pop("$recordId")), reverse=True)
    return found[:count]


def cursor_after(page: Sequence[Document], field: str, before: PageCursor | None) -> PageCursor:
    """Return the cursor after a page that is not empty; `before` is the cursor it was read with."""
    at = page[-1][field]
    shown = sum(1 for document in page if document[field] == at)
    return PageCursor(at, shown + (before.skip if before is not None and before.at == at else 0))
