"""Raw change events and documents become `Change`s: BSON's corners are rounded off here and nowhere else.

Dates beyond year 9999 or before year 1 become the ends of the calendar, amounts in Decimal128 become Decimals, ids that
are written as 24 hex digits become ObjectIds, long texts are cut, and of e-mail addresses only the dashboard's
placeholder for hand-entered licences is kept. Whatever comes out can be stored. Knows BSON, not the driver.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, ObjectId, encode
from bson.datetime_ms import DatetimeMS

from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.types import ReadOnlyDocument
from rules.model import event_keys
from rules.model.changes import Change, Discontinuity, Fields, Operation, Source, Undecodable
from rules.model.documents import AMOUNTS, CARRIED, TRACKED, is_id
from rules.privacy import erasure

MAX_TEXT = 500
"""Characters of a text that are kept; nothing the rules read is longer."""

MAX_BYTES = 4096
"""Of a container or binary: a thousand documents of ours then fit into one message to the server."""

FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 30, tzinfo=UTC)
FIRST_DAY = datetime(1970, 1, 2, tzinfo=UTC)
LAST_DAY = datetime(9999, 12, 1, tzinfo=UTC)
_HEX_ID = re.compile(r"[0-9a-fA-F]{24}")
_REFERENCES = ("customer_id", "plan_id", "license_id")
_LOCAL_TIMES = ("expires_at", "created_at")


def unreadable(source: Source, doc_id: object, at: datetime, *, is_gone: bool = False) -> Undecodable:
    """A document that no rule can name."""
    return Undecodable(source, repr(doc_id)[:MAX_TEXT], "the document's _id is no plain value", at, is_gone)


class Decoder:
    """Decodes for one configuration. `naive_zone` is how dates without a zone were meant (UTC: as they are).

    `is_forgotten` says of a customer's id whether its name is to be known no more.
    """

    def __init__(
        self, naive_zone: tzinfo, manual_email: str, is_forgotten: Callable[[object], bool] = lambda _id: False
    ) -> None:
        self.manual_email = manual_email
        self.is_forgotten = is_forgotten
        self.naive_zone = None if str(naive_zone) == "UTC" else naive_zone
        self._as_is = _AS_IS | {datetime} if self.naive_zone is None else _AS_IS

    def change(self, event: ReadOnlyDocument) -> Change | Discontinuity | Undecodable:
        """One event of the stream, as `daemon.source.filter` projects it."""
        found = self._change(event)
        if isinstance(found, Change) and found.source is Source.CUSTOMERS and self.is_forgotten(found.id):
            return erasure.without_personal_data(found)
        return found

    def _change(self, event: ReadOnlyDocument) -> Change | Discontinuity | Undecodable:
        at = event_time(event)
        operation = _OPERATIONS.get(event["operationType"])
        if operation is None:
            return Discontinuity(event["operationType"], at, _namespace(event))
        source = _SOURCES[event["ns"]["coll"]]
        doc_id = event["documentKey"]["_id"]
        if not is_name(doc_id):
            return unreadable(source, doc_id, at, is_gone=operation is Operation.DELETE)
        cause = event["_id"]["_data"]
        if operation is Operation.UPDATE:
            described = event["updateDescription"]
            return Change(
                source,
                operation,
                doc_id,
                at,
                cause,
                self.values(described.get("updatedFields") or {}),
                tuple(described.get("removedFields") or ()),
                tuple((t["field"], t["newSize"]) for t in described.get("truncatedArrays") or ()),
            )
        if operation is Operation.DELETE:
            return Change(source, operation, doc_id, at, cause)
        raw = event["fullDocument"]
        fields = self.external_event(raw) if source is Source.EVENTS else self.document(source, raw)
        return Change(source, operation, doc_id, at, cause, fields)

    def document(self, source: Source, raw: ReadOnlyDocument) -> Fields:
        """The tracked and carried fields of a whole document, absent ones left out."""
        found = {name: raw[name] for name in _WHOLE[source] if name in raw}
        if "email" in found and found["email"] != self.manual_email:
            del found["email"]
        if "metadata" in found:
            found["metadata"] = _only_source(found["metadata"])
        if source is Source.CUSTOMERS and "_id" in raw and self.is_forgotten(raw["_id"]):
            return erasure.fields_without_personal_data(self.values(found))
        return self.values(found)

    def external_event(self, raw: ReadOnlyDocument) -> Fields:
        """What is read of a business event that somebody else wrote."""
        found = {name: raw[name] for name in event_keys.FIELDS if name in raw}
        metadata = raw.get("metadata")
        if isinstance(metadata, Mapping):
            found["metadata"] = {name: metadata[name] for name in event_keys.METADATA if name in metadata}
        values = self.values(found)
        if isinstance(at := values.get("event_date"), datetime):
            values["event_date"] = _within_reach(at)
        return values

    def values(self, fields: ReadOnlyDocument) -> dict[str, Any]:
        as_is = self._as_is
        return {name: value if type(value) in as_is else self._value(name, value) for name, value in fields.items()}

    def _value(self, name: str, value: Any) -> Any:
        decode = _PLAIN.get(type(value))
        if decode is not None:
            value = decode(value)
        if name in AMOUNTS and isinstance(value, Decimal128):
            return _amount(value)
        if name in _REFERENCES and isinstance(value, str) and _HEX_ID.fullmatch(value):
            return ObjectId(value)
        if self.naive_zone is not None and name in _LOCAL_TIMES and isinstance(value, datetime):
            within = min(max(value.replace(tzinfo=UTC), FIRST), LAST)
            return within.replace(tzinfo=self.naive_zone).astimezone(UTC)
        return value


def is_name(doc_id: object) -> bool:
    """Whether an `_id` can name a document to the rules: a value that is alike only where it is the same."""
    return is_id(doc_id) and not isinstance(doc_id, DBRef)


def _within_reach(value: datetime) -> datetime:
    """A date of which every zone has one, and days before and after it too."""
    return min(max(value, FIRST_DAY), LAST_DAY) if value.tzinfo is not None else value


def event_time(event: ReadOnlyDocument) -> datetime:
    """When the server made the change: its wall clock, else (before 6.0) the cluster time in whole seconds."""
    wall = event.get("wallTime")
    if isinstance(wall, datetime):
        return wall
    return cluster_datetime(event["clusterTime"])


def _namespace(event: ReadOnlyDocument) -> str:
    names = event.get("ns") or {}
    return ".".join(str(names[key]) for key in ("db", "coll") if key in names)


def _only_source(metadata: object) -> object:
    return {"source": metadata["source"]} if isinstance(metadata, Mapping) and "source" in metadata else None


def _date(value: DatetimeMS) -> datetime:
    return FIRST if int(value) < 0 else LAST


def _amount(value: Decimal128) -> Decimal:
    """A signalling NaN, which raises wherever it is compared, becomes a quiet one."""
    amount = value.to_decimal()
    return Decimal("NaN") if amount.is_nan() else amount


def _shorter(value: str) -> str:
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT]


def _array(value: list[Any]) -> Any:
    return _bounded(value[:10])


def _bounded(value: Any) -> Any:
    """Something that is no plain value, where a plain one was wanted: kept to be shown while it is small."""
    size = len(encode({"": value}))
    return value if size <= MAX_BYTES else f"({type(value).__name__} of {size} bytes)"


_OPERATIONS = {operation.value: operation for operation in Operation}
_SOURCES = {source.value: source for source in Source}
_AS_IS = frozenset((ObjectId, int, float, bool, type(None)))

_PLAIN: dict[type, Callable[[Any], Any]] = {
    str: _shorter,
    DatetimeMS: _date,
    list: _array,
    dict: _bounded,
    bytes: _bounded,
    Binary: _bounded,
    Code: lambda value: _shorter(str(value)),
}

_WHOLE = {
    source: tuple({name.partition(".")[0] for name in (*TRACKED[source], *CARRIED[source])}) for source in TRACKED
}
