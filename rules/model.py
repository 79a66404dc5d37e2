"""The nouns every rule speaks: what came in, what is known, what follows from it.

A `Change` is one fact about one source document. The `*State` classes are the mirror: the tracked
fields of a document as of the checkpoint and what it counts for. `Event` and `Movement` are what a
change leads to. Money is in integer cents, times are aware UTC datetimes, ids are opaque and hashable.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
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


class Worth(NamedTuple):
    """What one licence counts for at one moment; `None` stands for "there is no such licence"."""

    plan_id: DocId
    active: bool
    mrr_cents: int
    paid: bool


@dataclass(slots=True)
class CustomerState:
    """Mirror of one customer. `present` is false while only its licences are known; `lately` is None while empty."""

    id: DocId
    fields: Fields
    present: bool = False
    mrr_cents: int = 0
    active_licenses: int = 0
    paid_licenses: int = 0
    ever_mrr: bool = False
    lately: "Lately | None" = None


@dataclass(slots=True)
class LicenseState:
    """Mirror of one licence: its fields as last seen, and what it counts for.

    `license` is the last version that could be understood; while `held` says why the newest one cannot,
    `worth` stays what it was. `started` is true once the licence was active with a price; `sold` are the lifetime
    plans it was ever active on: each is sold to it once.
    """

    id: DocId
    fields: Fields
    license: License | None = None
    worth: Worth | None = None
    started: bool = False
    held: str | None = None
    sold: tuple[DocId, ...] = ()

    @property
    def ends_at(self) -> datetime | None:
        """When it ends by itself; None unless it counts as active and has an end."""
        active = self.worth is not None and self.worth.active
        return self.license.expires_at if active and self.license is not None else None


class FormerName(NamedTuple):
    """What a plan was called until it was called something else."""

    name: str
    until: datetime


@dataclass(slots=True)
class PlanState:
    """Mirror of one plan: its fields, the last version understood, and whether the document still exists.

    `former` are the names it had before, oldest first: a row of the past calls it what it was called then.
    """

    id: DocId
    fields: Fields
    plan: Plan | None = None
    present: bool = True
    held: str | None = None
    former: tuple[FormerName, ...] = ()

    def name_at(self, at: datetime | None) -> str | None:
        """What it was called just before `at` (None: is called now); None if it was never understood."""
        known = next((name for name, until in self.former if at is not None and at <= until), None)
        return known if known is not None or self.plan is None else self.plan.name


@dataclass(slots=True)
class PaymentState:
    """Mirror of one payment: its fields, the last version understood, and the statuses that are told (or history)."""

    id: DocId
    fields: Fields
    payment: Payment | None = None
    told: tuple[PaymentStatus, ...] = ()
    held: str | None = None


class EventType(StrEnum):
    """The dashboard's sixteen types, and four of ours that it does not write itself."""

    NEW_CUSTOMER = "new_customer"
    LICENSE_CREATED = "license_created"
    LICENSE_ACTIVATED = "license_activated"
    LICENSE_CANCELLED = "license_cancelled"
    LICENSE_SUSPENDED = "license_suspended"
    LICENSE_EXPIRED = "license_expired"
    LICENSE_RENEWED = "license_renewed"
    PAYMENT_COMPLETED = "payment_completed"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_REFUNDED = "payment_refunded"
    PLAN_UPGRADED = "plan_upgraded"
    PLAN_DOWNGRADED = "plan_downgraded"
    MILESTONE_REACHED = "milestone_reached"
    MARKETING_CAMPAIGN = "marketing_campaign"
    FEATURE_RELEASED = "feature_released"
    PARTNERSHIP = "partnership"
    MEDIA_MENTION = "media_mention"
    SUPPORT_TICKET = "support_ticket"
    SERVER_ISSUE = "server_issue"
    MAINTENANCE = "maintenance"


PAYMENT_EVENTS = frozenset((EventType.PAYMENT_COMPLETED, EventType.PAYMENT_FAILED, EventType.PAYMENT_REFUNDED))


