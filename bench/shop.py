"""The shop that is measured: documents in the dashboard's shapes, the same ones in every run."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from bson import ObjectId
from pymongo import IndexModel, UpdateOne

from daemon.demo.simulator import documents, names
from daemon.mongo.types import Database, Document

T = TypeVar("T")

CHUNK = 1000
PARTS = 10
BORN = datetime(2026, 11, 2, 9, tzinfo=UTC)
TERM = timedelta(days=400)
"""No licence ends while it is measured."""
PLANS = tuple(ObjectId(f"{number:024x}") for number in range(1, len(documents.OFFERS) + 1))
SOLD = 3
"""Of the plans, the first three are sold and changed to: founders are for life, and few."""

EVENT_INDEXES = ("event_date", "event_type", "customer_id", "license_id", "processed", "auto_generated")


def open_shop(db: Database) -> None:
    """The dashboard's indexes and its plans."""
    index(db)
    plans = [documents.plan(key, offer, BORN) for key, offer in zip(PLANS, documents.OFFERS, strict=True)]
    db.plans.insert_many(plans)


def index(db: Database) -> None:
    """Make the dashboard's indexes."""
    db.business_events.create_indexes([IndexModel(name) for name in EVENT_INDEXES])
    db.customers.create_index("email", unique=True)
    db.licenses.create_index("license_key", unique=True)


def fill(db: Database, licenses: int, per_customer: int = 1) -> None:
    """Write so many licences, and their customers, into the source."""
    for first in range(0, licenses // per_customer, CHUNK):
        db.customers.insert_many([customer(n) for n in range(first, min(first + CHUNK, licenses // per_customer))])
    for first in range(0, licenses, CHUNK):
        numbers = range(first, min(first + CHUNK, licenses))
        db.licenses.insert_many([license(n, n // per_customer) for n in numbers])


def customer_id(number: int) -> ObjectId:
    return ObjectId(f"{0xC0 << 88 | number:024x}")


def license_id(number: int) -> ObjectId:
    return ObjectId(f"{0xD0 << 88 | number:024x}")


def customer(number: int) -> Document:
    name = f"{names.FIRST[number % len(names.FIRST)]} {names.SECOND[number % len(names.SECOND)]} {number}"
    return documents.customer(customer_id(number), name, f"{number}@example.com", BORN)


def license(number: int, owner: int | None = None) -> Document:
    """Its customer is of the same number, where none is named."""
    plan = {"_id": PLANS[number % SOLD], "is_lifetime": False}
    key = f"CHA-{number:08X}-00000000-00000000-00000000"
    sold = documents.license(license_id(number), key, customer_id(number if owner is None else owner), plan, BORN)
    return sold | {"expires_at": BORN + TERM, "activated_at": BORN, "domain": f"{number}.example.com"}


class Backlog:
    """Changes that wait: a quarter customers, a quarter licences, half plan changes of licences old and new."""

    def __init__(self, stock: int, changes: int, seed: int = 8) -> None:
        self.stock = stock
        self.changes = changes
        self.seed = seed

    def chunks(self) -> Iterator[tuple[list[Document], list[Document], list[UpdateOne]]]:
        """A thousand changes at a time, in the order they are written."""
        chance = Random(self.seed)
        plan_of: dict[int, int] = {}
        quarter = CHUNK // 4
        for number in range(self.stock, self.stock + self.changes // 4, quarter):
            numbers = range(number, number + quarter)
            moves = [self._move(chance, plan_of, number + quarter) for _ in range(2 * quarter)]
            yield [customer(n) for n in numbers], [license(n) for n in numbers], moves

    def _move(self, chance: Random, plan_of: dict[int, int], known: int) -> UpdateOne:
        number = chance.randrange(known)
        plan = (plan_of.get(number, number % SOLD) + chance.randrange(1, SOLD)) % SOLD
        plan_of[number] = plan
        moved = {"plan_id": PLANS[plan], "updated_at": BORN + timedelta(seconds=number)}
        return UpdateOne({"_id": license_id(number)}, {"$set": moved})

    def write(self, db: Database, noise: int = 0) -> None:
        """Write all of it; with so many updates of `last_check` before each single change."""
        for chunk in self.chunks():
            customers, licenses, moves = chunk
            if not noise:
                db.customers.insert_many(customers)
                db.licenses.insert_many(licenses)
                db.licenses.bulk_write(moves, ordered=True)
            else:
                _write_hidden(db, chunk, noise)


def _write_hidden(db: Database, chunk: tuple[list[Document], list[Document], list[UpdateOne]], noise: int) -> None:
    """The same chunk in the same order, in ten parts of each kind, with a share of its noise before each."""
    customers, licenses, moves = chunk
    share = noise * CHUNK // (3 * PARTS)
    for part in range(3 * PARTS):
        _call(db, share, part)
        kind, number = divmod(part, PARTS)
        if kind == 0:
            db.customers.insert_many(_tenth(customers, number))
        elif kind == 1:
            db.licenses.insert_many(_tenth(licenses, number))
        else:
            db.licenses.bulk_write(_tenth(moves, number))


def _tenth(listed: Sequence[T], number: int) -> Sequence[T]:
    size = len(listed) // PARTS
    return listed[number * size : (number + 1) * size]


def _call(db: Database, count: int, part: int) -> None:
    """API calls: each sets `last_check` and counts."""
    called = [
        UpdateOne({"_id": license_id(n)}, {"$set": {"last_check": BORN}, "$inc": {"usage_count": 1}})
        for n in range(part, part + count)
    ]
    db.licenses.bulk_write(called, ordered=False)
