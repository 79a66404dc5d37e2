"""The shop every operation stands in: the database, chance, the plans, and how documents are written."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bson import ObjectId

from daemon.demo.simulator import documents
from daemon.demo.simulator.documents import OFFERS
from daemon.demo.simulator.license_registry import Card, Register
from daemon.demo.simulator.triggers import Triggers
from daemon.mongo.types import Database, Document

EVENT_INDEXES = ("event_date", "event_type", "customer_id", "license_id", "processed", "auto_generated")
ROME = ZoneInfo("Europe/Rome")
REPLACED_SHARE = 0.25
"""How many updates of a licence are the API's: read it, change it, write the whole document back."""


class Done(NamedTuple):
    """What one operation did. `plan` is the name of the plan it ended on; `written` how many documents it wrote.

    0 means that it found nothing to do.
    """

    operation: str
    customer_id: ObjectId | None = None
    license_id: ObjectId | None = None
    plan: str | None = None
    written: int = 1


def _at_once() -> None:
    return None


class Shop:
    """The state behind a `Dashboard`. One thread uses it at a time.

    `triggers`: it writes its own business events after each creation, as newer dashboards do; `pause` is called
    between a document and its events. `pays`: each sale and renewal leaves a payment, shortly before or after it, now
    and then a pending or a failed one, or one delivered twice. `hostile`: one customer in five has a name that breaks
    whoever trusts it.
    `local` is the zone of the API's naive times.
    """

    def __init__(
        self,
        database: Database,
        chance: Random,
        *,
        triggers: bool = False,
        pays: bool = False,
        hostile: bool = False,
        pause: Callable[[], None] = _at_once,
        local: tzinfo = ROME,
    ) -> None:
        self.db = database
        self.chance = chance
        self.hostile = hostile
        self.pays = pays
        self.local = local
        self._process = chance.randbytes(5)
        self._counter = itertools.count(chance.randrange(1 << 24))
        self.plans: dict[str, Document] = {}
        self.people: Register[ObjectId, str] = Register()
        self.cards: Register[ObjectId, Card] = Register()
        self.triggers = Triggers(database, self.new_id, pause) if triggers else None

    def set_up(self, now: datetime) -> None:
        """The plans and the dashboard's indexes; a database that has them is taken over as it stands.

        Taking over needs another seed than the one that filled it, whose keys and addresses would come again.
        """
        self.db.customers.create_index("email", unique=True)
        self.db.licenses.create_index("license_key", unique=True)
        for field in EVENT_INDEXES:
            self.db.business_events.create_index(field)
        self.db.historical_analytics.create_index([("date", 1), ("period_type", 1)], unique=True)
        for offer in OFFERS:
            plan = documents.plan(self.new_id(now), offer, now)
            self.plans[offer.name] = self.db.plans.find_one({"name": offer.name}) or plan
            if self.plans[offer.name] is plan:
                self.db.plans.insert_one(plan)
        self._take_over()

    def _take_over(self) -> None:
        names = {plan["_id"]: name for name, plan in self.plans.items()}
        for customer in self.db.customers.find({}, {"name": 1}).sort("_id", 1):
            self.people.add(customer["_id"], customer.get("name", ""))
        for license in self.db.licenses.find({}).sort("_id", 1):
            if license["plan_id"] in names:
                self.cards.add(license["_id"], card(license, names[license["plan_id"]]))

    @property
    def customers(self) -> Sequence[ObjectId]:
        """The customers there are."""
        return self.people.keys

    @property
    def licenses(self) -> Sequence[ObjectId]:
        """The licences there are, of any status."""
        return self.cards.keys

    def new_id(self, now: datetime) -> ObjectId:
        """An ObjectId as a driver makes it at `now`: seconds, five bytes of the process, a counter."""
        count = next(self._counter) % (1 << 24)
        return ObjectId(int(now.timestamp()).to_bytes(4, "big") + self._process + count.to_bytes(3, "big"))

    def hex(self, digits: int) -> str:
        return self.chance.randbytes(digits // 2).hex()

    def new_key(self) -> str:
        return "-".join(["CHA", *(self.hex(8).upper() for _ in range(4))])

    def api_time(self, now: datetime) -> datetime:
        """`now` as the API stores it: the server's local time without its zone."""
        return now.astimezone(self.local).replace(tzinfo=None)

    def name_of(self, customer_id: ObjectId) -> str:
        return self.people.cards.get(customer_id, "")

    def update(self, license_id: ObjectId, fields: Mapping[str, Any], now: datetime) -> int:
        """Change fields of a licence in one of the two styles in use; how many documents that was."""
        if self.chance.random() >= REPLACED_SHARE:
            written = self.db.licenses.update_one({"_id": license_id}, {"$set": dict(fields) | {"updated_at": now}})
            return written.matched_count
        return self.replace(license_id, fields, now)

    def replace(self, license_id: ObjectId, fields: Mapping[str, Any], now: datetime) -> int:
        """Change fields by writing the whole document back; how many documents that was."""
        found = self.db.licenses.find_one({"_id": license_id})
        if found is None:
            return 0
        whole = found | dict(fields) | {"updated_at": self.api_time(now)}
        return self.db.licenses.replace_one({"_id": license_id}, whole).matched_count

    def announce(self, kind: str, description: str, now: datetime, facts: Mapping[str, Any]) -> None:
        """Write a business event of the dashboard's own, where it has triggers."""
        if self.triggers is not None:
            self.triggers.tell(kind, description, now, facts)

    def prices(self) -> dict[ObjectId, tuple[str, float, bool]]:
        """Per plan id: its name, its price, and whether it is for life."""
        return {p["_id"]: (name, p["price"], p["is_lifetime"]) for name, p in self.plans.items()}

    def remember(self, customers: Sequence[Document], licenses: Sequence[tuple[Document, str]]) -> None:
        """Note what was inserted; licences come with their plan's name."""
        for customer in customers:
            self.people.add(customer["_id"], customer.get("name", ""))
        for license, plan in licenses:
            self.cards.add(license["_id"], card(license, plan))


def card(license: Document, plan: str) -> Card:
    """The card of a licence document; a date without a zone reads as the database reads it, in UTC."""
    end = license["expires_at"]
    end = end.replace(tzinfo=UTC) if end is not None and end.tzinfo is None else end
    return Card(license["customer_id"], plan, license["status"], end, license["license_key"])
