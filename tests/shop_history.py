"""A shop's history at given instants, with the ledger that a daemon would have written for it.

The daemon uses the stream's time, stored in the checkpoint: `move_clock` moves it, the system clock stays unchanged.
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


def write_ledger(db: Database, movements: Sequence[Movement], totals: Totals, now: datetime) -> None:
    """Write a ledger and a checkpoint as of `now`."""
    lines = [
        records.movement_document(movement, seq, business_days.business_day(movement.at, ZONE))
        for seq, movement in enumerate(movements, 1)
    ]
    if lines:
        db.analytics_ledger.insert_many(lines)
    move_clock(db, now, Checkpoint(epoch=1, fingerprint="test", totals=totals, seq=len(lines)))


def move_clock(db: Database, now: datetime, checkpoint: Checkpoint | None = None) -> None:
    """Set the stream time in the checkpoint, which is the daemon's clock."""
    stored = document_of(checkpoint) if checkpoint else {}
    document = {**stored, "cluster_time": Timestamp(int(now.timestamp()), 1)}
    db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$set": document, "$setOnInsert": {"epoch": 1}}, True)


def store_plans(db: Database, followed: Shop) -> None:
    for plan_id, state in followed.plans.items():
        document = states.plan_document(state)
        db.analytics_mirror.insert_one({"_id": {"k": "plans", "id": plan_id}, **document, "fields": {}})


_SAVED: dict[str, dict[str, list[dict[str, Any]]]] = {}


def restore_or_create(db: Database, name: str, make: Callable[[], object]) -> None:
    """Run `make` on the database for the first use of `name`; later uses copy the documents it created."""
    if name in _SAVED:
        for collection, documents in _SAVED[name].items():
            db[collection].delete_many({})
            if documents:
                db[collection].insert_many(documents)
    else:
        make()
        _SAVED[name] = {collection: list(db[collection].find()) for collection in db.list_collection_names()}


def local(day: date, hour: int = 6, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), ZONE).astimezone(UTC)


def config_of(db: Database, **sections: Any) -> Config:
    return shop.config_for("mongodb://unused", db, **sections)


def row_of(db: Database, day: date, kind: str = "daily") -> dict[str, Any]:
    found = db.historical_analytics.find_one({"date": business_days.stored(day), "period_type": kind})
    assert found is not None, day
    return found


class ShopHistory:
    """Shop that sells, loses and wins back customers at given instants."""

    def __init__(self, db: Database, first: datetime) -> None:
        self.db = db
        self.shop, self.changes = Shop(), 0
        for name, price in shop.PRICES.items():
            fields = {"name": name, "price": price, "is_lifetime": name == "founders"}
            self.change(first, Source.PLANS, Operation.INSERT, name, fields)
        self.written = 0

    def change(self, at: datetime, source: Any, op: Any, doc_id: Any, fields: dict[str, Any]) -> None:
        self.changes += 1
        self.shop.apply([Change(source, op, doc_id, at, f"82{self.changes:06d}", fields)])

    def customer(self, at: datetime, name: str) -> None:
        self.change(at, Source.CUSTOMERS, Operation.INSERT, name, {"name": name})

    def license(self, at: datetime, name: str, customer: str, plan: str = "pro", **more: Any) -> None:
        fields = {"customer_id": customer, "plan_id": plan, "status": "active", "license_key": name, **more}
        self.change(at, Source.LICENSES, Operation.INSERT, name, fields)

    def set(self, at: datetime, name: str, **fields: Any) -> None:
        self.change(at, Source.LICENSES, Operation.UPDATE, name, fields)

    def tick(self, at: datetime) -> None:
        self.shop.tick(at)

    def store(self, now: datetime, *, reopen: bool = False) -> None:
        """Write the movements and events since the last call, totals and reopened days, as the pipeline does."""
        fresh = list(enumerate(self.shop.movements, 1))[self.written :]
        lines = [records.movement_document(line, seq, business_days.business_day(line.at, ZONE)) for seq, line in fresh]
        if lines:
            self.db.analytics_ledger.insert_many(lines)
        if not self.written:
            store_plans(self.db, self.shop)
        self.written = len(self.shop.movements)
        documents = [records.event_document(event) for event in self.shop.events]
        known = {event["_id"] for event in self.db.business_events.find({}, {"_id": 1})}
        new = [document for document in documents if document["_id"] not in known]
        if new:
            self.db.business_events.insert_many(new)
        existing = {document["_id"] for document in documents}
        withdrawn = {collections.event_id(event.key) for event in self.shop.emitted} - existing
        self.db.business_events.delete_many({"_id": {"$in": list(withdrawn)}})
        move_clock(self.db, now, Checkpoint(epoch=1, fingerprint="t", totals=self.shop.totals, seq=self.written))
        if reopen:
            entries = [{"day": line["day"], "seq": line["_id"], "moved": True} for line in lines]
            self.db.analytics_checkpoint.update_one({"_id": "checkpoint"}, {"$push": {"reopened": {"$each": entries}}})


def spring_history(database: Database) -> ShopHistory:
    """Return a history from 14 March to 30 June 2025, across the change to daylight saving time."""
    indexes.create(database)
    start = local(date(2025, 3, 14), 15)
    history = ShopHistory(database, start)
    for name in ("ada", "bruno", "carla"):
        history.customer(start, name)
        history.license(start, f"L-{name}", name)
    history.customer(local(date(2025, 3, 29), 12), "dario")
    history.license(local(date(2025, 3, 29), 12), "L-dario", "dario", "agency", expires_at=local(date(2025, 4, 2), 23))
    history.set(local(date(2025, 3, 30), 1, 30), "L-ada", plan_id="agency")
    history.set(local(date(2025, 3, 30), 3, 30), "L-bruno", status="cancelled")
    history.tick(local(date(2025, 4, 2), 23))
    history.set(local(date(2025, 5, 10)), "L-bruno", status="active")
    history.license(local(date(2025, 5, 11)), "F", "ada", "founders")
    history.store(local(date(2025, 6, 30), 12))
    return history
