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
    """A fact that may happen again (a payment, an event of a license) as observed so far.

    `guess` is the key of the event inferred from a license, `payment_key` that of the event of a payment document,
    `external` the id of the external event, as text ("" if there is none); `first` is that of the three by which the
    fact became known, once there are several. `since` is the earliest time of a fact found after a gap, whose own time
    is not known; `at` is then the latest.
    """

    at: datetime
    license_id: DocId
    kind: EventType
    cents: int | None
    guess: str = ""
    payment_key: str = ""
    external: str = ""
    transaction: str = ""
    since: datetime | None = None
    first: str = ""

    @property
    def own_key(self) -> str:
        """Key of the own event of the fact; "" if only an external event reports it."""
        return self.payment_key or self.guess

    @property
    def fact_key(self) -> str:
        """Key of the own event by which the fact became known, whatever replaced it; "" if it was an external event."""
        return "" if self.external and self.first == self.external else self.first or self.own_key


class RecentActivity(NamedTuple):
    """Candidates for a match: the customer's last ended licenses, its last additional one, and its last facts."""

    ended: tuple[PendingSwitch, ...] = ()
    started: PendingSwitch | None = None
    payments: tuple[FactObservation, ...] = ()
