"""Ledger types: movements, their kinds and reasons, and the totals they add up to.

Money is in integer cents, times are aware UTC datetimes, ids are opaque and hashable.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rules.model.changes import DocId, LicenseValue


class MovementKind(StrEnum):
    """ChartMogul's five MRR movements, NEUTRAL for a movement without MRR, OPENING for an opening balance."""

    NEW = "new"
    EXPANSION = "expansion"
    CONTRACTION = "contraction"
    CHURN = "churn"
    REACTIVATION = "reactivation"
    NEUTRAL = "neutral"
    OPENING = "opening"


class Reason(StrEnum):
    """Reason of a movement."""

    CUSTOMER_CREATED = "customer_created"
    CUSTOMER_RETURNED = "customer_returned"
    LICENSE_RETURNED = "license_returned"
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
    """One ledger line: signed integer deltas of the totals, and the license's value before and after.

    `customer_mrr` is the customer's MRR in cents before and after; `subscribers` is the change in customers with MRR.
    An OPENING line is the balance of all licenses of one plan: `licenses` is their number, `before` and `after` are
    None. `count` is the number of movements of its kind that the line adds: 1, -1 for the reversal of an earlier line,
    0 for the reversed line posted again.
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
    """Totals of one plan: licenses of any status, active licenses, their MRR, and one-time revenue."""

    licenses: int = 0
    active: int = 0
    mrr_cents: int = 0
    one_time_cents: int = 0


@dataclass(slots=True)
class Totals:
    """The running totals: the sum of all ledger movements.

    `paying_customers` have an active license with a price (lifetime included), `subscribers` have MRR.
    """

    customers: int = 0
    paying_customers: int = 0
    active_licenses: int = 0
    mrr_cents: int = 0
    one_time_cents: int = 0
    subscribers: int = 0
    by_plan: dict[DocId, PlanTotals] = field(default_factory=dict)
