"""Snapshot reads of source collections in `_id` order, and their comparison with the mirror.

The comparison holds one document of each side at a time, so memory does not grow with the collections.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from bson import Binary, Decimal128, MaxKey, MinKey, ObjectId
from bson.binary import OLD_BINARY_SUBTYPE
from bson.datetime_ms import DatetimeMS
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession

from daemon.errors import Unavailable
from daemon.mongo.client import translated
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Database
from daemon.source import reads
from daemon.source.decode import Decoder
from rules.model import documents
from rules.model.changes import DocId, Fields, Plan, Source
from rules.model.states import PlanState
from rules.revenue import pricing
from rules.revenue.pricing import InvalidDocument

MAX_SKIPPED = 1000


class Difference(NamedTuple):
    """A document whose tracked fields differ between source (`found`) and mirror (`mirrored`); None: missing there."""

    source: Source
    id: DocId
    found: Fields | None
    mirrored: Fields | None


def snapshot_time(database: Database, session: ClientSession) -> Timestamp:
    """Return the cluster time of a snapshot session. Must be its first read.

    Raises Unavailable if the checkpoint collection does not exist.
    """
    with translated():
        reply = database.command("find", CHECKPOINT, projection={"_id": 1}, limit=1, singleBatch=True, session=session)
    time: Timestamp | None = reply["cursor"].get("atClusterTime")
    if time is None:
        raise Unavailable(f"the collection {CHECKPOINT} does not exist yet: start the daemon once")
    return time


def read(
    database: Database,
    source: Source,
    decoder: Decoder,
    session: ClientSession | None,
    skipped: list[Any] | None = None,
) -> Iterator[tuple[DocId, Fields]]:
    """Yield id and decoded fields of every document, in `_id` order; documents with an unusable id are skipped.

    The first `MAX_SKIPPED` such ids are appended to `skipped`.
    """
    wanted = dict.fromkeys((*documents.TRACKED[source], *documents.CARRIED[source]), 1)
    with translated():
        for raw in reads.find(database, source.value, {}, wanted, session).sort("_id", 1):
            try:
                doc_id = canonical(raw["_id"])
            except UnusableId:
                if skipped is not None and len(skipped) < MAX_SKIPPED:
                    skipped.append(raw["_id"])
                continue
            yield doc_id, decoder.document(source, raw)


def read_one(database: Database, source: Source, doc_id: DocId, decoder: Decoder) -> Fields | None:
    """Return the decoded fields of one document; None if it is absent."""
    with translated():
        raw = next(reads.find(database, source.value, {"_id": doc_id}).limit(1), None)
    return None if raw is None else decoder.document(source, raw)


def differences(
    source: Source, found: Iterator[tuple[DocId, Fields]], mirrored: Iterator[tuple[DocId, Fields]]
) -> Iterator[Difference]:
    """Merge both sides, each in `_id` order, and yield the differences."""
    left, right = next(found, None), next(mirrored, None)
    while left is not None or right is not None:
        if right is None or (left is not None and sort_key(left[0]) < sort_key(right[0])):
            assert left is not None
            yield Difference(source, left[0], left[1], None)
            left = next(found, None)
        elif left is None or sort_key(right[0]) < sort_key(left[0]):
            yield Difference(source, right[0], None, right[1])
            right = next(mirrored, None)
        else:
            if not documents.same(source, left[1], right[1]):
                yield Difference(source, left[0], left[1], right[1])
            left, right = next(found, None), next(mirrored, None)


def sort_key(value: object) -> tuple[int, Any]:
    """Return a key that sorts `_id`s like the server (MongoDB manual, "Comparison/Sort Order")."""
    if isinstance(value, ObjectId):
        return 6, value.binary
    if type(value) in _SINGLE:
        return _SINGLE[type(value)], 0
    if isinstance(value, bool):
        return 7, value
    if isinstance(value, int | float):
        return 1, value
    if isinstance(value, Decimal128):
        return 1, value.to_decimal()
    if isinstance(value, str):
        return 2, value.encode("utf-8", "surrogatepass")
    if isinstance(value, Binary | bytes):
        return 5, _binary_key(value, getattr(value, "subtype", 0))
    if isinstance(value, Timestamp):
        return 9, (value.time, value.inc)
    assert isinstance(value, datetime | DatetimeMS), f"{value!r} is not a canonical id"
    return 8, int(value if isinstance(value, DatetimeMS) else DatetimeMS(value))


_SINGLE: dict[type, int] = {MinKey: -1, type(None): 0, MaxKey: 10}
"""Types of one single value."""


def _binary_key(value: bytes, subtype: int) -> tuple[int, int, bytes]:
    """Return length, subtype and content; subtype 2 is stored with four bytes of length before the content."""
    return len(value) + 4 * (subtype == OLD_BINARY_SUBTYPE), subtype, bytes(value)


def plans(
    database: Database, decoder: Decoder, rates: Mapping[str, Decimal], mirrored: Iterable[PlanState]
) -> dict[DocId, Plan]:
    """Return every plan with a price, from its document; an invalid or deleted one as it was last valid."""
    found = {state.id: state.plan for state in mirrored if state.plan is not None}
    for plan_id, fields in read(database, Source.PLANS, decoder, None):
        try:
            found[plan_id] = pricing.read_plan(plan_id, fields, rates)
        except InvalidDocument:
            continue
    return found