@dataclass(slots=True)
class Event:
    """A business event. `key` is its natural key: the same fact always has the same key."""

    key: str
    type: EventType
    at: datetime
    description: str
    customer_id: DocId = None
    license_id: DocId = None
    plan_name: str | None = None
    amount_cents: int | None = None
    currency: str = "EUR"
    metadata: dict[str, Any] = field(default_factory=dict)


class MovementKind(StrEnum):
    """ChartMogul's five MRR movements, NEUTRAL for one that moves no MRR, OPENING for a first balance."""

    NEW = "new"
    EXPANSION = "expansion"
    CONTRACTION = "contraction"
    CHURN = "churn"
    REACTIVATION = "reactivation"
    NEUTRAL = "neutral"
    OPENING = "opening"


class Reason(StrEnum):
    """Why a movement happened."""

    CUSTOMER_CREATED = "customer_created"
    CUSTOMER_DELETED = "customer_deleted"
    LICENSE_CREATED = "license_created"
    LICENSE_DELETED = "license_deleted"
    LICENSE_MOVED = "license_moved"
    ACTIVATED = "activated"
    CANCELLED = "cancelled"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    PLAN_CHANGED = "plan_changed"
    REPRICE = "reprice"
    BOOTSTRAP = "bootstrap"
    RETENTION = "retention"


@dataclass(slots=True)
class Movement:
    """One line of the ledger: signed integer deltas of the totals, and the licence's worth around it.

    `customer_mrr` is the customer's MRR in cents before and after; `subscribers` is the change in customers with MRR.
    OPENING lines carry the balance of many licences of one plan: `licenses` then is their number, `before` and `after`
    are None. `count` is how many movements of its kind the line stands for: -1 takes back an earlier line, 0 books that
    one again.
    """

    at: datetime
    kind: MovementKind
    reason: Reason
    cause: str
    customer_id: DocId = None
    license_id: DocId = None
    plan_id: DocId = None
    mrr_cents: int = 0
    one_time_cents: int = 0
    customers: int = 0
    paying_customers: int = 0
    subscribers: int = 0
    active_licenses: int = 0
    licenses: int = 0
    before: Worth | None = None
    after: Worth | None = None
    customer_mrr: tuple[int, int] = (0, 0)
    count: int = 1


@dataclass(slots=True)
class PlanTotals:
    """How many licences a plan has (of any status), how many are active, their MRR, and what was sold once."""

    licenses: int = 0
    active: int = 0
    mrr_cents: int = 0
    one_time_cents: int = 0


class Swing(NamedTuple):
    """What was booked and told of a licence that turned on or off; `key` is that of the event."""

    at: datetime
    license_id: DocId
    kind: MovementKind
    reason: Reason
    key: str
    before: Worth | None
    after: Worth | None


class Sighting(NamedTuple):
    """A payment as seen so far: by a licence's guess and by its document (the keys of their events), and by others."""

    at: datetime
    license_id: DocId
    kind: EventType
    cents: int | None
    guess: str = ""
    payment_key: str = ""
    by_others: bool = False
    transaction: str = ""


class Lately(NamedTuple):
    """What may turn out to be part of something else: a customer's last churn, the last further licence, payments."""

    ended: Swing | None = None
    begun: Swing | None = None
    payments: tuple[Sighting, ...] = ()


@dataclass(slots=True)
class Totals:
    """The running totals: what the ledger's movements add up to.

    `paying_customers` have an active licence with a price (lifetime included), `subscribers` have MRR.
    """

    customers: int = 0
    paying_customers: int = 0
    active_licenses: int = 0
    mrr_cents: int = 0
    one_time_cents: int = 0
    subscribers: int = 0
    by_plan: dict[DocId, PlanTotals] = field(default_factory=dict)


class Sweep(NamedTuple):
    """Work a plan's change leaves behind: every licence on `plan_id` is to be valued anew, in `_id` order."""

    plan_id: DocId
    at: datetime
    cause: str
    origin: Origin = Origin.STREAM
