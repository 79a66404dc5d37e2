"""Decoding of change events and documents to `Change`s; the only module that handles unusual BSON values.

Dates after year 9999 or before year 1 are clamped, amounts in Decimal128 become Decimals, ids become canonical, long
texts are cut, and of e-mail addresses only the dashboard's placeholder for hand-entered licenses is kept. Every decoded
value can be stored. Depends on BSON, not on the driver.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, ObjectId, encode
from bson.datetime_ms import DatetimeMS

from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import ReadOnlyDocument
from rules.model import event_keys
from rules.model.changes import Change, Discontinuity, Fields, Operation, Source, Undecodable
from rules.model.documents import AMOUNTS, CARRIED, TRACKED
from rules.privacy import erasure

MAX_TEXT = 500
"""Maximum number of characters of a text; the rules read nothing longer."""

MAX_BYTES = 4096
"""Maximum size of a container or binary: a thousand mirror documents then fit into one message to the server."""

MIN_DATE = datetime(1, 1, 2, tzinfo=UTC)
MAX_DATE = datetime(9999, 12, 30, tzinfo=UTC)
MIN_EVENT_DATE = datetime(1970, 1, 2, tzinfo=UTC)
MAX_EVENT_DATE = datetime(9999, 12, 1, tzinfo=UTC)
REFERENCES = ("customer_id", "plan_id", "license_id")
_LOCAL_TIMES = ("expires_at", "created_at")


def unusable_id(source: Source, doc_id: object, at: datetime, *, is_gone: bool = False) -> Undecodable:
    """Return the dead letter of a document whose `_id` cannot be used."""
    reason = ""
    try:
        canonical(doc_id)
    except UnusableId as problem:
        reason = f"_id must be a single value such as an ObjectId, a text or a number, got {problem}"
    return Undecodable(source, repr(doc_id)[:MAX_TEXT], reason, at, is_gone)


class Decoder:
    """Decodes for one configuration.

    `naive_zone` is the time zone of dates stored without one. `is_forgotten` returns whether a customer id is on the
    erasure list, so that the name has to be removed.
    """

    def __init__(
        self, naive_zone: tzinfo, manual_email: str, is_forgotten: Callable[[object], bool] = lambda _id: False
    ) -> None:
        self.manual_email = manual_email
        self.is_forgotten = is_forgotten
        self.naive_zone = None if str(naive_zone) == "UTC" else naive_zone
        self._as_is = _AS_IS | {datetime} if self.naive_zone is None else _AS_IS

    def change(self, event: ReadOnlyDocument) -> Change | Discontinuity | Undecodable:
        """Decode one change event, as projected by `daemon.source.filter`."""
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
        try:
            doc_id = canonical(event["documentKey"]["_id"])
        except UnusableId:
            return unusable_id(source, event["documentKey"]["_id"], at, is_gone=operation is Operation.DELETE)
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
        """Return the tracked and carried fields of a document; absent ones are left out."""
        found = {name: raw[name] for name in _WHOLE[source] if name in raw}
        if "email" in found and found["email"] != self.manual_email:
            del found["email"]
        if "metadata" in found:
            found["metadata"] = _only_source(found["metadata"])
        if source is Source.CUSTOMERS and "_id" in raw and self.is_forgotten(raw["_id"]):
            return erasure.fields_without_personal_data(self.values(found))
        return self.values(found)

    def external_event(self, raw: ReadOnlyDocument) -> Fields:
        """Return the fields of an external business event that the rules read."""
        found = {name: raw[name] for name in event_keys.FIELDS if name in raw}
        metadata = raw.get("metadata")
        if isinstance(metadata, Mapping):
            found["metadata"] = {name: metadata[name] for name in event_keys.METADATA if name in metadata}
        values = self.values(found)
        if isinstance(at := values.get("event_date"), datetime):
            values["event_date"] = _clamped(at)
        return values

    def values(self, fields: ReadOnlyDocument) -> dict[str, Any]:
        as_is = self._as_is
        return {name: value if type(value) in as_is else self._value(name, value) for name, value in fields.items()}

    def _value(self, name: str, value: Any) -> Any:
        if name in REFERENCES:
            return _reference(value)
        decode = _PLAIN.get(type(value))
        if decode is not None:
            value = decode(value)
        if name in AMOUNTS and isinstance(value, Decimal128):
            return _amount(value)
        if self.naive_zone is not None and name in _LOCAL_TIMES and isinstance(value, datetime):
            within = min(max(value.replace(tzinfo=UTC), MIN_DATE), MAX_DATE)
            return within.replace(tzinfo=self.naive_zone).astimezone(UTC)
        return value


def _reference(value: Any) -> Any:
    """Return a reference as a canonical id, or a value that the rules reject as an id and that shows what it was."""
    try:
        found = canonical(value)
    except UnusableId:
        return _unusable(value)
    return [_bounded(found)] if isinstance(found, str | bytes) and len(found) > MAX_BYTES else found


def _unusable(value: Any) -> Any:
    if isinstance(value, Decimal128):
        return math.nan
    plain = dict(value.as_doc()) if isinstance(value, DBRef) else value
    bounded = _bounded(plain)
    return bounded if bounded is plain else [bounded]


def _clamped(value: datetime) -> datetime:
    """Clamp a date so that it and its neighboring days can be represented in every time zone."""
    return min(max(value, MIN_EVENT_DATE), MAX_EVENT_DATE) if value.tzinfo is not None else value


def event_time(event: ReadOnlyDocument) -> datetime:
    """Return the server's wall clock time of a change or, before MongoDB 6.0, the cluster time in whole seconds."""
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
    return MIN_DATE if int(value) < 0 else MAX_DATE


def _amount(value: Decimal128) -> Decimal:
    """Convert an amount; a signaling NaN, which raises in comparisons, becomes a quiet one."""
    amount = value.to_decimal()
    return Decimal("NaN") if amount.is_nan() else amount


def _truncated(value: str) -> str:
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT]


def _array(value: list[Any]) -> Any:
    return _bounded(value[:10])


def _bounded(value: Any) -> Any:
    """Return a value of an unexpected type unchanged if it is small, so that it can be shown, else a description."""
    size = len(encode({"": value}))
    return value if size <= MAX_BYTES else f"({type(value).__name__} of {size} bytes)"


_OPERATIONS = {operation.value: operation for operation in Operation}
_SOURCES = {source.value: source for source in Source}
_AS_IS = frozenset((ObjectId, type(None)))

_PLAIN: dict[type, Callable[[Any], Any]] = {
    str: _truncated,
    DatetimeMS: _date,
    list: _array,
    dict: _bounded,
    bytes: _bounded,
    Binary: _bounded,
    Code: lambda value: _truncated(str(value)),
}

_WHOLE = {
    source: tuple({name.partition(".")[0] for name in (*TRACKED[source], *CARRIED[source])}) for source in TRACKED
}
