"""Input types of the rules: changes of source documents, and the parsed documents.

Money is in integer cents, times are aware UTC datetimes, ids are opaque and hashable.
"""

from collections.abc import Hashable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

DocId = Hashable
Fields = Mapping[str, Any]
"""The tracked fields of a source document by name, or of an update by dotted path."""


class Source(StrEnum):
    """Origin of a change: a watched collection, external events, custom rules, or the cluster time (CLOCK)."""

    CUSTOMERS = "customers"
    LICENSES = "licenses"
    PLANS = "plans"
    PAYMENTS = "payments"
    EVENTS = "business_events"
    CUSTOM = "custom"
    CLOCK = "clock"


EVENT_REFERENCES = {"customer_id": Source.CUSTOMERS, "license_id": Source.LICENSES}
"""The collection of each field of an event that refers to a document."""


class Operation(StrEnum):
    """Kind of change. REVALUE values a license again after its plan changed; TICK only advances the time."""

    INSERT = "insert"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    REVALUE = "revalue"
    TICK = "tick"


class Origin(StrEnum):
    """How a change was found: STREAM, RECOVERED (after a gap), or BOOTSTRAP (first start; emits no events)."""

    STREAM = "stream"
    RECOVERED = "recovered"
    BOOTSTRAP = "bootstrap"


class Change(NamedTuple):
    """One write of a document, or (TICK) the information that the stream reached the instant `at`.

    `cause` identifies the change; for origin STREAM it is the resume token's `_data`, which sorts in stream order.
    `fields` holds the whole tracked document for INSERT and REPLACE, the changed dotted paths for UPDATE.
    `since` is the earliest time of a change found after a gap, if only the gap is known; `at` is then its end.
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
    since: datetime | None = None


class LicenseStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class License(NamedTuple):
    """A valid license document."""

    customer_id: DocId
    plan_id: DocId
    status: LicenseStatus
    expires_at: datetime | None
    is_manual: bool

    def is_active(self, at: datetime) -> bool:
        """Return whether the status is active and `at` is before `expires_at`."""
        return self.status is LicenseStatus.ACTIVE and (self.expires_at is None or self.expires_at > at)


class Plan(NamedTuple):
    """A valid plan document.

    `price_cents` is the price of one billing period (EUR), `mrr_cents` the MRR of one active license.
    `limit` is the number of licenses for sale; None if unlimited.
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
    """A valid payment document; `cents` are EUR cents, `transaction` is "" if the document has none."""

    customer_id: DocId
    license_id: DocId
    status: PaymentStatus
    cents: int
    transaction: str


class LicenseValue(NamedTuple):
    """The contribution of one license to the totals at one instant; `None` means that the license does not exist."""

    plan_id: DocId
    active: bool
    mrr_cents: int
    paid: bool


class Discontinuity(NamedTuple):
    """A watched collection or database was dropped, renamed or replaced; `cause` is the stream's operation type."""

    cause: str
    at: datetime
    namespace: str


class Undecodable(NamedTuple):
    """A change of a document whose `_id` cannot be used; `is_gone` if the document was deleted."""

    source: Source
    raw: str
    reason: str
    at: datetime
    is_gone: bool = False
