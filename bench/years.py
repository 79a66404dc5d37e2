"""A shop of three years, replayed through the real pipeline at the dates of its changes, with the rows of its days.

The story is the same in every run except for its end, which is now.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count, pairwise
from random import Random
from typing import NamedTuple, TypeVar

from bson import ObjectId, Timestamp

from bench import shop
from bench.server import DATABASE, Server
from daemon import clock
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.demo.simulator import documents
from daemon.mongo.types import Database, Document
from daemon.pipeline.pipeline import Pipeline
from daemon.rollup.rollup import Rollup
from daemon.runtime.health import Health
from daemon.source.decode import Decoder
from daemon.source.filter import fingerprint
from daemon.source.stream import StreamItem, StreamPosition
from daemon.store import indexes
from daemon.store.checkpoint import CHECKPOINT_ID, Checkpoint
from daemon.store.commit import Committer
from daemon.store.lease import Leaser
from daemon.store.mirror.reader import MirrorReader
from rules.model.changes import Change, Fields, Operation, Source

Item = TypeVar("Item")

SPAN = timedelta(days=3 * 365)
TERM = timedelta(days=365)
BATCH = 800
INSERTED = 5000
WITHOUT_LICENSE = 0.12
PLAN_WEIGHTS = (45, 35, 14, 6)
"""Of the plans of the dashboard; the last one is for life."""
OUTCOMES = (("stays", "cancelled", "moves", "pauses", "fails"), (65, 14, 10, 6, 5))
"""What happens to a license in its first year, with weights."""


class Write(NamedTuple):
    """One write of the story; an update has only the changed fields."""

    at: datetime
    source: Source
    document: Document
    is_update: bool = False


class Story:
    """Customers who register evenly over the years, buy, pay each year, and sometimes leave, return or change plan."""

    def __init__(self, end: datetime, seed: int = 20) -> None:
        self.end = end
        self.chance = Random(seed)
        self.payments = count(1)

    def writes(self, customers: int) -> list[Write]:
        step = SPAN / customers
        made = (one for number in range(customers) for one in self._of(number, self.end - SPAN + number * step))
        return sorted((one for one in made if one.at < self.end), key=lambda one: one.at)

    def _of(self, number: int, at: datetime) -> Iterator[Write]:
        yield Write(at, Source.CUSTOMERS, {**shop.customer(number), "created_at": at})
        if self.chance.random() >= WITHOUT_LICENSE:
            yield from self._license(number, at + timedelta(minutes=self.chance.randrange(1, 3000)))

    def _license(self, number: int, at: datetime) -> Iterator[Write]:
        plan = self.chance.choices(range(len(shop.PLANS)), PLAN_WEIGHTS)[0]
        is_lifetime = documents.OFFERS[plan].is_lifetime
        sold = {**shop.license(number), "plan_id": shop.PLANS[plan], "created_at": at, "activated_at": at}
        yield Write(at, Source.LICENSES, {**sold, "expires_at": None if is_lifetime else at + TERM})
        yield self._payment(number, plan, at)
        if not is_lifetime:
            yield from self._first_year(number, plan, at)

    def _first_year(self, number: int, plan: int, at: datetime) -> Iterator[Write]:
        outcome, then = self.chance.choices(*OUTCOMES)[0], at + timedelta(self.chance.randrange(5, 360))
        if outcome == "cancelled":
            yield self._update(number, then, status="cancelled")
            return
        if outcome == "moves":
            yield self._update(number, then, plan_id=shop.PLANS[(plan + 1) % shop.SOLD])
        elif outcome == "pauses":
            yield self._update(number, then, status="suspended")
            yield self._update(number, then + timedelta(3), status="active")
        elif outcome == "fails":
            yield self._payment(number, plan, then, "failed")
        for year in (1, 2):
            renewed = at + year * TERM - timedelta(hours=self.chance.randrange(1, 100))
            yield self._update(number, renewed, expires_at=at + (year + 1) * TERM)
            yield self._payment(number, plan, renewed)

    def _update(self, number: int, at: datetime, **fields: object) -> Write:
        return Write(at, Source.LICENSES, {"_id": shop.license_id(number), **fields}, is_update=True)

    def _payment(self, number: int, plan: int, at: datetime, status: str = "completed") -> Write:
        paid = {"_id": ObjectId(f"{0xE0 << 88 | next(self.payments):024x}"), "status": status, "created_at": at}
        owner = {"customer_id": shop.customer_id(number), "license_id": shop.license_id(number)}
        return Write(at, Source.PAYMENTS, {**paid, **owner, "amount": documents.OFFERS[plan].price, "currency": "EUR"})


def build(server: Server, customers: int) -> None:
    """Create the shop with this many customers, and what a daemon that followed it all would have stored."""
    server.client.drop_database(DATABASE)
    shop.open_shop(server.db)
    indexes.create(server.db)
    indexes.create_for_pages(server.db)
    config = Config.model_validate({"mongodb": {"uri": server.uri, "database": DATABASE}})
    writes = Story(clock.now()).writes(customers)
    _replay(server.db, config, writes)
    _store(server.db, writes)
    now = {"token": None, "cluster_time": server.now(), "position": ""}
    server.db.analytics_checkpoint.update_one({"_id": CHECKPOINT_ID}, {"$set": now})
    Rollup(server.db, ActiveConfig(config)).close_missing(clock.now())


def _replay(db: Database, config: Config, writes: Sequence[Write]) -> None:
    plans = [Write(writes[0].at, Source.PLANS, plan) for plan in db.plans.find()]
    parts = [*_parts(items(config, [*plans, *writes]), BATCH), []]
    with pipeline(db, config) as open_pipeline:
        for part, waiting in pairwise(parts):
            open_pipeline.handle(part, waiting)
        open_pipeline.advance()


@contextmanager
def pipeline(db: Database, config: Config) -> Iterator[Pipeline]:
    """Open the real pipeline of an empty ledger, without a stream."""
    leaser, settings = Leaser(db, "bench", config.lease.seconds), config.settings()
    with db.client.start_session() as session:
        lease = leaser.acquire(session)
        assert lease is not None, "the lease is held by another daemon"
        committer = Committer(db, lease, settings, config.mongodb.timeout_seconds)
        checkpoint = Checkpoint(epoch=lease.epoch, fingerprint=fingerprint(db.name, config.rules.custom))
        yield Pipeline(MirrorReader(db, settings), committer, checkpoint, config, Health(), threading.Event())
        leaser.release(lease)


def items(config: Config, writes: Sequence[Write], first: int = 1) -> list[StreamItem]:
    """Return writes as the stream delivers them, numbered from `first`."""
    decoder = Decoder(config.time.naive_zone, config.rules.manual_email, lambda _: False)
    return [_item(decoder, number, one) for number, one in enumerate(writes, first)]


def _item(decoder: Decoder, number: int, one: Write) -> StreamItem:
    rest = {name: value for name, value in one.document.items() if name != "_id"}
    fields: Fields = decoder.values(rest) if one.is_update else decoder.document(one.source, one.document)
    op = Operation.UPDATE if one.is_update else Operation.INSERT
    change = Change(one.source, op, one.document["_id"], one.at, f"82{number:010d}", fields)
    return StreamItem(change, StreamPosition(None, Timestamp(int(one.at.timestamp()), number)))


def _store(db: Database, writes: Sequence[Write]) -> None:
    """Write the source documents as they are at the end, so that a verification finds them."""
    found: dict[Source, dict[ObjectId, Document]] = {}
    for one in writes:
        documents = found.setdefault(one.source, {})
        documents[one.document["_id"]] = {**documents.get(one.document["_id"], {}), **one.document}
    for source, of_source in found.items():
        for part in _parts(list(of_source.values()), INSERTED):
            db[source.value].insert_many(part, ordered=False)


def _parts(items: list[Item], size: int) -> Iterator[list[Item]]:
    return (items[first : first + size] for first in range(0, len(items), size))
