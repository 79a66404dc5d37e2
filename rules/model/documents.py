"""Fields of source documents that the rules read, and how an update changes them.

An update is read only if it changes a TRACKED field; CARRIED fields are read from whole documents only.
The stream filter, the projection of the reconciliation and the mirror use these two tables.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from rules.model.changes import Change, DocId, Fields, Operation, Source

TRACKED: Mapping[Source, tuple[str, ...]] = {
    Source.CUSTOMERS: ("name", "company"),
    Source.LICENSES: ("customer_id", "plan_id", "status", "expires_at"),
    Source.PLANS: (
        "name",
        "display_name",
        "price",
        "currency",
        "is_lifetime",
        "lifetime_limit",
        "billing_period",
    ),
    Source.PAYMENTS: ("status", "amount", "currency", "customer_id", "license_id", "transaction_id"),
}

CARRIED: Mapping[Source, tuple[str, ...]] = {
    Source.CUSTOMERS: ("created_at", "email"),
    Source.LICENSES: ("license_key", "created_at", "metadata.source"),
    Source.PLANS: (),
    Source.PAYMENTS: ("created_at",),
}

AMOUNTS = ("price", "amount")
"""Fields that are amounts of money: only in these is a decimal accepted as a number."""

MAX_CAUSE_LENGTH = 100
"""Longest cause, in characters, that is stored unshortened."""


PARTIAL = "the {} is known only from an update; its next replacement or a reconciliation completes it"
"""Reason of a held document of which only updates were received."""

_PARTIAL = re.compile(r"the \w+ is known only from an update;|an update of a ")
"""Also the wording of earlier versions, which stored mirrors contain."""


def is_partial(held: str | None) -> bool:
    """Return whether a document is held because only updates of it were received."""
    return held is not None and _PARTIAL.match(held) is not None


def after(fields: Fields | None, change: Change) -> Fields | None:
    """Return the document's fields after `change`; None if they are unknown or the document was deleted."""
    if change.op in (Operation.INSERT, Operation.REPLACE):
        return change.fields
    if change.op is Operation.DELETE or fields is None:
        return None
    if change.op is not Operation.UPDATE:
        return fields
    return updated(fields, change)


def updated(fields: Fields, change: Change) -> Fields:
    """Apply an update in the server's order: truncations, removals, new values. `fields` is not modified.

    A dotted path leads into a document or an array. Where there is neither, it is the name of a field that contains a
    dot and is not tracked: the server reports a nested value below a new parent as a new value of the parent.
    """
    result: dict[str, Any] = dict(fields)
    for path, size in change.truncated:
        _edit(result, path, lambda array, size=size: array[:size] if isinstance(array, list) else array)
    for path in change.removed:
        _remove(result, path)
    for path, value in change.fields.items():
        if "." in path:
            _edit(result, path, lambda _old, value=value: value)
        else:
            result[path] = value
    return result


def is_id(value: object) -> bool:
    """Return whether a value can be a document id; a bool (equal to 1) and NaN (not equal to itself) cannot."""
    try:
        hash(value)
    except TypeError:
        return False
    return not isinstance(value, bool) and value == value


def id_key(value: DocId) -> str:
    """Return an id as part of an event key; ids of different types, such as "1" and 1, give different keys."""
    is_like_another = isinstance(value, str | bytes) or hasattr(value, "__int__")
    return repr(value) if is_like_another else str(value)


def short_cause(cause: str) -> str:
    """Return a cause as used in keys and ledger lines: a resume token (220 digits) as its cluster time and a digest.

    A token begins with 0x82 and the 8 bytes of its cluster time (src/mongo/db/pipeline/resume_token.h); any other cause
    is short and returned unchanged.
    """
    if len(cause) <= MAX_CAUSE_LENGTH:
        return cause
    return f"{cause[2:18]}-{blake2b(cause.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def same(source: Source, left: Fields, right: Fields) -> bool:
    """Return whether two versions of a document are equal in every tracked field (NaN equals NaN)."""
    return not changed(source, left, right)


def changed(source: Source, left: Fields, right: Fields) -> list[str]:
    """Return the names of the tracked fields that differ between two versions of a document."""
    return [name for name in TRACKED[source] if not _equal(left.get(name), right.get(name))]


def _equal(left: object, right: object) -> bool:
    return left == right or (left != left and right != right)


def _edit(document: dict[str, Any], path: str, change: Any) -> None:
    """Replace the value at a dotted path by `change(old)`, copying every container on the path."""
    head, _, rest = path.partition(".")
    if not rest:
        document[head] = change(document.get(head))
    elif isinstance(document.get(head), Mapping | list):
        document[head] = _edited(document[head], rest, change)


def _edited(container: Any, path: str, change: Any) -> Any:
    if isinstance(container, list):
        as_map = {str(index): value for index, value in enumerate(container)}
        _edit(as_map, path, change)
        return [as_map[key] for key in sorted(as_map, key=_array_order)]
    copy: dict[str, Any] = dict(container)
    _edit(copy, path, change)
    return copy


def _array_order(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() else (1 << 62, key)


def _remove(document: dict[str, Any], path: str) -> None:
    head, _, rest = path.partition(".")
    if not rest:
        document.pop(head, None)
    elif isinstance(document.get(head), Mapping):
        inner = dict(document[head])
        _remove(inner, rest)
        document[head] = inner
