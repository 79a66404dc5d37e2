"""Long lists a page at a time, newest first, by a moment that every document of the list has."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pymongo.collection import Collection

Document = dict[str, Any]


LAST = datetime.max.replace(tzinfo=UTC)
"""Beyond lie dates that Python does not know."""


class Position(NamedTuple):
    """A place in such a list: `skip` documents of the instant `at` are behind us."""

    at: datetime
    skip: int


def newest(
    collection: Collection[Document],
    order: Sequence[tuple[str, int]],
    query: Mapping[str, Any],
    limit: int,
    behind: Position | None,
    hint: Sequence[tuple[str, int]] | None = None,
) -> list[Document]:
    """The documents that match, by the moment that `order` begins with, going on behind a position."""
    field, given = order[0][0], query.get(order[0][0], {})
    last = LAST if behind is None else behind.at
    found = collection.find({**query, field: {**given, "$lte": last}}).sort(list(order))
    if hint is not None:
        found = found.hint(list(hint))
    return list(found.skip(behind.skip if behind else 0).limit(limit))


def position_after(page: Sequence[Document], field: str, before: Position | None) -> Position:
    """Where the list goes on behind a page that is not empty."""
    at = page[-1][field]
    told = sum(1 for document in page if document[field] == at)
    return Position(at, told + (before.skip if before is not None and before.at == at else 0))
