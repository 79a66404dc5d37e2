"""Which fields of a source document count, and how an update changes them.

TRACKED fields make an update worth reading; CARRIED ones are only taken along from whole documents.
The stream's filter, the reconciliation's projection and the mirror all follow these two tables.
"""

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
"""Fields that are sums of money: only there does a decimal count as a number."""

LONGEST_CAUSE = 100
"""Characters of a cause that are kept as they are."""


def after(fields: Fields | None, change: Change) -> Fields | None:
    """The document's fields once `change` is applied; None where they cannot be known or it is gone."""
    if change.op in (Operation.INSERT, Operation.REPLACE):
        return change.fields
    if change.op is Operation.DELETE or fields is None:
        return None
    if change.op is not Operation.UPDATE:
        return fields
    return updated(fields, change)


def updated(fields: Fields, change: Change) -> Fields:
    """An update applied as the server did: truncations, then removals, then new values; the input is kept."""
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
    """Whether a value can name a document; a bool (equal to 1) and NaN (not equal to itself) cannot."""
    try:
        hash(value)
    except TypeError:
        return False
    return not isinstance(value, bool) and value == value


def id_key(value: DocId) -> str:
    """An id as part of an event's key: the text "1" and the number 1 name two documents."""
    return repr(value) if isinstance(value, str) else str(value)


def short_cause(cause: str) -> str:
    """A cause as it stands in keys and ledger lines: a resume token (220 digits) as its cluster time and a digest.

    A token begins with 0x82 and the 8 bytes of its cluster time (src/mongo/db/pipeline/resume_token.h); any other cause
    is short.
    """
    if len(cause) <= LONGEST_CAUSE:
        return cause
    return f"{cause[2:18]}-{blake2b(cause.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def same(source: Source, left: Fields, right: Fields) -> bool:
    """Whether two versions of a document agree in every tracked field (NaN agrees with NaN)."""
    return all(_equal(left.get(name), right.get(name)) for name in TRACKED[source])


def _equal(left: object, right: object) -> bool:
    return left == right or (left != left and right != right)


def _edit(document: dict[str, Any], path: str, change: Any) -> None:
    """Replace the value at a dotted path by `change(old)`, copying every container on the way."""
    head, _, rest = path.partition(".")
    if not rest:
        document[head] = change(document.get(head))
        return
    document[head] = _edited(document.get(head), rest, change)


def _edited(container: object, path: str, change: Any) -> Any:
    if isinstance(container, list):
        as_map = {str(index): value for index, value in enumerate(container)}
        _edit(as_map, path, change)
        return [as_map[key] for key in sorted(as_map, key=_array_order)]
    copy: dict[str, Any] = dict(container) if isinstance(container, Mapping) else {}
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
