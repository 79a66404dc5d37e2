"""Facts that are delivered: what an outbox entry holds (ids, types, numbers and dates, never a name or a text).

A fact has one id for ever. Which fact has which id: docs/delivery.md.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from rules.model.changes import DocId
from rules.model.events import EventType

HASH_DIGITS = 12
"""Digits of the hash of a row's numbers: after a restore the same revision may hold other numbers."""


class FactType(StrEnum):
    """Type of a delivered fact, as written in configuration and messages."""

    EVENT_RECORDED = "event.recorded"
    EVENT_WITHDRAWN = "event.withdrawn"
    DAY_CLOSED = "day.closed"
    DAY_AMENDED = "day.amended"
    MONTH_CLOSED = "month.closed"
    MONTH_AMENDED = "month.amended"
    GAP_OPENED = "gap.opened"
    GAP_CLOSED = "gap.closed"
    APPROVAL_REQUESTED = "approval.requested"
    CUSTOMER_FORGOTTEN = "customer.forgotten"


class EventFact(NamedTuple):
    """A business event, recorded or withdrawn. `reference` is the `_id` of its document in business_events."""

    reference: DocId
    type: EventType
    customer_id: DocId = None
    license_id: DocId = None
    plan_name: str | None = None
    amount_cents: int | None = None
    currency: str = "EUR"
    metadata: Mapping[str, int | float] = MappingProxyType({})
    recovered: bool = False


class Difference(NamedTuple):
    """One number of a row before and after an amendment: cents, counts or a rate."""

    field: str
    before: int | float | None
    after: int | float | None


class RowFact(NamedTuple):
    """A day (`month` false) or a month, by its first day; `changes` only for amendments."""

    day: date
    revision: int
    month: bool = False
    changes: tuple[Difference, ...] = ()


class GapFact(NamedTuple):
    """A gap: from when to when the stream was not followed, and what was recovered.

    `missing` are the documents whose deletion needs approval, per collection.
    """

    reference: DocId
    cause: str
    since: datetime | None = None
    until: datetime | None = None
    recovered: Mapping[str, int] = MappingProxyType({})
    missing: Mapping[str, int] = MappingProxyType({})


class ErasureFact(NamedTuple):
    """A forgotten customer."""

    customer_id: DocId


class Fact(NamedTuple):
    """One entry of the outbox. `time` is when the fact happened: of the event, of the commit for all others."""

    id: str
    type: FactType
    time: datetime
    subject: EventFact | RowFact | GapFact | ErasureFact


def row_fact_id(day: date, revision: int, numbers: Mapping[str, object], *, month: bool = False) -> str:
    """Return the id of a closed (revision 0) or amended row: `day-2026-11-21`, `.r2`, and a hash of its numbers."""
    period = f"month-{day:%Y-%m}" if month else f"day-{day:%Y-%m-%d}"
    stated = repr(sorted(numbers.items())).encode()
    digest = hashlib.sha256(stated).hexdigest()[:HASH_DIGITS]
    return f"{period}{f'.r{revision}' if revision else ''}.{digest}"
