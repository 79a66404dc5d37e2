"""A shop's life told at instants of the test's choosing, and the books a daemon that followed it would have kept.

The daemon's clock is the stream's, kept in the checkpoint: it moves by `move_clock`, the machine's stays as it is.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from bson import Timestamp

from daemon.config.schema import Config
from daemon.mongo import collections
from daemon.mongo.types import Database
from daemon.store import documents as records
from daemon.store import indexes
from daemon.store.checkpoint import Checkpoint, document_of
from daemon.store.mirror import states
from rules import business_days
from rules.model.changes import Change, Operation, Source
from rules.model.ledger import Movement, Totals
from tests import shop
from tests.rules.calendar_recount import ZONE
from tests.rules.shop import Shop


def book(db: Database, movements: Sequence[Movement], totals: Totals, now: datetime) -> None:
    """A ledger and its checkpoint, as a daemon that followed until `now` would have left them."""
    lines = [
        records.movement_document(movement, seq, business_days.business_day(movement.at, ZONE))
        for seq, movement in enumerate(movements, 1)
    ]
    if lines:
        db.analytics_ledger.insert_many(lines)
    move_clock(db, now, Checkpoint(epoch=1, fingerprint="test", totals=totals, seq=len(lines)))


def move_clock(db: Database, now: datetime, checkpoint: Checkpoint | None = None) -> None:
    """The stream's own time is the daemon's clock: this is how it moves, never the machine's."""
    told = document_of(checkpoint) if checkpoint else {}
    document = {**told, "cluster_time": Timestamp(int(now.timestamp()), 1)}
    db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": document, "$setOnInsert": {"epoch": 1}}, True)


def keep_plans(db: Database, followed: Shop) -> None:
    for plan_id, state in followed.plans.items():
        document = states.plan_document(state)
        db.analytics_mirror.insert_one({"_id": {"k": "plans", "id": plan_id}, **document, "fields": {}})


_STOOD: dict[str, dict[str, list[dict[str, Any]]]] = {}


def once(db: Database, name: str, make: Callable[[], object]) -> None:
    """What `make` does to this database, done once: a further database of that name is given the same documents."""
    if name in _STOOD:
        for collection, documents in _STOOD[name].items():
            db[collection].delete_many({})
            if documents:
                db[collection].insert_many(documents)
    else:
        make()
        _STOOD[name] = {collection: list(db[collection].find()) for collection in db.list_collection_names()}


def local(day: date, hour: int = 6, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), ZONE).astimezone(UTC)


def config_of(db: Database, **sections: Any) -> Config:
    return shop.config_for("mongodb://unused", db, **sections)


def row_of(db: Database, day: date, kind: str = "daily") -> dict[str, Any]:
    found = db.historical_analytics.find_one({"date": business_days.stored(day), "period_type": kind})
    assert found is not None, day
    return found


class Life:
    """A shop that sells, loses and wins back customers, one movement at a time, at instants of the test's choosing."""

    def __init__(self, db: Database, first: datetime) -> None:
        self.db = db
        self.shop, self.told = Shop(), 0
        for name, price in shop.PRICES.items():
            fields = {"name": name, "price": price, "is_lifetime": name == "founders"}
            self.happens(first, Source.PLANS, Operation.INSERT, name, fields)
        self.written = 0

    def happens(self, at: datetime, source: Any, op: Any, doc_id: Any, fields: dict[str, Any]) -> None:
        self.told += 1
        self.shop.apply([Change(source, op, doc_id, at, f"82{self.told:06d}", fields)])

    def customer(self, at: datetime, name: str) -> None:
        self.happens(at, Source.CUSTOMERS, Operation.INSERT, name, {"name": name})

    def license(self, at: datetime, name: str, customer: str, plan: str = "pro", **more: Any) -> None:
        fields = {"customer_id": customer, "plan_id": plan, "status": "active", "license_key": name, **more}
        self.happens(at, Source.LICENSES, Operation.INSERT, name, fields)

    def set(self, at: datetime, name: str, **fields: Any) -> None:
        self.happens(at, Source.LICENSES, Operation.UPDATE, name, fields)

    def tick(self, at: datetime) -> None:
        self.shop.tick(at)

    def store(self, now: datetime, *, reopen: bool = False) -> None:
        """Commit what is new, as the pipeline does: movements, events, totals, and the days that are reopened."""
        fresh = list(enumerate(self.shop.movements, 1))[self.written :]
        lines = [records.movement_document(line, seq, business_days.business_day(line.at, ZONE)) for seq, line in fresh]
        if lines:
            self.db.analytics_ledger.insert_many(lines)
        if not self.written:
            keep_plans(self.db, self.shop)
        self.written = len(self.shop.movements)
        documents = [records.event_document(event) for event in self.shop.events]
        known = {event["_id"] for event in self.db.business_events.find({}, {"_id": 1})}
        new = [document for document in documents if document["_id"] not in known]
        if new:
            self.db.business_events.insert_many(new)
        standing = {document["_id"] for document in documents}
        withdrawn = {collections.event_id(event.key) for event in self.shop.told} - standing
        self.db.business_events.delete_many({"_id": {"$in": list(withdrawn)}})
        move_clock(self.db, now, Checkpoint(epoch=1, fingerprint="t", totals=self.shop.totals, seq=self.written))
        if reopen:
            entries = [{"day": line["day"], "seq": line["_id"], "moved": True} for line in lines]
            self.db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$push": {"reopened": {"$each": entries}}})


def grown(database: Database) -> Life:
    """From 14 March to the end of June 2025: over the change to summer time."""
    indexes.create(database)
    born = local(date(2025, 3, 14), 15)
    made = Life(database, born)
    for name in ("ada", "bruno", "carla"):
        made.customer(born, name)
        made.license(born, f"L-{name}", name)
    made.customer(local(date(2025, 3, 29), 12), "dario")
    made.license(local(date(2025, 3, 29), 12), "L-dario", "dario", "agency", expires_at=local(date(2025, 4, 2), 23))
    made.set(local(date(2025, 3, 30), 1, 30), "L-ada", plan_id="agency")
    made.set(local(date(2025, 3, 30), 3, 30), "L-bruno", status="cancelled")
    made.tick(local(date(2025, 4, 2), 23))
    made.set(local(date(2025, 5, 10)), "L-bruno", status="active")
    made.license(local(date(2025, 5, 11)), "F", "ada", "founders")
    made.store(local(date(2025, 6, 30), 12))
    return made
