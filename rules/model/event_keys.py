"""Natural keys of external events: the keys that own events of the same facts have.

The dashboard may write an event of its own milliseconds after a document. The external event takes precedence: the own
event is withdrawn in the next transaction, so each fact is recorded once with or without the dashboard's triggers.
Payments recur and have no natural key: `rules.handlers.payments` matches them by license and time.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from rules.model.documents import id_key, is_id
from rules.model.events import EventType

FIELDS = ("event_type", "event_date", "customer_id", "license_id", "amount")
GROWTH_FIELDS: Mapping[str, str] = {"mrr": "mrr_growth", "customers": "customer_growth", "paying": "paying_growth"}
"""Metadata field in which the dashboard stores the growth, by kind of growth."""

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
"""Metadata fields that are read from external events."""

NOON = 12
_GROWTH = "growth:"
_BY_CUSTOMER = (EventType.NEW_CUSTOMER,)
_BY_LICENSE = (EventType.LICENSE_CREATED,)


def natural_key(event: Mapping[str, Any]) -> str | None:
    """Return the one key of the fact that an event reports; None if the daemon never emits such an event.

    Growth has two keys: reported before noon (UTC) it is of the day before, later of the same day.
    """
    keys = list(natural_keys(event))
    is_late_growth = len(keys) > 1 and keys[0].startswith(_GROWTH) and event["event_date"].hour >= NOON
    return keys[is_late_growth] if keys else None


def natural_keys(event: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of own events about the same fact; none if the daemon never emits such an event."""
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


def _growth(event_date: object, metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield keys for two days: growth reported in the morning is of the day before, at night of the same day."""
    if "growth_period" not in metadata or not isinstance(event_date, datetime):
        return
    days = (event_date - timedelta(days=1), event_date)
    kinds = [kind for kind, field in GROWTH_FIELDS.items() if field in metadata]
    yield from (f"{_GROWTH}{kind}:{day:%Y-%m-%d}" for kind in kinds for day in days)


def _date(event_date: object, month_day: object) -> Iterator[str]:
    """Yield the key of the "MM-DD" within a day of `event_date`, whose year may differ because of time zones."""
    if not isinstance(event_date, datetime) or not isinstance(month_day, str):
        return
    near = (event_date + timedelta(days) for days in (0, -1, 1))
    yield from (f"calendar:{day:%Y-%m-%d}" for day in near if f"{day:%m-%d}" == month_day)


def limited_sale_keys(license_key: object, license_id: object) -> Iterator[str]:
    """Yield the key for a sale of a limited plan: by license key, or by license id if the key is missing."""
    if isinstance(license_key, str) and license_key:
        yield f"limited_sale:{license_key}"
    else:
        yield from _key("limited_sale", license_id)
