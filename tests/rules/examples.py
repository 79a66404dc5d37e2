"""Builder of short histories of a small shop, for example-based tests."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rules.model.changes import Change, Operation, Source
from tests.rules.shop import Shop

T0 = datetime(2025, 8, 20, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PRICES = {"starter": 2.99, "pro": 7.99, "agency": 19.99, "founders": 29.0}


class Story:
    """Applies changes to a shop, one per minute."""

    def __init__(self, shop: Shop | None = None) -> None:
        self.shop = shop if shop is not None else Shop()
        self.now = T0
        self.change_count = 0
        for name, price in PRICES.items():
            self.plan(name, price=price)

    def plan(self, name: str, **fields: Any) -> Self:
        return self.change(Source.PLANS, Operation.INSERT, name, {"name": name, **fields})

    def customer(self, name: str, **fields: Any) -> Self:
        return self.change(Source.CUSTOMERS, Operation.INSERT, name, {"name": name.capitalize(), **fields})

    def license(self, doc_id: Any, plan: Any = "pro", customer: Any = "ada", **fields: Any) -> Self:
        document = {"customer_id": customer, "plan_id": plan, "status": "active", "license_key": "CHA-1", **fields}
        return self.change(Source.LICENSES, Operation.INSERT, doc_id, document)

    def set(self, doc_id: Any, **fields: Any) -> Self:
        return self.change(Source.LICENSES, Operation.UPDATE, doc_id, fields)

    def reprice(self, plan: str, price: object) -> Self:
        return self.change(Source.PLANS, Operation.UPDATE, plan, {"price": price})

    def delete(self, source: Source, doc_id: Any) -> Self:
        return self.change(source, Operation.DELETE, doc_id, {})

    def change(self, source: Source, op: Operation, doc_id: Any, fields: dict[str, Any]) -> Self:
        self.now += MINUTE
        self.change_count += 1
        self.shop.apply([Change(source, op, doc_id, self.now, f"82{self.change_count:06d}", fields)])
        return self

    def wait(self, minutes: int) -> Self:
        """Set the time between the last change and the next one."""
        self.now += (minutes - 1) * MINUTE
        return self

    def descriptions(self) -> list[str]:
        return [event.description for event in self.shop.events]

    def types(self) -> list[str]:
        return [event.type.value for event in self.shop.events]

    def lines(self) -> list[tuple[str, str, int]]:
        """Return kind, reason and MRR cents of every ledger line of a license."""
        return [(m.kind.value, m.reason.value, m.mrr_cents) for m in self.shop.movements if m.license_id is not None]
