"""The nouns of what follows from a change: events, the ledger's movements, what they add up to, what is left to do.

Money is in integer cents, times are aware UTC datetimes, ids are opaque and hashable.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rules.model.changes import DocId, LicenseValue


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
    before: LicenseValue | None = None
    after: LicenseValue | None = None
    customer_mrr: tuple[int, int] = (0, 0)
    count: int = 1


@dataclass(slots=True)
class PlanTotals:
    """How many licences a plan has (of any status), how many are active, their MRR, and what was sold once."""

    licenses: int = 0
    active: int = 0
    mrr_cents: int = 0
    one_time_cents: int = 0


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
