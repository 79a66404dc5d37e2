"""Long lists a page at a time, newest first, by a moment that every document of the list has."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bson.datetime_ms import DatetimeMS
from pymongo.collection import Collection

from daemon.mongo.types import Document

LAST = datetime.max.replace(tzinfo=UTC)
"""Beyond lie dates that Python does not know."""
FEW = 10_000
"""Never more documents than these are looked at for one page by the index of a field."""
DEARER = 4
"""As dear as so many documents in the order they were written is one that lies anywhere (measured: 4 and 1 µs)."""


class PageCursor(NamedTuple):
    """A place in such a list: `skip` documents of the instant `at` are behind us."""

    at: datetime
    skip: int


def newest(
    collection: Collection[Document],
    order: Sequence[tuple[str, int]],
    query: Mapping[str, Any],
    limit: int,
    behind: PageCursor | None,
    hint: Sequence[tuple[str, int]] | None = None,
) -> list[Document]:
    """The documents that match, by the moment that `order` begins with, going on behind a position."""
    found = collection.find(_up_to(order[0][0], query, behind)).sort(list(order))
    if hint is not None:
        found = found.hint(list(hint))
    return list(found.skip(behind.skip if behind else 0).limit(limit))


def _up_to(field: str, query: Mapping[str, Any], behind: PageCursor | None) -> Document:
    """The query bounded by where the list goes on.

    Dates are whole milliseconds: below the next one is the same as up to this one, but never makes bounds that meet in
    one instant, of which the server would forget the order.
    """
    last: Document = {"$lte": LAST} if behind is None else {"$lt": DatetimeMS(int(DatetimeMS(behind.at)) + 1)}
    return {**query, field: {**query.get(field, {}), **last}}


def newest_among(
    collection: Collection[Document],
    fields: tuple[str, str],
    query: Mapping[str, Any],
    limit: int,
    behind: PageCursor | None,
) -> list[Document]:
    """The same for documents that match by a second field; each of the two `fields`, the moment first, has an index.

    A walk back by the moment soon has met enough of what is frequent, but passes over everything else for what is rare:
    that is looked up by the other index, where it is so rare that this costs less. Either way documents of one instant
    come in the order of the moment's index, the newest record first: pages fit whichever way each of them was found.
    Raises OperationFailure where one of the indexes is not there.
    """
    moment, field = fields
    wanted = _up_to(moment, query, behind)
    count = limit + (behind.skip if behind else 0)
    most = min(FEW, math.isqrt(count * collection.estimated_document_count() // DEARER))
    few = _count(collection, field, wanted, most)
    if few > most or _count(collection, moment, wanted, few) <= few:
        return newest(collection, [(moment, -1)], query, limit, behind, hint=[(moment, 1)])
    return _looked_up(collection, fields, wanted, count)[count - limit :]


def _count(collection: Collection[Document], field: str, query: Document, most: int) -> int:
    """How many documents match by one field alone, or one more than `most`; counted in its index."""
    return collection.count_documents({field: query[field]}, limit=most + 1, hint=[(field, 1)])


def _looked_up(
    collection: Collection[Document], fields: tuple[str, str], query: Document, count: int
) -> list[Document]:
    """The newest `count` of the few that match by the second field, of one instant the newest record first.

    The server sorts by the moment only: which of the last instant it leaves out is nobody's promise, so all are read.
    """
    moment, field = fields
    ordered = collection.find(query, show_record_id=True).hint([(field, 1)]).sort(moment, -1)
    found = list(ordered.limit(count + 1))
    if len(found) > count and (last := found[count][moment]) == found[count - 1][moment]:
        together = collection.find({**query, moment: last}, show_record_id=True).hint([(moment, 1)])
        found = [*(document for document in found if document[moment] != last), *together]
    found.sort(key=lambda document: (document[moment], document.pop("$recordId")), reverse=True)
    return found[:count]


def position_after(page: Sequence[Document], field: str, before: PageCursor | None) -> PageCursor:
    """Where the list goes on behind a page that is not empty."""
    at = page[-1][field]
    told = sum(1 for document in page if document[field] == at)
    return PageCursor(at, told + (before.skip if before is not None and before.at == at else 0))
