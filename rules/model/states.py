"""The nouns of the mirror: a source document's tracked fields as of the checkpoint, and what it counts for."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from rules.model.changes import DocId, Fields, License, LicenseValue, Payment, PaymentStatus, Plan
from rules.model.recent import RecentActivity


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
    recent: RecentActivity | None = None


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
    value: LicenseValue | None = None
    started: bool = False
    held: str | None = None
    sold: tuple[DocId, ...] = ()

    @property
    def ends_at(self) -> datetime | None:
        """When it ends by itself; None unless it counts as active and has an end."""
        active = self.value is not None and self.value.active
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
