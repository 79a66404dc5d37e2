"""Pagination of long lists, newest first, by a date field that every document of the list has."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bson.datetime_ms import DatetimeMS
from pymongo.collection import Collection

from daemon.mongo.types import ClientSession, Document

LAST_DATE = datetime.max.replace(tzinfo=UTC)
"""Later dates cannot be represented in Python."""


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
    session: ClientSession | None = None,
) -> list[Document]:
    """Return at most `limit` matching documents after a cursor; the first field of `order` is the date field."""
    found = collection.find(up_to(order[0][0], query, cursor), session=session).sort(list(order))
    return list(found.skip(cursor.skip if cursor else 0).limit(limit))


def up_to(field: str, query: Mapping[str, Any], cursor: PageCursor | None) -> Document:
    """Restrict the query to dates up to the cursor.

    The upper bound is exclusive and a millisecond later, which is equivalent for BSON dates: with bounds that enclose
    one single instant, the server would not keep the order.
    """
    last: Document = {"$lte": LAST_DATE} if cursor is None else {"$lt": DatetimeMS(int(DatetimeMS(cursor.at)) + 1)}
    return {**query, field: {**query.get(field, {}), **last}}


def newest_among(
    collection: Collection[Document],
    index: Sequence[tuple[str, int]],
    query: Mapping[str, Any],
    limit: int,
    cursor: PageCursor | None,
) -> list[Document]:
    """Like `newest`, for a query by a second field: `index` begins with it and ends with the date field.

    Documents of one instant are in the order of the date index (newest record first), so pages of both fit together.
    The server sorts only by date, so it may leave out any documents of the last instant: all of these are read.
    Raises OperationFailure if the index is missing.
    """
    (_, (date_field, _)), wanted = index, up_to(index[-1][0], query, cursor)
    count = limit + (cursor.skip if cursor else 0)
    ordered = collection.find(wanted, show_record_id=True).hint(list(index)).sort(date_field, -1)
    found = list(ordered.limit(count + 1))
    if len(found) > count and (last := found[count][date_field]) == found[count - 1][date_field]:
        together = collection.find({**wanted, date_field: last}, show_record_id=True).hint(list(index))
        found = [*(document for document in found if document[date_field] != last), *together]
    found.sort(key=lambda document: (document[date_field], document.pop("$recordId")), reverse=True)
    return found[count - limit : count]


def cursor_after(page: Sequence[Document], field: str, before: PageCursor | None) -> PageCursor:
    """Return the cursor after a page that is not empty; `before` is the cursor it was read with."""
    at = page[-1][field]
    shown = sum(1 for document in page if document[field] == at)
    return PageCursor(at, shown + (before.skip if before is not None and before.at == at else 0))
