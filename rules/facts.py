"""The nouns of what follows from a change: events, the ledger's movements, what they add up to, what is left to do.

Money is in integer cents, times are aware UTC datetimes, ids are opaque and hashable.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from rules.model import DocId, Origin, Worth


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
