"""A pretend dashboard: writes to a database as the real dashboard and its API do (see their documents' shapes).

Used by the demo and the tests. It never opens a connection; chance and time are arguments, so the same seed
tells the same story.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.database import Database

Document = dict[str, Any]

PLANS: tuple[tuple[str, str, float, bool], ...] = (
    ("starter", "Starter", 2.99, False),
    ("pro", "Pro", 7.99, False),
    ("agency", "Agency", 19.99, False),
    ("founders", "Founders Deal", 29.0, True),
)
FOUNDERS_LIMIT = 500
MANUAL_EMAIL = "manual@chatello.io"
EVENT_INDEXES = ("event_date", "event_type", "customer_id", "license_id", "processed", "auto_generated")
FIRST = ("Tech", "Startup", "Bottega", "Studio", "Digital", "Caffè", "Agenzia", "Cantina", "Officina", "Web")
SECOND = ("Milano", "Corp Italia", "Verde", "Rossi & Figli", "Lab", "Toscana", "del Borgo", "Srl", "Nord", "Più")

WEIGHTS: tuple[tuple[int, str], ...] = (
    (22, "create_customer"),
    (24, "create_license"),
    (14, "change_plan"),
    (6, "cancel"),
    (5, "suspend"),
    (6, "reactivate"),
    (6, "renew"),
    (3, "let_expire_soon"),
    (2, "insert_manual_license"),
    (2, "rename_customer"),
    (10, "touch_some"),
)


class Dashboard:
    """One pretend dashboard. With `triggers` it writes its own business events, as newer ones do."""

    def __init__(self, database: Database[Document], chance: Random, *, triggers: bool = False) -> None:
        self.db = database
        self.chance = chance
        self.triggers = triggers
        self.plans: dict[str, Document] = {}
        self.customers: list[ObjectId] = []
        self.licenses: list[ObjectId] = []

    def set_up(self, now: datetime) -> None:
        """The plans and the dashboard's own indexes."""
        for name, title, price, lifetime in PLANS:
            plan: Document = {
                "_id": self._id(),
                "name": name,
                "display_name": title,
                "price": price,
                "currency": "EUR",
                "is_lifetime": lifetime,
                "lifetime_limit": FOUNDERS_LIMIT if lifetime else None,
                "is_active": True,
                "created_at": now,
            }
            self.db.plans.insert_one(plan)
            self.plans[name] = plan
        self.db.customers.create_index("email", unique=True)
        self.db.licenses.create_index("license_key", unique=True)
        for field in EVENT_INDEXES:
            self.db.business_events.create_index(field)
        self.db.historical_analytics.create_index([("date", 1), ("period_type", 1)], unique=True)

    def step(self, now: datetime) -> str:
        """One operation in realistic proportions; its name. Without customers or licences yet it makes one."""
        names = [name for _, name in WEIGHTS]
        name = self.chance.choices(names, [weight for weight, _ in WEIGHTS])[0]
        if not self.customers:
            name = "create_customer"
        elif not self.licenses and name not in ("create_customer", "insert_manual_license"):
            name = "create_license"
        operation: Callable[[datetime], object] = getattr(self, name)
        operation(now)
        return name

    # -- customers ------------------------------------------------------------------------------------------

    def create_customer(self, now: datetime) -> ObjectId:
        name = f"{self.chance.choice(FIRST)} {self.chance.choice(SECOND)}"
        return self._insert_customer(name, f"{self._hex(8)}@example.com", now)

    def _insert_customer(self, name: str, email: str, now: datetime) -> ObjectId:
        customer_id = self._id()
        document: Document = {"_id": customer_id, "name": name, "email": email, "created_at": now, "metadata": {}}
        if self.chance.random() < 0.3:  # written by the API
            document |= {"company": name, "status": "active", "updated_at": now}
        self.db.customers.insert_one(document)
        self.customers.append(customer_id)
        self._trigger("new_customer", now, f"Nuovo cliente: {name}", customer_id=customer_id)
        return customer_id

    def rename_customer(self, now: datetime) -> None:
        customer_id = self.chance.choice(self.customers)
        name = f"{self.chance.choice(FIRST)} {self.chance.choice(SECOND)}"
        self.db.customers.update_one({"_id": customer_id}, {"$set": {"name": name, "updated_at": now}})

    # -- licences -------------------------------------------------------------------------------------------

    def create_license(self, now: datetime) -> ObjectId:
        plan = self.plans[self.chance.choices(list(self.plans), (45, 35, 12, 8))[0]]
        license_id = self._insert_license(self.chance.choice(self.customers), plan, now)
        customer = self.db.customers.find_one({"_id": self.customers[-1]}, {"name": 1}) or {}
        name = customer.get("name", "")
        facts = {"license_id": license_id, "plan_name": plan["name"], "amount": plan["price"]}
        self._trigger("license_created", now, f"Nuova licenza {plan['display_name']}: {name}", **facts)
        self._trigger("payment_completed", now, f"Pagamento ricevuto: €{plan['price']:.2f}", **facts)
        return license_id

    def insert_manual_license(self, now: datetime) -> ObjectId:
        """A licence entered by hand, for the placeholder customer, on the founders plan."""
        found = self.db.customers.find_one({"email": MANUAL_EMAIL}, {"_id": 1})
        customer_id = found["_id"] if found else self._insert_customer("Manual", MANUAL_EMAIL, now)
        return self._insert_license(customer_id, self.plans["founders"], now)

    def _insert_license(self, customer_id: ObjectId, plan: Document, now: datetime) -> ObjectId:
        license_id = self._id()
        term = None if plan["is_lifetime"] else now + timedelta(days=30)
        key = "-".join(["CHA", *(self._hex(8).upper() for _ in range(4))])
        document: Document = {
            "_id": license_id,
            "license_key": key,
            "customer_id": customer_id,
            "plan_id": plan["_id"],
            "status": "active",
            "domain": f"{self._hex(6)}.example",
            "activated_at": now,
            "expires_at": term,
            "usage_count": 0,
            "created_at": now,
        }
        self.db.licenses.insert_one(document)
        self.licenses.append(license_id)
        return license_id

    def change_plan(self, now: datetime) -> None:
        plan = self.plans[self.chance.choice(("starter", "pro", "agency"))]
        self._set(self.chance.choice(self.licenses), {"plan_id": plan["_id"], "updated_at": now})

    def cancel(self, now: datetime) -> None:
        self._set(self.chance.choice(self.licenses), {"status": "cancelled", "updated_at": now})

    def suspend(self, now: datetime) -> None:
        self._set(self.chance.choice(self.licenses), {"status": "suspended", "updated_at": now})

    def reactivate(self, now: datetime) -> None:
        self._set(self.chance.choice(self.licenses), {"status": "active", "updated_at": now})

    def renew(self, now: datetime) -> None:
        end = now + timedelta(days=60, seconds=self.chance.randrange(86400))
        self._set(self.chance.choice(self.licenses), {"expires_at": end, "updated_at": now})

    def let_expire_soon(self, now: datetime) -> None:
        """The licence will end in two seconds, and nobody will write that it did."""
        self._set(self.chance.choice(self.licenses), {"expires_at": now + timedelta(seconds=2)})

    def replace_license(self, now: datetime) -> None:
        """The API's other way to update: the whole document anew."""
        license_id = self.chance.choice(self.licenses)
        document = self.db.licenses.find_one({"_id": license_id})
        if document is not None:
            self.db.licenses.replace_one({"_id": license_id}, {**document, "status": "active", "updated_at": now})

    def delete_license(self, _now: datetime) -> None:
        license_id = self.licenses.pop(self.chance.randrange(len(self.licenses)))
        self.db.licenses.delete_one({"_id": license_id})

    def reprice(self, name: str, price: float) -> None:
        """An admin changes a plan's price by hand."""
        self.plans[name]["price"] = price
        self.db.plans.update_one({"_id": self.plans[name]["_id"]}, {"$set": {"price": price}})

    def touch_some(self, now: datetime) -> None:
        self.touch(50, now)

    def touch(self, count: int, now: datetime) -> None:
        """API calls and validations: what means nothing to analytics, and is most of the traffic."""
        writes = [
            UpdateOne(
                {"_id": self.chance.choice(self.licenses)},
                {"$set": {"last_check": now, "last_verified": now, "updated_at": now}, "$inc": {"usage_count": 1}},
            )
            for _ in range(count)
        ]
        self.db.licenses.bulk_write(writes, ordered=False)

    def _set(self, license_id: ObjectId, fields: Document) -> None:
        self.db.licenses.update_one({"_id": license_id}, {"$set": fields})

    # -- what the dashboard tells itself --------------------------------------------------------------------

    def save_today(self, day: datetime, now: datetime) -> None:
        """The button "save today": the whole row replaced by the dashboard's own numbers and fields."""
        active = list(self.db.licenses.find({"status": "active"}, {"plan_id": 1}))
        prices = {plan["_id"]: plan["price"] for plan in self.db.plans.find()}
        mrr = round(sum(prices.get(license["plan_id"], 0.0) for license in active), 2)
        row = old_row(day, self.db.customers.count_documents({}), len(active), mrr, "Salvato a mano", now)
        self.db.historical_analytics.replace_one({"date": day, "period_type": "daily"}, row, upsert=True)

    def _trigger(self, kind: str, now: datetime, description: str, **facts: Any) -> None:
        if not self.triggers:
            return
        event: Document = {
            "event_type": kind,
            "event_date": now,
            "customer_id": None,
            "license_id": None,
            "plan_name": None,
            "amount": None,
            "currency": "EUR",
            "description": description,
            "auto_generated": True,
            "metadata": {},
            "processed": False,
            "created_at": now,
        }
        self.db.business_events.insert_one({**event, **facts})

    # -- the days before ------------------------------------------------------------------------------------

    def live_through(self, first: datetime, last: datetime) -> None:
        """The days from `first` to before `last` as the old cron left them: documents, and a row each."""
        day = first
        while day < last:
            told = [self._earlier_sale(day) for _ in range(self.chance.choices((0, 1, 2, 3), (30, 40, 20, 10))[0])]
            active = list(self.db.licenses.find({"status": "active"}, {"plan_id": 1}))
            titles = {plan["_id"]: plan for plan in self.plans.values()}
            mrr = sum(p["price"] for p in (titles[x["plan_id"]] for x in active) if not p["is_lifetime"])
            row = old_row(day, len(self.customers), len(active), round(mrr, 2), " • ".join(told), day)
            self.db.historical_analytics.insert_one(row)
            day += timedelta(days=1)

    def _earlier_sale(self, day: datetime) -> str:
        at = day + timedelta(minutes=self.chance.randrange(8 * 60, 20 * 60))
        name = f"{self.chance.choice(FIRST)} {self.chance.choice(SECOND)}"
        customer_id = self._insert_customer(name, f"{self._hex(8)}@example.com", at)
        plan = self.plans[self.chance.choices(list(self.plans), (45, 35, 12, 8))[0]]
        self._insert_license(customer_id, plan, at)
        self._set(self.licenses[-1], {"expires_at": None})
        return f"🎉 Nuovo cliente: {name} • 💰 Pagamento ricevuto: €{plan['price']:.2f}"

    def _id(self) -> ObjectId:
        return ObjectId(self.chance.randbytes(12))

    def _hex(self, digits: int) -> str:
        return self.chance.randbytes(digits // 2).hex()


def old_row(day: datetime, customers: int, paying: int, mrr: float, notes: str, now: datetime) -> Document:
    """A row in exactly the fields the dashboard writes; it counts every active licence as a paying customer."""
    return {
        "date": day,
        "period_type": "daily",
        "total_customers": customers,
        "paying_customers": paying,
        "mrr": mrr,
        "arr": round(mrr * 12, 2),
        "new_customers": 0,
        "churned_customers": 0,
        "notes": notes,
        "revenue_by_plan": {},
        "auto_events": [],
        "created_at": now,
        "updated_at": now,
    }
