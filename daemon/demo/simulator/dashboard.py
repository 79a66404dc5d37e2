"""The pretend dashboard itself: customers and licences, one small operation each, and chance to choose among them."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from daemon.demo.simulator import bulk_history, documents, names
from daemon.demo.simulator.bulk_history import PLAN_WEIGHTS
from daemon.demo.simulator.documents import FOUNDERS_LIMIT, MANUAL_EMAIL, MANUAL_SOURCE
from daemon.demo.simulator.license_changes import Tenure
from daemon.demo.simulator.old_rows import rows
from daemon.demo.simulator.shop import Done
from daemon.demo.simulator.weights import WEIGHTS
from daemon.mongo.types import Document

HOSTILE_SHARE = 0.2
NEEDS_NO_LICENSE = ("create_customer", "add_customer", "insert_manual_license", "add_license")


class Dashboard(Tenure):
    """One pretend dashboard; what it can be told to do. Every operation returns what it did."""

    def step(self, now: datetime, weights: Mapping[str, int] | None = None) -> Done:
        """One operation by chance; `weights` name operations of `OPERATIONS`, `WEIGHTS` by default.

        Without customers or licences yet it makes one, whatever was wanted.
        """
        chosen = WEIGHTS if weights is None else weights
        name = self.chance.choices(list(chosen), list(chosen.values()))[0]
        if not self.customers:
            return self.create_customer(now)
        if not self.licenses and name not in NEEDS_NO_LICENSE:
            return self.create_some_license(now)
        return OPERATIONS[name](self, now)

    def populate(self, customers: int, since: datetime, now: datetime) -> Done:
        """Customers and licences created between `since` and `now`, in bulk, silently."""
        return bulk_history.populate(self, customers, since, now)

    def live_through(self, first: datetime, last: datetime, customers: int = 23) -> Done:
        """The days from `first` to before `last` (midnights UTC): documents, and the old cron's row of each."""
        self.populate(customers, first, last)
        left = rows(self.db, first, last - timedelta(days=1))
        if left:
            self.db.historical_analytics.insert_many(left)
        return Done("live_through", written=len(left))

    # -- customers ------------------------------------------------------------------------------------------

    def create_customer(self, now: datetime, name: str | None = None) -> Done:
        """By the dashboard: five fields, and where there are triggers its own event."""
        return Done("create_customer", self._insert_customer(name, f"{self.hex(12)}@example.com", now))

    def add_customer(self, now: datetime, name: str | None = None) -> Done:
        """By the API (`/api/admin/customers`): every field, naive local times, and never an event."""
        customer = self._new_customer(name, f"{self.hex(12)}@example.com", now)
        customer = documents.api_customer(customer, self.api_time(now))
        self.db.customers.insert_one(customer)
        self.remember([customer], [])
        return Done("add_customer", customer["_id"])

    def rename_customer(self, now: datetime, name: str | None = None) -> Done:
        customer_id = self.people.pick(self.chance)
        name = self._new_name() if name is None else name
        change = {"$set": {"name": name, "updated_at": now}}
        written = self.db.customers.update_one({"_id": customer_id}, change)
        self.people.add(customer_id, name)
        return Done("rename_customer", customer_id, written=written.matched_count)

    def delete_customer(self, now: datetime) -> Done:
        """A customer goes, and its licences with it; or they stay behind, as they sometimes do."""
        customer_id = self.people.pick(self.chance)
        owned = [key for key in self.licenses if self.cards[key].customer_id == customer_id]
        left_behind = self.chance.random() < 0.3
        for key in [] if left_behind else owned:
            self.remove_license(key)
        self.people.remove(customer_id)
        self.db.customers.delete_one({"_id": customer_id})
        return Done("delete_customer", customer_id, written=1 if left_behind else 1 + len(owned))

    def _new_name(self) -> str:
        is_hostile = self.hostile and self.chance.random() < HOSTILE_SHARE
        return names.hostile(self.chance) if is_hostile else names.company(self.chance)

    def _new_customer(self, name: str | None, email: str, now: datetime) -> Document:
        return documents.customer(self.new_id(now), self._new_name() if name is None else name, email, now)

    def _insert_customer(self, name: str | None, email: str, now: datetime) -> ObjectId:
        customer = self._new_customer(name, email, now)
        self.db.customers.insert_one(customer)
        self.remember([customer], [])
        customer_id: ObjectId = customer["_id"]
        self.announce("new_customer", f"Nuovo cliente: {customer['name']}", now, {"customer_id": customer_id})
        self._check_milestones(now)
        return customer_id

    # -- licences: sold -------------------------------------------------------------------------------------

    def create_license(self, now: datetime, plan: str = "pro", customer_id: ObjectId | None = None) -> Done:
        """By the dashboard: the licence, and where there are triggers its own events; a random customer's if None."""
        owner = self.people.pick(self.chance) if customer_id is None else customer_id
        name = self._plan_for_sale(plan)
        license = self._insert_license(owner, name, now, now)
        self._announce_sale(license, name, now)
        return Done("create_license", owner, license["_id"], name)

    def create_some_license(self, now: datetime) -> Done:
        return self.create_license(now, self._plan_by_chance())

    def add_license(self, now: datetime, plan: str = "pro", customer_id: ObjectId | None = None) -> Done:
        """By the API (`/api/admin/licenses`): naive local times, its end too, and never an event."""
        owner = self.people.pick(self.chance) if customer_id is None else customer_id
        name = self._plan_for_sale(plan)
        license = self._insert_license(owner, name, self.api_time(now), now)
        return Done("add_license", owner, license["_id"], name)

    def add_some_license(self, now: datetime) -> Done:
        return self.add_license(now, self._plan_by_chance())

    def insert_manual_license(self, now: datetime, key: str | None = None) -> Done:
        """A key entered by hand: a known one is set active, an unknown one sold to the placeholder customer."""
        for license_id in self.licenses if key is not None else ():
            if self.cards[license_id].key == key:
                return self.turn("insert_manual_license", license_id, "active", now)
        owner, plan = self._placeholder(now), self._plan_for_sale("founders")
        license = self._insert_license(owner, plan, now, now, key, {"source": MANUAL_SOURCE})
        self._announce_manual(license, plan, now)
        return Done("insert_manual_license", owner, license["_id"], plan)

    def _placeholder(self, now: datetime) -> ObjectId:
        found = self.db.customers.find_one({"email": MANUAL_EMAIL}, {"_id": 1})
        if found is not None:
            placeholder: ObjectId = found["_id"]
            return placeholder
        return self._insert_customer("Manual License", MANUAL_EMAIL, now)

    def _plan_by_chance(self) -> str:
        return self.chance.choices(list(PLAN_WEIGHTS), list(PLAN_WEIGHTS.values()))[0]

    def _plan_for_sale(self, wanted: str) -> str:
        """The plan wanted; founders only while any are left, else pro."""
        return "pro" if wanted == "founders" and self._founders_left() <= 0 else wanted

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
        is_early = pays and self.chance.random() < 0.3
        if is_early:
            self.collect(license, plan, now)
        self.db.licenses.insert_one(license)
        if pays and not is_early:
            self.collect(license, plan, now)
        self.remember([], [(license, plan)])
        return license

    def _announce_sale(self, license: Document, plan: str, now: datetime) -> None:
        facts, name = self._facts(license, plan), self.name_of(license["customer_id"])
        offer = self.plans[plan]
        self.announce("license_created", f"Nuova licenza {offer['display_name']}: {name}", now, facts)
        if offer["price"] > 0:
            self.announce("payment_completed", f"Pagamento ricevuto: €{offer['price']:.2f}", now, facts)
        self._check_milestones(now)

    def _announce_manual(self, license: Document, plan: str, now: datetime) -> None:
        facts = self._facts(license, plan) | {"metadata": {"source": MANUAL_SOURCE}}
        self.announce("license_created", f"Licenza inserita manualmente: {license['license_key']}", now, facts)
        if plan == "founders" and self.triggers is not None:
            left = self._founders_left()
            facts["metadata"] = {"founders_remaining": left, "license_key": license["license_key"]}
            self.announce("milestone_reached", f"Founders Deal venduto! Solo {left} rimasti", now, facts)
        self._check_milestones(now)

    def _facts(self, license: Document, plan: str) -> dict[str, Any]:
        owner, price = license["customer_id"], self.plans[plan]["price"]
        return {"customer_id": owner, "license_id": license["_id"], "plan_name": plan, "amount": price}

    def _check_milestones(self, now: datetime) -> None:
        if self.triggers is not None:
            self.triggers.check_milestones(now)


OPERATIONS: dict[str, Callable[[Dashboard, datetime], Done]] = {
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
