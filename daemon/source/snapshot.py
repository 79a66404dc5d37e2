"""Reads a source collection whole, in `_id` order, at one snapshot, and walks the mirror beside it.

The walk holds one document of each side at a time: memory does not grow with the collections.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from bson import Binary, Decimal128, MaxKey, MinKey, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession

from daemon.errors import Unavailable
from daemon.mongo.client import BATCH, translated
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.types import Database
from daemon.source.decode import Decoder, is_name
from rules.model import documents
from rules.model.changes import DocId, Fields, Source

MOST_PASSED_OVER = 1000


class Difference(NamedTuple):
    """A document whose tracked fields differ between source and mirror; None where it is missing there."""

    source: Source
    id: DocId
    found: Fields | None
    mirrored: Fields | None


def snapshot_time(database: Database, session: ClientSession) -> Timestamp:
    """The cluster time a snapshot session reads at. Must be its first read; the checkpoint collection must exist."""
    with translated():
        reply = database.command("find", CHECKPOINT, limit=1, singleBatch=True, session=session)
    time: Timestamp | None = reply["cursor"].get("atClusterTime")
    if time is None:
        raise Unavailable(f"the collection {CHECKPOINT} does not exist yet: start the daemon once")
    return time


def read(
    database: Database,
    source: Source,
    decoder: Decoder,
    session: ClientSession | None,
    passed_over: list[Any] | None = None,
) -> Iterator[tuple[DocId, Fields]]:
    """Every document's id and decoded fields in `_id` order; ids that are no plain value are passed over.

    The first of those are added to `passed_over`.
    """
    wanted = dict.fromkeys((*documents.TRACKED[source], *documents.CARRIED[source]), 1)
    with translated():
        for raw in database[source.value].find({}, wanted, session=session, batch_size=BATCH).sort("_id", 1):
            if is_name(raw["_id"]):
                yield raw["_id"], decoder.document(source, raw)
            elif passed_over is not None and len(passed_over) < MOST_PASSED_OVER:
                passed_over.append(raw["_id"])


def read_one(database: Database, source: Source, doc_id: DocId, decoder: Decoder) -> Fields | None:
    """One document's decoded fields; None where it is not there."""
    with translated():
        raw = database[source.value].find_one({"_id": doc_id})
    return None if raw is None else decoder.document(source, raw)


def differences(
    source: Source, found: Iterator[tuple[DocId, Fields]], mirrored: Iterator[tuple[DocId, Fields]]
) -> Iterator[Difference]:
    """Walk both sides, each in `_id` order, and tell where they differ."""
    left, right = next(found, None), next(mirrored, None)
    while left is not None or right is not None:
        if right is None or (left is not None and order(left[0]) < order(right[0])):
            assert left is not None
            yield Difference(source, left[0], left[1], None)
            left = next(found, None)
        elif left is None or order(right[0]) < order(left[0]):
            yield Difference(source, right[0], None, right[1])
            right = next(mirrored, None)
        else:
            if not documents.same(source, left[1], right[1]):
                yield Difference(source, left[0], left[1], right[1])
            left, right = next(found, None), next(mirrored, None)


def order(value: object) -> tuple[int, Any]:
    """A sort key that follows the server's order of `_id`s (MongoDB manual, "Comparison/Sort Order")."""
    if isinstance(value, ObjectId):
        return 6, value.binary
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 7, value
    if isinstance(value, int | float):
        return 1, value
    if isinstance(value, Decimal128):
        return 1, value.to_decimal()
    if isinstance(value, str):
        return 2, value.encode("utf-8", "surrogatepass")
    if isinstance(value, Binary | bytes):
        return 5, (len(value), getattr(value, "subtype", 0), bytes(value))
    if isinstance(value, datetime | DatetimeMS):
        return 8, int(value if isinstance(value, DatetimeMS) else DatetimeMS(value))
    if isinstance(value, MinKey | MaxKey):
        return -1 if isinstance(value, MinKey) else 10, 0
    return 9, str(value)
