"""Recent activity of a customer: license switches and payments that later changes may match."""

from datetime import datetime
from typing import NamedTuple

from rules.model.changes import DocId, LicenseValue
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason


class PendingSwitch(NamedTuple):
    """A license that became active or inactive and may be half of a change of plan.

    `kind`, `reason`, `before` and `after` are those of its ledger line; `key` is the key of its event.
    """

    at: datetime
    license_id: DocId
    kind: MovementKind
    reason: Reason
    key: str
    before: LicenseValue | None
    after: LicenseValue | None


class FactObservation(NamedTuple):
    """A payment as observed so far.

    `guess` is the key of the event inferred from a license, `payment_key` that of the event of a payment document
    ("" if there is none); `by_external` is true if an external event reports the payment.
    """

    at: datetime
    license_id: DocId
    kind: EventType
    cents: int | None
    guess: str = ""
    payment_key: str = ""
    by_external: bool = False
    transaction: str = ""


class RecentActivity(NamedTuple):
    """Candidates for a match: the customer's last churn, its last additional license, and its last payments."""

    ended: PendingSwitch | None = None
    started: PendingSwitch | None = None
    payments: tuple[FactObservation, ...] = ()
