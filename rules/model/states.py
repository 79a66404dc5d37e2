"""States of the mirror: a source document's tracked fields as of the checkpoint, and its contribution to the totals."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from rules.model.changes import DocId, Fields, License, LicenseValue, Payment, PaymentStatus, Plan
from rules.model.recent import RecentActivity


@dataclass(slots=True)
class CustomerState:
    """Mirror of one customer. `present` is false while only its licenses are known; `recent` is None while empty.

    `deleted` is true after its document was deleted: inserted again under the same id, it is the same customer.
    """

    id: DocId
    fields: Fields
    present: bool = False
    mrr_cents: int = 0
    active_licenses: int = 0
    paid_licenses: int = 0
    ever_mrr: bool = False
    recent: RecentActivity | None = None
    deleted: bool = False


@dataclass(slots=True)
class LicenseState:
    """Mirror of one license: its newest fields, and its contribution to the totals.

    `license` is the last valid version. While the newest version is invalid, `held` is the reason and `value` does not
    change. `started` is true once the license was active with a price; `sold` are the lifetime plans on which it was
    ever active: each is sold to it once. `deleted` is true after its document was deleted: inserted again under the
    same id, it is the same license.
    """

    id: DocId
    fields: Fields
    license: License | None = None
    value: LicenseValue | None = None
    started: bool = False
    held: str | None = None
    sold: tuple[DocId, ...] = ()
    deleted: bool = False

    @property
    def ends_at(self) -> datetime | None:
        """The instant at which the license expires; None unless it is active and has an expiry."""
        active = self.value is not None and self.value.active
        return self.license.expires_at if active and self.license is not None else None


class FormerName(NamedTuple):
    """A previous name of a plan, and the instant until which it was valid."""

    name: str
    until: datetime


@dataclass(slots=True)
class PlanState:
    """Mirror of one plan: its fields, the last valid version, and whether the document still exists.

    `former` are its previous names, oldest first: a row of a past day shows the name of that day.
    """

    id: DocId
    fields: Fields
    plan: Plan | None = None
    present: bool = True
    held: str | None = None
    former: tuple[FormerName, ...] = ()

    def name_at(self, at: datetime | None) -> str | None:
        """Return the name just before `at`, the current name if `at` is None; None if the plan was never valid."""
        known = next((name for name, until in self.former if at is not None and at <= until), None)
        return known if known is not None or self.plan is None else self.plan.name


@dataclass(slots=True)
class PaymentState:
    """Mirror of one payment: its fields, the last valid version, and the statuses that need no event any more.

    `deleted` is true after its document was deleted: inserted again under the same id, it is the same payment.
    """

    id: DocId
    fields: Fields
    payment: Payment | None = None
    emitted: tuple[PaymentStatus, ...] = ()
    held: str | None = None
    deleted: bool = False
