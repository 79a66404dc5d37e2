"""The only reads of the dashboard's collections: with the simple collation, whatever the collection's own.

A collection may have a collation in which "cust_A" equals "cust_a" and "cust_10" follows "cust_9". The mirror and the
change stream compare ids exactly, so these reads do too. An index of such a collection cannot serve an exact comparison
of texts: the server scans, and sorts in memory or on disk (100,000 documents: 0.25 s and 8 MB; one by id: 0.06 s).
"""

from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collation import Collation
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor

from daemon.mongo.client import BATCH_SIZE
from daemon.mongo.types import Database, Document, ReadOnlyDocument, Timestamp

SIMPLE = Collation("simple")


def find(
    database: Database,
    collection: str,
    query: ReadOnlyDocument,
    fields: ReadOnlyDocument | None = None,
    session: ClientSession | None = None,
) -> Cursor[Document]:
    return database[collection].find(
        query, fields, session=session, batch_size=BATCH_SIZE, collation=SIMPLE, allow_disk_use=True
    )


def aggregate(
    database: Database, collection: str, stages: list[Document], session: ClientSession | None = None
) -> CommandCursor[Document]:
    return database[collection].aggregate(stages, session=session, collation=SIMPLE, allowDiskUse=True)


def aggregate_at(database: Database, collection: str, stages: list[Document], time: Timestamp) -> list[Document]:
    """Run stages at a cluster time. The result has to fit into one batch."""
    reply: dict[str, Any] = database.command(
        "aggregate",
        collection,
        pipeline=stages,
        cursor={"batchSize": 10_000},
        allowDiskUse=True,
        collation=SIMPLE.document,
        readConcern={"level": "snapshot", "atClusterTime": time},
    )
    found: list[Document] = reply["cursor"]["firstBatch"]
    return found
