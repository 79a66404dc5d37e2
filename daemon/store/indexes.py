"""Collections and indexes that the daemon needs, and their creation; existing ones are left alone."""

from collections.abc import Mapping

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure

from daemon.errors import ConfigurationError
from daemon.mongo.client import translated
from daemon.mongo.collections import DELIVERY, EVENTS, GAPS, LEDGER, MIRROR, OWN, ROWS, WRITTEN_ROWS
from daemon.mongo.types import Database, Document
from daemon.store.mirror import sort_names
from rules.model.changes import Source
from rules.model.ledger import MovementKind

NAMESPACE_EXISTS = 48

DUPLICATE_ROWS_HINT = "remove all but one of each: the daemon needs a unique index on date and period_type"

WANTED: dict[str, tuple[IndexModel, ...]] = {
    MIRROR: (IndexModel([("due", ASCENDING)], name="due", sparse=True),),
    LEDGER: (IndexModel([("day", ASCENDING)], name="day"),),
    GAPS: (IndexModel([("closed_at", ASCENDING), ("opened_at", DESCENDING)], name="open"),),
    EVENTS: (
        IndexModel([("event_date", ASCENDING)], name="event_date_1"),
        IndexModel([("event_type", ASCENDING), ("event_date", DESCENDING)], name="event_type_1_event_date_-1"),
    ),
    ROWS: (IndexModel([("date", ASCENDING), ("period_type", ASCENDING)], name="date_1_period_type_1", unique=True),),
}

BY_NAME = IndexModel(
    [("sort_name", ASCENDING), ("_id", ASCENDING)],
    name="customers_by_name",
    partialFilterExpression={"_id.k": Source.CUSTOMERS.value},
)

BY_REGISTRATION = IndexModel(
    [("fields.created_at", DESCENDING), ("_id", ASCENDING)],
    name="customers_by_registration",
    partialFilterExpression={"_id.k": Source.CUSTOMERS.value},
)

RETURNS = IndexModel(
    [("customer_id", ASCENDING), ("kind", ASCENDING)],
    name="returns",
    partialFilterExpression={"kind": MovementKind.REACTIVATION.value},
)

FOR_PAGES: dict[str, tuple[IndexModel, ...]] = {
    MIRROR: (
        IndexModel([("fields.customer_id", ASCENDING)], name="customer", sparse=True),
        BY_NAME,
        BY_REGISTRATION,
    ),
    LEDGER: (IndexModel([("customer_id", ASCENDING)], name="customer"), RETURNS),
    EVENTS: tuple(IndexModel([(name, ASCENDING)], name=f"{name}_1") for name in ("customer_id", "license_id")),
}
"""Indexes that only the pages of customers need: the daemon follows the shop without them.

The dashboard creates those of the events too.
"""

ANNOUNCED_ROWS = IndexModel([("announce", ASCENDING)], name="announce", sparse=True)
"""Finds the rows whose numbers have to be announced; created only if a target is configured."""


def create(database: Database, *, delivers: bool = False) -> None:
    """Create missing collections and indexes; not every server version can create collections in a transaction.

    `delivers`: a target is configured, so that the outbox is needed too.

    Raises ConfigurationError if `historical_analytics` has two rows of one day: only a user knows the right one.
    """
    with translated():
        existing = set(database.list_collection_names())
        for name in (*OWN, *(DELIVERY if delivers else ())):
            if name not in existing:
                _create_collection(database, name)
        for name in WANTED:
            missing_here = missing(database, name)
            if missing_here:
                _create_indexes(database, name, missing_here)
        if delivers:
            _create_indexes(database, WRITTEN_ROWS, [ANNOUNCED_ROWS])


def _create_indexes(database: Database, name: str, models: list[IndexModel]) -> None:
    try:
        database[name].create_indexes(models)
    except DuplicateKeyError:
        raise ConfigurationError(f"{name} has {', '.join(doubled(database))}; {DUPLICATE_ROWS_HINT}") from None


def doubled(database: Database) -> list[str]:
    """Return up to five days and months that have several rows, such as "2 daily rows of 2026-11-01"."""
    counted = {"_id": {"date": "$date", "kind": "$period_type"}, "count": {"$sum": 1}}
    stages: list[Document] = [
        {"$group": counted},
        {"$match": {"count": {"$gt": 1}}},
        {"$sort": {"_id": 1}},
        {"$limit": 5},
    ]
    with translated():
        found = list(database[ROWS].aggregate(stages))
    return [f"{one['count']} {one['_id'].get('kind')} rows of {one['_id'].get('date')!s:.10}" for one in found]


def _create_collection(database: Database, name: str) -> None:
    """Create a collection, unless a daemon that starts at the same time was faster."""
    try:
        database.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


def create_for_pages(database: Database) -> None:
    """Create the indexes of the pages of customers; for an old ledger this takes minutes."""
    with translated():
        for name in FOR_PAGES:
            if models := missing(database, name, FOR_PAGES):
                if BY_NAME in models:
                    sort_names.fill(database)
                database[name].create_indexes(models)


def missing(
    database: Database, name: str, wanted: Mapping[str, tuple[IndexModel, ...]] | None = None
) -> list[IndexModel]:
    """Return the wanted indexes (default: `WANTED`) of a collection that has no index with the same keys."""
    with translated():
        present = {tuple(index["key"].items()) for index in database[name].list_indexes()}
    return [index for index in (wanted or WANTED)[name] if tuple(index.document["key"].items()) not in present]
