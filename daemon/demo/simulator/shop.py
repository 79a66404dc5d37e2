"""State of the simulated shop (database, random generator, plans) and its basic writes."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bson import ObjectId

from daemon.demo.simulator import documents
from daemon.demo.simulator.documents import OFFERS
from daemon.demo.simulator.license_registry import Card, Registry
from daemon.demo.simulator.triggers import Triggers
from daemon.mongo.types import Database, Document

EVENT_INDEXES = ("event_date", "event_type", "customer_id", "license_id", "processed", "auto_generated")
ROME = ZoneInfo("Europe/Rome")
REPLACED_SHARE = 0.25
"""Share of license updates that the API makes: read the document, change it, replace it."""


class OperationResult(NamedTuple):
    """Result of one operation. `plan` is the name of the final plan, `written` the number of documents written.

    0 means that there was nothing to do.
    """

    operation: str
    customer_id: ObjectId | None = None
    license_id: ObjectId | None = None
    plan: str | None = None
    written: int = 1


def _no_pause() -> None:
    return None


class Shop:
    """State of a `Dashboard`. Not thread-safe.

    `triggers`: it writes its own business events after each creation, as newer dashboards do; `pause` is called
    between a document and its events. `pays`: each sale and renewal has a payment, shortly before or after it;
    some are pending, failed or delivered twice. `hostile`: one customer in five has a name that breaks code which
    trusts it. `local` is the zone of the API's naive times.
    """

    def __init__(
        self,
        database: Database,
        rng: Random,
        *,
        triggers: bool = False,
        pays: bool = False,
        hostile: bool = False,
        pause: Callable[[], None] = _no_pause,
        local: tzinfo = ROME,
    ) -> None:
        self.db = database
        self.rng = rng
        self.hostile = hostile
        self.pays = pays
        self.local = local
        self._process = rng.randbytes(5)
        self._counter = itertools.count(rng.randrange(1 << 24))
        self.plans: dict[str, Document] = {}
        self.people: Registry[ObjectId, str] = Registry()
        self.cards: Registry[ObjectId, Card] = Registry()
        self.triggers = Triggers(database, self.new_id, pause) if triggers else None

    def set_up(self, now: datetime) -> None:
        """Create the plans and the dashboard's indexes; load the documents of a database that already has them.

        An existing database needs another seed than the one that filled it, because keys and addresses would repeat.
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
        self._load_existing()

    def _load_existing(self) -> None:
        names = {plan["_id"]: name for name, plan in self.plans.items()}
        for customer in self.db.customers.find({}, {"name": 1}).sort("_id", 1):
            self.people.add(customer["_id"], customer.get("name", ""))
        for license in self.db.licenses.find({}).sort("_id", 1):
            if license["plan_id"] in names:
                self.cards.add(license["_id"], card(license, names[license["plan_id"]]))

    @property
    def customers(self) -> Sequence[ObjectId]:
        """Ids of the current customers."""
        return self.people.keys

    @property
    def licenses(self) -> Sequence[ObjectId]:
        """Ids of the current licenses of any status."""
        return self.cards.keys

    def new_id(self, now: datetime) -> ObjectId:
        """Return an ObjectId as a driver creates it at `now`: seconds, five bytes of the process, a counter."""
        count = next(self._counter) % (1 << 24)
        return ObjectId(int(now.timestamp()).to_bytes(4, "big") + self._process + count.to_bytes(3, "big"))

    def hex(self, digits: int) -> str:
        return self.rng.randbytes(digits // 2).hex()

    def new_key(self) -> str:
        return "-".join(["CHA", *(self.hex(8).upper() for _ in range(4))])

    def api_time(self, now: datetime) -> datetime:
        """Return `now` as the API stores it: the server's local time without a zone."""
        return now.astimezone(self.local).replace(tzinfo=None)

    def name_of(self, customer_id: ObjectId) -> str:
        return self.people.cards.get(customer_id, "")

    def update(self, license_id: ObjectId, fields: Mapping[str, Any], now: datetime) -> int:
        """Change fields of a license by update or by replacement; return the number of documents changed."""
        if self.rng.random() >= REPLACED_SHARE:
            written = self.db.licenses.update_one({"_id": license_id}, {"$set": dict(fields) | {"updated_at": now}})
            return written.matched_count
        return self.replace(license_id, fields, now)

    def replace(self, license_id: ObjectId, fields: Mapping[str, Any], now: datetime) -> int:
        """Change fields by replacing the whole document; return the number of documents changed."""
        found = self.db.licenses.find_one({"_id": license_id})
        if found is None:
            return 0
        document = found | dict(fields) | {"updated_at": self.api_time(now)}
        return self.db.licenses.replace_one({"_id": license_id}, document).matched_count

    def write_event(self, kind: str, description: str, now: datetime, facts: Mapping[str, Any]) -> None:
        """Write a business event of the dashboard, if it has triggers."""
        if self.triggers is not None:
            self.triggers.write_event(kind, description, now, facts)

    def remember(self, customers: Sequence[Document], licenses: Sequence[tuple[Document, str]]) -> None:
        """Add inserted customers and licenses to the registries; licenses are given with their plan's name."""
        for customer in customers:
            self.people.add(customer["_id"], customer.get("name", ""))
        for license, plan in licenses:
            self.cards.add(license["_id"], card(license, plan))


def card(license: Document, plan: str) -> Card:
    """Return the card of a license document; a date without a zone is UTC, as in the database."""
    end = license["expires_at"]
    end = end.replace(tzinfo=UTC) if end is not None and end.tzinfo is None else end
    return Card(license["customer_id"], plan, license["status"], end, license["license_key"])
