"""The nouns of what comes in: a change to a source document, and what such a document says once it is understood.

Money is in integer cents, times are aware UTC datetimes, ids are opaque and hashable.
"""

from collections.abc import Hashable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

DocId = Hashable
Fields = Mapping[str, Any]
"""The tracked fields of a source document, or of an update: dotted path to new value."""


class Source(StrEnum):
    """Where a change comes from: a watched collection, events of others, rules of the owner, or the stream's clock."""

    CUSTOMERS = "customers"
    LICENSES = "licenses"
    PLANS = "plans"
    PAYMENTS = "payments"
    EVENTS = "business_events"
    CUSTOM = "custom"
    CLOCK = "clock"


class Operation(StrEnum):
    """What happened to the document; REVALUE re-reads a licence after its plan changed."""

    INSERT = "insert"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    REVALUE = "revalue"
    TICK = "tick"


class Origin(StrEnum):
    """How a change became known. BOOTSTRAP fills the mirror on the first start and says nothing."""

    STREAM = "stream"
    RECOVERED = "recovered"
    BOOTSTRAP = "bootstrap"


class Change(NamedTuple):
    """One fact: a document was written, or (TICK) the stream reached the instant `at`.

    `cause` is unique to the fact; of origin STREAM it is the resume token's `_data`, which orders facts.
    `fields` holds the whole tracked document for INSERT and REPLACE, changed dotted paths for UPDATE.
    """

    source: Source
    op: Operation
    id: DocId
    at: datetime
    cause: str
    fields: Fields = MappingProxyType({})
    removed: tuple[str, ...] = ()
    truncated: tuple[tuple[str, int], ...] = ()
    origin: Origin = Origin.STREAM


class LicenseStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class License(NamedTuple):
    """A licence document that could be understood."""

    customer_id: DocId
    plan_id: DocId
    status: LicenseStatus
    expires_at: datetime | None
    is_manual: bool

    def is_active(self, at: datetime) -> bool:
        """Active by status and not yet expired: from the instant `expires_at` on it no longer is."""
        return self.status is LicenseStatus.ACTIVE and (self.expires_at is None or self.expires_at > at)


class Plan(NamedTuple):
    """A plan document that could be understood.

    `price_cents` is what the customer pays at once (EUR), `mrr_cents` what one active licence adds to MRR.
    """

    id: DocId
    name: str
    title: str
    price_cents: int
    mrr_cents: int
    is_lifetime: bool
    limit: int | None = None


class PaymentStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUNDED = "refunded"


class Payment(NamedTuple):
    """A payment document that could be understood; `cents` are EUR, `transaction` is "" where it has none."""

    customer_id: DocId
    license_id: DocId
    status: PaymentStatus
    cents: int
    transaction: str


class LicenseValue(NamedTuple):
    """What one licence counts for at one moment; `None` stands for "there is no such licence"."""

    plan_id: DocId
    active: bool
    mrr_cents: int
    paid: bool


class Discontinuity(NamedTuple):
    """The collection or database behind the stream was dropped, renamed or replaced."""

    cause: str
    at: datetime
    what: str


class Undecodable(NamedTuple):
    """A change of a document whose very identity cannot be handled; `is_gone` when it was deleted."""

    source: Source
    raw: str
    reason: str
    at: datetime
    is_gone: bool = False
