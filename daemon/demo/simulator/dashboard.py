"""Simulated dashboard: operations on customers and licenses, chosen at random or called directly."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from daemon.demo.simulator import bulk_history, documents, names
from daemon.demo.simulator.bulk_history import PLAN_WEIGHTS
from daemon.demo.simulator.documents import FOUNDERS_LIMIT, MANUAL_EMAIL, MANUAL_SOURCE
from daemon.demo.simulator.license_changes import LicenseChanges
from daemon.demo.simulator.old_rows import rows
from daemon.demo.simulator.shop import OperationResult
from daemon.demo.simulator.weights import WEIGHTS
from daemon.mongo.types import Document

HOSTILE_SHARE = 0.2
NEEDS_NO_LICENSE = ("create_customer", "add_customer", "insert_manual_license", "add_license")


class Dashboard(LicenseChanges):
    """One simulated dashboard. Every operation returns an OperationResult."""

    def step(self, now: datetime, weights: Mapping[str, int] | None = None) -> OperationResult:
        """Run one random operation; `weights` are names of `OPERATIONS` (default: `WEIGHTS`).

        While there are no customers or licenses, it creates one instead.
        """
        chosen = WEIGHTS if weights is None else weights
        name = self.rng.choices(list(chosen), list(chosen.values()))[0]
        if not self.customers:
            return self.create_customer(now)
        if not self.licenses and name not in NEEDS_NO_LICENSE:
            return self.create_some_license(now)
        return OPERATIONS[name](self, now)

    def populate(self, customers: int, since: datetime, now: datetime) -> OperationResult:
        """Insert customers and licenses created between `since` and `now` in bulk, without events."""
        return bulk_history.populate(self, customers, since, now)

    def create_history(self, first: datetime, last: datetime, customers: int = 23) -> OperationResult:
        """Write the documents and old cron rows of the days from `first` to before `last` (midnights UTC)."""
        self.populate(customers, first, last)
        left = rows(self.db, first, last - timedelta(days=1))
        if left:
            self.db.historical_analytics.insert_many(left)
        return OperationResult("live_through", written=len(left))

    # -- customers ------------------------------------------------------------------------------------------

    def create_customer(self, now: datetime, name: str | None = None) -> OperationResult:
        """Create a customer as the dashboard does: five fields, and with triggers an event."""
        return OperationResult("create_customer", self._insert_customer(name, f"{self.hex(12)}@example.com", now))

    def add_customer(self, now: datetime, name: str | None = None) -> OperationResult:
        """Create a customer as the API (`/api/admin/customers`) does: all fields, naive local times, no event."""
        customer = self._new_customer(name, f"{self.hex(12)}@example.com", now)
        customer = documents.api_customer(customer, self.api_time(now))
        self.db.customers.insert_one(customer)
        self.remember([customer], [])
        return OperationResult("add_customer", customer["_id"])

    def rename_customer(self, now: datetime, name: str | None = None) -> OperationResult:
        customer_id = self.people.pick(self.rng)
        name = self._new_name() if name is None else name
        change = {"$set": {"name": name, "updated_at": now}}
        written = self.db.customers.update_one({"_id": customer_id}, change)
        self.people.add(customer_id, name)
        return OperationResult("rename_customer", customer_id, written=written.matched_count)

    def delete_customer(self, now: datetime) -> OperationResult:
        """Delete a customer, in seven of ten cases with its licenses."""
        customer_id = self.people.pick(self.rng)
        owned = [key for key in self.licenses if self.cards[key].customer_id == customer_id]
        keeps_licenses = self.rng.random() < 0.3
        for key in [] if keeps_licenses else owned:
            self.remove_license(key)
        self.people.remove(customer_id)
        self.db.customers.delete_one({"_id": customer_id})
        return OperationResult("delete_customer", customer_id, written=1 if keeps_licenses else 1 + len(owned))

    def _new_name(self) -> str:
        is_hostile = self.hostile and self.rng.random() < HOSTILE_SHARE
        return names.hostile(self.rng) if is_hostile else names.company(self.rng)

    def _new_customer(self, name: str | None, email: str, now: datetime) -> Document:
        return documents.customer(self.new_id(now), self._new_name() if name is None else name, email, now)

    def _insert_customer(self, name: str | None, email: str, now: datetime) -> ObjectId:
        customer = self._new_customer(name, email, now)
        self.db.customers.insert_one(customer)
        self.remember([customer], [])
        customer_id: ObjectId = customer["_id"]
        text = f"Nuovo cliente registrato: {customer['name']} ({email})"
        self.write_event("new_customer", text, now, {"customer_id": customer_id})
        self._check_milestones(now)
        return customer_id

    # -- licenses: sales ------------------------------------------------------------------------------------

    def create_license(self, now: datetime, plan: str = "pro", customer_id: ObjectId | None = None) -> OperationResult:
        """Create a license (of a random customer if None) as the dashboard does, with triggers also its events."""
        owner = self.people.pick(self.rng) if customer_id is None else customer_id
        name = self._plan_for_sale(plan)
        license = self._insert_license(owner, name, now, now)
        self._write_sale_events(license, name, now)
        return OperationResult("create_license", owner, license["_id"], name)

    def create_some_license(self, now: datetime) -> OperationResult:
        return self.create_license(now, self._random_plan())

    def add_license(self, now: datetime, plan: str = "pro", customer_id: ObjectId | None = None) -> OperationResult:
        """Create a license as the API (`/api/admin/licenses`) does: naive local times, `expires_at` too, no event."""
        owner = self.people.pick(self.rng) if customer_id is None else customer_id
        name = self._plan_for_sale(plan)
        license = self._insert_license(owner, name, self.api_time(now), now)
        return OperationResult("add_license", owner, license["_id"], name)

    def add_some_license(self, now: datetime) -> OperationResult:
        return self.add_license(now, self._random_plan())

    def insert_manual_license(self, now: datetime, key: str | None = None) -> OperationResult:
        """Enter a license key manually: activate a known one, sell an unknown one to the placeholder customer."""
        for license_id in self.licenses if key is not None else ():
            if self.cards[license_id].key == key:
                return self.set_status("insert_manual_license", license_id, "active", now)
        owner, plan = self._placeholder(now), self._plan_for_sale("founders")
        license = self._insert_license(owner, plan, now, now, key, {"source": MANUAL_SOURCE})
        self._write_manual_events(license, plan, now)
        return OperationResult("insert_manual_license", owner, license["_id"], plan)

    def _placeholder(self, now: datetime) -> ObjectId:
        found = self.db.customers.find_one({"email": MANUAL_EMAIL}, {"_id": 1})
        if found is not None:
            placeholder: ObjectId = found["_id"]
            return placeholder
        return self._insert_customer("Manual License", MANUAL_EMAIL, now)

    def _random_plan(self) -> str:
        return self.rng.choices(list(PLAN_WEIGHTS), list(PLAN_WEIGHTS.values()))[0]

    def _plan_for_sale(self, plan: str) -> str:
        """Return the plan, or pro if it is founders and sold out."""
        return "pro" if plan == "founders" and self._founders_left() <= 0 else plan

    def _founders_left(self) -> int:
        plan = self.plans["founders"]
        limit: int = plan["lifetime_limit"] or FOUNDERS_LIMIT
        return limit - self.db.licenses.count_documents({"plan_id": plan["_id"]})

    def _insert_license(
        self,
        customer_id: ObjectId,
        plan: str,
        written: datetime,
        now: datetime,
        key: str | None = None,
        metadata: Document | None = None,
    ) -> Document:
        number, key = self.new_id(now), key or self.new_key()
        license = documents.license(number, key, customer_id, self.plans[plan], written)
        license["metadata"] = metadata or {}
        pays = self.pays and not metadata
        is_early = pays and self.rng.random() < 0.3
        if is_early:
            self.insert_payment(license, plan, now)
        self.db.licenses.insert_one(license)
        if pays and not is_early:
            self.insert_payment(license, plan, now)
        self.remember([], [(license, plan)])
        return license

    def _write_sale_events(self, license: Document, plan: str, now: datetime) -> None:
        facts, name = self._facts(license, plan), self.name_of(license["customer_id"])
        offer = self.plans[plan]
        self.write_event("license_created", f"Nuova licenza {offer['display_name']} per {name}", now, facts)
        if offer["price"] > 0:
            self.write_event("payment_completed", f"Pagamento ricevuto: €{offer['price']:.2f} da {name}", now, facts)
        self._check_milestones(now)

    def _write_manual_events(self, license: Document, plan: str, now: datetime) -> None:
        facts = self._facts(license, plan) | {"metadata": {"source": MANUAL_SOURCE}}
        text = f"Licenza {plan} inserita manualmente: {license['license_key']}"
        self.write_event("license_created", text, now, facts)
        if plan == "founders" and self.triggers is not None:
            left = self._founders_left()
            facts["metadata"] = {"founders_remaining": left, "license_key": license["license_key"]}
            self.write_event("milestone_reached", f"🚀 Founders Deal venduto! Solo {left} rimasti", now, facts)
        self._check_milestones(now)

    def _facts(self, license: Document, plan: str) -> dict[str, Any]:
        owner, price = license["customer_id"], self.plans[plan]["price"]
        return {"customer_id": owner, "license_id": license["_id"], "plan_name": plan, "amount": price}

    def _check_milestones(self, now: datetime) -> None:
        if self.triggers is not None:
            self.triggers.check_milestones(now)


OPERATIONS: dict[str, Callable[[Dashboard, datetime], OperationResult]] = {
    "create_customer": Dashboard.create_customer,
    "add_customer": Dashboard.add_customer,
    "create_license": Dashboard.create_some_license,
    "add_license": Dashboard.add_some_license,
    "change_plan": Dashboard.change_plan,
    "api_calls": Dashboard.api_calls,
    "cancel": Dashboard.cancel,
    "suspend": Dashboard.suspend,
    "reactivate": Dashboard.reactivate,
    "renew": Dashboard.renew,
    "let_expire": Dashboard.let_expire,
    "expire": Dashboard.expire,
    "insert_manual_license": Dashboard.insert_manual_license,
    "rename_customer": Dashboard.rename_customer,
    "move_domain": Dashboard.move_domain,
    "replace_license": Dashboard.replace_license,
    "delete_license": Dashboard.delete_license,
    "delete_customer": Dashboard.delete_customer,
    "reprice": Dashboard.reprice_some,
    "edit_limits": Dashboard.edit_limits,
    "pay": Dashboard.pay,
    "settle_payment": Dashboard.settle_payment,
    "refund": Dashboard.refund,
    "save_today": Dashboard.save_today,
    "edit_note": Dashboard.edit_note,
    "run_old_cron": Dashboard.run_old_cron,
}
