"""The oracle: totals of a shop, recounted from its documents by the simplest possible code.

Uses only the types of `rules.model.changes`. Its only memory, as designed, is the last valid contribution of a document
that has become invalid.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import isfinite
from typing import Any

from rules.model.changes import Change, Source
from tests.rules.histories import Documents, write

MONTHS = {None: Fraction(1), "month": Fraction(1), 3: Fraction(3), "year": Fraction(12), "week": Fraction(12, 52)}

Id = tuple[Source, Any]


@dataclass
class Price:
    cents: int
    monthly: int


@dataclass
class Contribution:
    """Contribution of one license to the totals, and its expiry."""

    customer: Any
    plan: Any
    status: str
    expires_at: datetime | None
    price: Price

    def is_active(self, at: datetime) -> bool:
        return self.status == "active" and (self.expires_at is None or at < self.expires_at)


@dataclass
class Oracle:
    """Recounts all documents after every change of a history."""

    documents: Documents = field(default_factory=lambda: {source: {} for source in Source})
    prices: dict[Any, Price] = field(default_factory=dict)
    good: dict[Any, Contribution] = field(default_factory=dict)
    held: set[Id] = field(default_factory=set)

    def follow(self, change: Change) -> None:
        write(self.documents, change)
        self.held = set()
        for plan_id, plan in self.documents[Source.PLANS].items():
            self._read_plan(plan_id, plan)
        self.good = {k: v for k, v in self.good.items() if k in self.documents[Source.LICENSES]}
        for license_id, license in self.documents[Source.LICENSES].items():
            self._read_license(license_id, license)

    def _read_plan(self, plan_id: Any, plan: dict[str, Any]) -> None:
        price, period = plan.get("price"), plan.get("billing_period")
        if isinstance(price, bool) or not isinstance(price, int | float) or not isfinite(price) or price < 0:
            self.held.add((Source.PLANS, plan_id))
            return
        cents = round(Fraction(str(price)) * 100)
        if plan.get("is_lifetime") or plan["name"] == "founders":
            self.prices[plan_id] = Price(cents, 0)
        elif period in MONTHS:
            self.prices[plan_id] = Price(cents, round(cents / MONTHS[period]))
        else:
            self.held.add((Source.PLANS, plan_id))

    def _read_license(self, license_id: Any, license: dict[str, Any]) -> None:
        plan_id, known = license.get("plan_id"), self.good.get(license_id)
        fine = (
            license.get("status") in ("active", "inactive", "suspended", "expired", "cancelled")
            and (license.get("expires_at") is None or isinstance(license["expires_at"], datetime))
            and is_plain(license.get("customer_id"))
            and is_plain(plan_id)
            and plan_id in self.prices
            and (plan_id in self.documents[Source.PLANS] or (known is not None and known.plan == plan_id))
        )
        if not fine:
            self.held.add((Source.LICENSES, license_id))
            return
        self.good[license_id] = Contribution(
            license.get("customer_id"),
            plan_id,
            license["status"],
            license.get("expires_at"),
            self.prices[plan_id],
        )

    def totals(self, at: datetime) -> dict[str, Any]:
        active = [c for c in self.good.values() if c.is_active(at)]
        return {
            "customers": len(self.documents[Source.CUSTOMERS]),
            "paying_customers": len({c.customer for c in active if c.price.cents > 0}),
            "subscribers": len({c.customer for c in active if c.price.monthly > 0}),
            "active_licenses": len(active),
            "mrr_cents": sum(c.price.monthly for c in active),
            "by_plan": self._by_plan(at),
        }

    def _by_plan(self, at: datetime) -> dict[Any, tuple[int, int, int]]:
        licenses = Counter(c.plan for c in self.good.values())
        active = Counter(c.plan for c in self.good.values() if c.is_active(at))
        return {
            plan: (count, active[plan], active[plan] and self._mrr_on(plan, at)) for plan, count in licenses.items()
        }

    def _mrr_on(self, plan: Any, at: datetime) -> int:
        return sum(c.price.monthly for c in self.good.values() if c.plan == plan and c.is_active(at))

    def customers(self, at: datetime) -> dict[Any, tuple[int, int, int]]:
        """Return MRR cents, active and paid licenses by customer; customers without active licenses are omitted."""
        sums: dict[Any, tuple[int, int, int]] = {}
        for c in self.good.values():
            if c.is_active(at):
                mrr, active, paid = sums.get(c.customer, (0, 0, 0))
                sums[c.customer] = (mrr + c.price.monthly, active + 1, paid + (c.price.cents > 0))
        return sums

    def active(self, at: datetime) -> dict[Any, bool]:
        """Return whether each license with a valid version is active."""
        return {license_id: c.is_active(at) for license_id, c in self.good.items()}


def is_plain(value: Any) -> bool:
    """Return whether a value can be an id: hashable, no bool (equal to 0 or 1), no NaN (not equal to itself)."""
    return isinstance(value, Hashable) and not isinstance(value, bool) and value == value
