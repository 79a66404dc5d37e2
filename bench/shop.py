"""The measured shop: documents of the dashboard's schema, identical in every run."""

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
CREATED = datetime(2026, 11, 2, 9, tzinfo=UTC)
TERM = timedelta(days=400)
"""Long enough that no license expires during a run."""
PLANS = tuple(ObjectId(f"{number:024x}") for number in range(1, len(documents.OFFERS) + 1))
SOLD = 3
"""Number of plans in use: the first three; the lifetime plan is rare."""

EVENT_INDEXES = ("event_date", "event_type", "customer_id", "license_id", "processed", "auto_generated")


def open_shop(db: Database) -> None:
    """Create the dashboard's indexes and plans."""
    index(db)
    plans = [documents.plan(key, offer, CREATED) for key, offer in zip(PLANS, documents.OFFERS, strict=True)]
    db.plans.insert_many(plans)


def index(db: Database) -> None:
    """Create the dashboard's indexes."""
    db.business_events.create_indexes([IndexModel(name) for name in EVENT_INDEXES])
    db.customers.create_index("email", unique=True)
    db.licenses.create_index("license_key", unique=True)


def fill(db: Database, licenses: int, per_customer: int = 1) -> None:
    """Insert this many licenses and their customers."""
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
    return documents.customer(customer_id(number), name, f"{number}@example.com", CREATED)


def license(number: int, owner: int | None = None) -> Document:
    """Return a license; its customer has the same number unless `owner` is given."""
    plan = {"_id": PLANS[number % SOLD], "is_lifetime": False}
    key = f"CHA-{number:08X}-00000000-00000000-00000000"
    sold = documents.license(license_id(number), key, customer_id(number if owner is None else owner), plan, CREATED)
    return sold | {"expires_at": CREATED + TERM, "activated_at": CREATED, "domain": f"{number}.example.com"}


class Backlog:
    """Changes: a quarter new customers, a quarter new licenses, half plan changes of old and new licenses.

    `plans` are the plans of the licenses that earlier backlogs of the same shop moved.
    """

    def __init__(self, stock: int, changes: int, seed: int = 8, plans: dict[int, int] | None = None) -> None:
        self.plans = plans
        self.stock = stock
        self.changes = changes
        self.seed = seed

    def chunks(self) -> Iterator[tuple[list[Document], list[Document], list[UpdateOne]]]:
        """Yield the changes by thousands, in the order of writing."""
        chance = Random(self.seed)
        plan_of = {} if self.plans is None else self.plans
        quarter = CHUNK // 4
        for number in range(self.stock, self.stock + self.changes // 4, quarter):
            numbers = range(number, number + quarter)
            moves = [self._move(chance, plan_of, number + quarter) for _ in range(2 * quarter)]
            yield [customer(n) for n in numbers], [license(n) for n in numbers], moves

    def _move(self, chance: Random, plan_of: dict[int, int], known: int) -> UpdateOne:
        number = chance.randrange(known)
        plan = (plan_of.get(number, number % SOLD) + chance.randrange(1, SOLD)) % SOLD
        plan_of[number] = plan
        moved = {"plan_id": PLANS[plan], "updated_at": CREATED + timedelta(seconds=number)}
        return UpdateOne({"_id": license_id(number)}, {"$set": moved})

    def write(self, db: Database, noise: int = 0) -> None:
        """Write all changes, with `noise` updates of `last_check` before each change."""
        for chunk in self.chunks():
            customers, licenses, moves = chunk
            if not noise:
                db.customers.insert_many(customers)
                db.licenses.insert_many(licenses)
                db.licenses.bulk_write(moves, ordered=True)
            else:
                _write_with_noise(db, chunk, noise)


def _write_with_noise(db: Database, chunk: tuple[list[Document], list[Document], list[UpdateOne]], noise: int) -> None:
    """Write a chunk in ten parts of each kind, with a share of the noise before each part."""
    customers, licenses, moves = chunk
    share = noise * CHUNK // (3 * PARTS)
    for part in range(3 * PARTS):
        _write_noise(db, share, part)
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


def _write_noise(db: Database, count: int, part: int) -> None:
    """Write API calls, each of which sets `last_check` and increments a counter."""
    calls = [
        UpdateOne({"_id": license_id(n)}, {"$set": {"last_check": CREATED}, "$inc": {"usage_count": 1}})
        for n in range(part, part + count)
    ]
    db.licenses.bulk_write(calls, ordered=False)
