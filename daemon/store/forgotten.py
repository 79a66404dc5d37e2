"""The erasure list: a keyed hash of the id of each forgotten customer, and how often the list was extended.

The count is stored in the checkpoint and every commit is conditional on it: once a customer is on the list, nothing
decided before can be written. A customer who is inserted again has a new id and is a different customer.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import bson
import pymongo
from bson import Binary, Int64, ObjectId
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from daemon.mongo.client import translated
from daemon.mongo.collections import AUDIT, CHECKPOINT, ERASURE_LIST, MIRROR
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Database, Document
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.mirror.states import mirror_id, sort_name
from rules.model.changes import Source
from rules.model.facts import ErasureFact, Fact, FactType
from rules.privacy import erasure

KEY = "key"
ANNOUNCE = "announce"


@dataclass(frozen=True, slots=True)
class ErasureList:
    """The list at one point in time. `count` is None until a customer is forgotten for the first time."""

    count: int | None = None
    key: bytes = b""
    hashes: frozenset[str] = field(default_factory=frozenset)

    def contains(self, customer_id: object) -> bool:
        return bool(self.hashes) and customer_id is not None and not self.hashes.isdisjoint(self._hashes(customer_id))

    def hash(self, customer_id: object) -> str:
        """Return the keyed hash of a customer id; 24 hex digits mean the same customer as the ObjectId."""
        return next(self._hashes(customer_id))

    def extended(self, customer_id: object) -> "ErasureList":
        """Return the list with a further customer, as if it were stored."""
        return replace(self, hashes=self.hashes | {self.hash(customer_id)})

    def _hashes(self, customer_id: object) -> Iterator[str]:
        """Yield the hash of an id and, for an integer, the one that former versions computed of a 64-bit one."""
        if isinstance(customer_id, str) and ObjectId.is_valid(customer_id):
            customer_id = ObjectId(customer_id)
        with suppress(UnusableId):
            customer_id = canonical(customer_id)
        yield self._hash(customer_id)
        if isinstance(customer_id, int) and not isinstance(customer_id, bool):
            yield self._hash(Int64(customer_id))

    def _hash(self, value: object) -> str:
        return hmac.new(self.key, bson.encode({"": value}), hashlib.sha256).hexdigest()


def count(database: Database) -> int | None:
    """Return how often the list was extended, majority-committed; None if never."""
    collection = database.get_collection(CHECKPOINT, read_concern=ReadConcern("majority"))
    with translated():
        document = collection.find_one({"_id": CHECKPOINT_ID}, {"forgotten": 1})
    return document.get("forgotten") if document else None


def load(database: Database) -> ErasureList:
    """Read the list. The count is read first, so the next commit detects an addition in between."""
    known = count(database)
    if known is None:
        return ErasureList()
    with translated():
        found = list(database.get_collection(ERASURE_LIST, read_concern=ReadConcern("majority")).find())
    key = next((bytes(one["key"]) for one in found if one["_id"] == KEY), b"")
    return ErasureList(known, key, frozenset(one["_id"] for one in found if one["_id"] != KEY))


def refresh(database: Database, known: ErasureList) -> ErasureList:
    """Return the current list; it is read only if its count changed."""
    return known if count(database) == known.count else load(database)


def prepare(database: Database) -> ErasureList:
    """Return the list with its key, which is created on first use."""
    with translated():
        with suppress(DuplicateKeyError):
            database[ERASURE_LIST].insert_one({"_id": KEY, "key": Binary(secrets.token_bytes(32))})
        found = database[ERASURE_LIST].find_one({"_id": KEY}) or {}
    return ErasureList(count(database), bytes(found["key"]), load(database).hashes)


def add(database: Database, known: ErasureList, customer_id: object, now: datetime, *, announces: bool = False) -> bool:
    """Add a customer to the list and remove the name from the mirror, in one transaction.

    `announces`: targets are configured; the entry keeps the id until the leader has added it to the outbox.
    Return whether the mirror contained the name.
    """

    def write(session: ClientSession) -> bool:
        entry: Document = {"$setOnInsert": {"at": now}, **({"$set": {ANNOUNCE: customer_id}} if announces else {})}
        database[ERASURE_LIST].update_one({"_id": known.hash(customer_id)}, entry, upsert=True, session=session)
        _increment_count(database, session)
        key = {"_id": mirror_id(Source.CUSTOMERS, customer_id)}
        mirrored = database[MIRROR].find_one(key, session=session)
        if mirrored is None or not mirrored["fields"]:
            return False
        fields = erasure.fields_without_personal_data(mirrored["fields"])
        redacted = {"fields": dict(fields), "sort_name": sort_name(fields)}
        database[MIRROR].update_one(key, {"$set": redacted}, session=session)
        return bool(fields != mirrored["fields"])

    return _transaction(database, write)


def last_added_at(database: Database) -> datetime | None:
    """Return when the list was extended last; None if never."""
    with translated():
        found = database[ERASURE_LIST].find_one({"at": {"$exists": True}}, {"at": 1}, sort=[("at", -1)])
    return found["at"] if found else None


def has_to_announce(database: Database) -> bool:
    """Return whether a forgotten customer has to be announced to targets."""
    with translated():
        return database[ERASURE_LIST].find_one({ANNOUNCE: {"$exists": True}}, {"_id": 1}) is not None


def announced(database: Database, session: ClientSession, at: datetime) -> list[Fact]:
    """Return the facts about customers that were not announced yet, and forget their ids."""
    marked = {ANNOUNCE: {"$exists": True}}
    found = list(database[ERASURE_LIST].find(marked, session=session))
    if found:
        database[ERASURE_LIST].update_many(marked, {"$unset": {ANNOUNCE: ""}}, session=session)
    return [Fact(str(one["_id"]), FactType.CUSTOMER_FORGOTTEN, at, ErasureFact(one[ANNOUNCE])) for one in found]


def increment_count(database: Database) -> None:
    """Make every writer read the list, and the redacted data, again."""

    def write(session: ClientSession) -> bool:
        _increment_count(database, session)
        return True

    _transaction(database, write)


def _increment_count(database: Database, session: ClientSession) -> None:
    database[CHECKPOINT].update_one({"_id": CHECKPOINT_ID}, {"$inc": {"forgotten": 1}}, upsert=True, session=session)


def _transaction(database: Database, write: Any) -> bool:
    with translated(), pymongo.timeout(60), database.client.start_session() as session:
        return bool(
            session.with_transaction(
                write, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
            )
        )


def record(database: Database, entry: Document) -> None:
    """Write an audit entry; it must not identify the customer."""
    with translated():
        database.get_collection(AUDIT, write_concern=WriteConcern("majority")).insert_one(entry)
