"""Events that others write of facts we tell too: which of our natural keys such an event stands for.

The dashboard may write an event of its own milliseconds after a document. Its event wins: ours is withdrawn in the next
transaction, so each fact stands once with or without the dashboard's triggers. Payments recur, and have no such key:
`rules.handlers.payments` knows them by their licence and time.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from rules.model.documents import id_key, is_id
from rules.model.events import EventType

FIELDS = ("event_type", "event_date", "customer_id", "license_id", "amount")
GROWTH_FIELDS: Mapping[str, str] = {"mrr": "mrr_growth", "customers": "customer_growth", "paying": "paying_growth"}
"""Where the dashboard keeps the growth of each kind."""

METADATA = (
    "milestone_type",
    "milestone_value",
    "founders_remaining",
    "license_key",
    "special_date",
    "week_start",
    "month_start",
    "growth_period",
    *GROWTH_FIELDS.values(),
)
"""What is read of an event that somebody else wrote."""

_BY_CUSTOMER = (EventType.NEW_CUSTOMER,)
_BY_LICENSE = (EventType.LICENSE_CREATED,)


def natural_keys(event: Mapping[str, Any]) -> Iterator[str]:
    """The keys our own event of the same fact would have; none where it tells something we never do."""
    kind = event.get("event_type")
    if kind in _BY_CUSTOMER:
        yield from _key(kind, event.get("customer_id"))
    elif kind in _BY_LICENSE:
        yield from _key(kind, event.get("license_id"))
    elif not isinstance(event.get("metadata"), Mapping):
        return
    elif kind == EventType.MILESTONE_REACHED:
        yield from _milestone(event, event["metadata"])
        yield from _growth(event.get("event_date"), event["metadata"])
    elif kind == EventType.MARKETING_CAMPAIGN:
        yield from _date(event.get("event_date"), event["metadata"].get("special_date"))


def _key(kind: object, doc_id: object) -> Iterator[str]:
    if doc_id is not None and is_id(doc_id):
        yield f"{kind}:{id_key(doc_id)}"


def _milestone(event: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[str]:
    name, value = metadata.get("milestone_type"), metadata.get("milestone_value")
    if isinstance(name, str) and isinstance(value, int | float) and float(value).is_integer():
        yield f"milestone:{name}:{int(value)}"
    if "founders_remaining" in metadata:
        yield from limited_sale_keys(metadata.get("license_key"), event.get("license_id"))
    for period in ("week", "month"):
        if isinstance(start := metadata.get(f"{period}_start"), str):
            yield f"{period}:{start}"


def _growth(told_at: object, metadata: Mapping[str, Any]) -> Iterator[str]:
    """Growth told in the morning is that of the day before, told at night that of the day."""
    if "growth_period" not in metadata or not isinstance(told_at, datetime):
        return
    days = (told_at - timedelta(days=1), told_at)
    kinds = [kind for kind, field in GROWTH_FIELDS.items() if field in metadata]
    yield from (f"growth:{kind}:{day:%Y-%m-%d}" for kind in kinds for day in days)


def _date(told_at: object, month_day: object) -> Iterator[str]:
    """The "MM-DD" nearest to when it was told: a zone may have put the telling into the year before."""
    if not isinstance(told_at, datetime) or not isinstance(month_day, str):
        return
    near = (told_at + timedelta(days) for days in (0, -1, 1))
    yield from (f"calendar:{day:%Y-%m-%d}" for day in near if f"{day:%m-%d}" == month_day)


def limited_sale_keys(license_key: object, license_id: object) -> Iterator[str]:
    """A sale of a limited plan is known by its licence's key; by its id where the key is missing."""
    if isinstance(license_key, str) and license_key:
        yield f"limited_sale:{license_key}"
    else:
        yield from _key("limited_sale", license_id)
