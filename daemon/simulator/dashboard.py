"""The pretend dashboard itself: customers and licences, one small operation each, and chance to choose among them."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from daemon.simulator import documents, filling, names
from daemon.simulator.documents import FOUNDERS_LIMIT, MANUAL_EMAIL, MANUAL_SOURCE, TERM, Document
from daemon.simulator.filling import PLAN_WEIGHTS
from daemon.simulator.office import Office
from daemon.simulator.past import rows
from daemon.simulator.shop import Done
from daemon.simulator.weights import WEIGHTS

HOSTILE_SHARE = 0.2
NEEDS_NO_LICENSE = ("create_customer", "add_customer", "insert_manual_license", "add_license")
ENDS_IN = timedelta(seconds=2)


class Dashboard(Office):
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
        return filling.populate(self, customers, since, now)

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
            self._remove_license(key)
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
                return self._turn("insert_manual_license", license_id, "active", now)
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

    # -- licences: changed ----------------------------------------------------------------------------------

    def change_plan(self, now: datetime, plan: str | None = None) -> Done:
        """An active monthly licence moves to another monthly plan, unless `plan` names one."""
        key = self.cards.pick(self.chance, lambda card: card.is_active(now) and card.plan != "founders")
        card = self.cards[key]
        others = [name for name in ("starter", "pro", "agency") if name != card.plan]
        name = plan or self.chance.choice(others)
        written = self.update(key, {"plan_id": self.plans[name]["_id"]}, now)
        card.plan = name
        return Done("change_plan", card.customer_id, key, name, written)

    def cancel(self, now: datetime) -> Done:
        return self._turn("cancel", self._pick_active(now), "cancelled", now)

    def suspend(self, now: datetime) -> Done:
        status = self.chance.choice(("suspended", "suspended", "inactive"))
        return self._turn("suspend", self._pick_active(now), status, now)

    def reactivate(self, now: datetime) -> Done:
        """A licence that is not active by its status becomes so again; its term stays what it was."""
        key = self.cards.pick(self.chance, lambda card: card.status != "active")
        return self._turn("reactivate", key, "active", now)

    def renew(self, now: datetime) -> Done:
        """A term of thirty days more, from its end or from now, and active again if it had run out."""
        key = self.cards.pick(self.chance, lambda card: card.status == "active" and card.expires_at is not None)
        card = self.cards[key]
        if card.expires_at is None:
            return Done("renew", card.customer_id, key, card.plan, 0)
        card.expires_at = max(card.expires_at, now) + TERM
        card.status = "active"
        written = self.update(key, {"expires_at": card.expires_at, "status": "active"}, now)
        if self.pays:
            self.collect({"_id": key, "customer_id": card.customer_id}, card.plan, now)
        return Done("renew", card.customer_id, key, card.plan, written)

    def let_expire(self, now: datetime, within: timedelta = ENDS_IN) -> Done:
        """An active licence is given an end soon, and nobody will write that it came."""
        key = self._pick_active(now)
        card = self.cards[key]
        card.expires_at = now + within
        written = self.update(key, {"expires_at": card.expires_at}, now)
        return Done("let_expire", card.customer_id, key, card.plan, written)

    def expire(self, now: datetime) -> Done:
        """Somebody validates a licence past its term, and only so it is written `expired`; any other is touched."""
        key = self.cards.pick(self.chance, lambda card: card.is_lapsed(now))
        if not self.cards[key].is_lapsed(now):
            self.db.licenses.update_one({"_id": key}, {"$set": {"last_check": self.api_time(now)}})
            return Done("expire", self.cards[key].customer_id, key, self.cards[key].plan, 0)
        return self._turn("expire", key, "expired", now, last_check=self.api_time(now))

    def replace_license(self, now: datetime) -> Done:
        """The API's update of a whole document: read, set active, written back entire."""
        key = self.cards.pick(self.chance)
        card = self.cards[key]
        card.status = "active"
        written = self.replace(key, {"status": "active"}, now)
        return Done("replace_license", card.customer_id, key, card.plan, written)

    def delete_license(self, now: datetime) -> Done:
        key = self.cards.pick(self.chance)
        card = self.cards[key]
        return Done("delete_license", card.customer_id, key, card.plan, self._remove_license(key))

    def _pick_active(self, now: datetime) -> ObjectId:
        return self.cards.pick(self.chance, lambda card: card.is_active(now))

    def _turn(self, operation: str, key: ObjectId, status: str, now: datetime, **noise: datetime) -> Done:
        card = self.cards[key]
        card.status = status
        written = self.update(key, {"status": status, **noise}, now)
        return Done(operation, card.customer_id, key, card.plan, written)

    def _remove_license(self, key: ObjectId) -> int:
        self.cards.remove(key)
        return self.db.licenses.delete_one({"_id": key}).deleted_count


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
