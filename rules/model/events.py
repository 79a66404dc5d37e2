"""Business events and their types."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rules.model.changes import DocId


class EventType(StrEnum):
    """The dashboard's sixteen event types, and four that it does not write itself."""

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
    """A business event at the instant `at`. `key` is its natural key: the same fact always has the same key."""

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
