"""TODO: rules/model/recent.py."""

from datetime import datetime
from typing import NamedTuple

from rules.model.changes import DocId, LicenseValue
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason


class PendingSwitch(NamedTuple):
    """What was booked and told of a licence that turned on or off; `key` is that of the event."""

    at: datetime
    license_id: DocId
    kind: MovementKind
    reason: Reason
    key: str
    before: LicenseValue | None
    after: LicenseValue | None


class PaymentObservation(NamedTuple):
    """A payment as seen so far: by a licence's guess and by its document (the keys of their events), and by others."""

    at: datetime
    license_id: DocId
    kind: EventType
    cents: int | None
    guess: str = ""
    payment_key: str = ""
    by_others: bool = False
    transaction: str = ""


class RecentActivity(NamedTuple):
    """What may turn out to be part of something else: a customer's last churn, the last further licence, payments."""

    ended: PendingSwitch | None = None
    begun: PendingSwitch | None = None
    payments: tuple[PaymentObservation, ...] = ()
