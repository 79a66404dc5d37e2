"""Who is to be forgotten: a keyed hash of each customer's id, nothing else, and how often that list grew.

The count stands in the checkpoint, and every commit is made on condition of it: once a person is on the list, nothing
that was decided before can be written any more. A customer inserted anew has an id of its own and is somebody else.
"""

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import bson
import pymongo
from bson import Binary, ObjectId
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from daemon.mongo.client import translated
from daemon.mongo.collections import AUDIT, CHECKPOINT, FORGOTTEN, MIRROR
from daemon.mongo.types import Database, Document
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.mirror.states import mirror_id
from rules.model.changes import Source
from rules.privacy import erasure

KEY = "key"


@dataclass(frozen=True, slots=True)
class ErasureList:
    """The list as of one look at it. `count` is None until anybody ever was forgotten."""

    count: int | None = None
    key: bytes = b""
    hashes: frozenset[str] = field(default_factory=frozenset)

    def holds(self, customer_id: object) -> bool:
        """Whether the customer of this id is to be forgotten."""
        return bool(self.hashes) and customer_id is not None and self.hash(customer_id) in self.hashes

    def hash(self, customer_id: object) -> str:
        """The id by which the list knows a customer; 24 hex digits name the same one as the ObjectId."""
        if isinstance(customer_id, str) and ObjectId.is_valid(customer_id):
            customer_id = ObjectId(customer_id)
        return hmac.new(self.key, bson.encode({"": customer_id}), hashlib.sha256).hexdigest()


def count(database: Database) -> int | None:
    """How often somebody was forgotten, as every commit must know it."""
    collection = database.get_collection(CHECKPOINT, read_concern=ReadConcern("majority"))
    with translated():
        document = collection.find_one({"_id": CHECKPOINT_ID}, {"forgotten": 1})
    return document.get("forgotten") if document else None


def load(database: Database) -> ErasureList:
    """The list; the count is read first, so that an addition in between is found out by the next commit."""
    known = count(database)
    if known is None:
        return ErasureList()
    with translated():
        found = list(database.get_collection(FORGOTTEN, read_concern=ReadConcern("majority")).find())
    key = next((bytes(one["key"]) for one in found if one["_id"] == KEY), b"")
    return ErasureList(known, key, frozenset(one["_id"] for one in found if one["_id"] != KEY))


def refreshed(database: Database, known: ErasureList) -> ErasureList:
    """The list as it is now: read anew only if it grew."""
    return known if count(database) == known.count else load(database)


def prepare(database: Database) -> ErasureList:
    """The list with its key, which is made on the first use."""
    with translated():
        with suppress(DuplicateKeyError):
            database[FORGOTTEN].insert_one({"_id": KEY, "key": Binary(secrets.token_bytes(32))})
        found = database[FORGOTTEN].find_one({"_id": KEY}) or {}
    return ErasureList(count(database), bytes(found["key"]), load(database).hashes)


def add(database: Database, known: ErasureList, customer_id: object, now: datetime) -> bool:
    """Put a customer on the list and its name out of the mirror, in one transaction; whether the mirror held it."""

    def write(session: ClientSession) -> bool:
        database[FORGOTTEN].update_one(
            {"_id": known.hash(customer_id)}, {"$setOnInsert": {"at": now}}, upsert=True, session=session
        )
        _grow(database, session)
        key = {"_id": mirror_id(Source.CUSTOMERS, customer_id)}
        mirrored = database[MIRROR].find_one(key, session=session)
        if mirrored is None or not mirrored["fields"]:
            return False
        fields = erasure.fields_without_personal_data(mirrored["fields"])
        database[MIRROR].update_one(key, {"$set": {"fields": dict(fields)}}, session=session)
        return bool(fields != mirrored["fields"])

    return _transaction(database, write)


def grow(database: Database) -> None:
    """Have everybody who writes look at the list, and at what was cleaned, again."""

    def write(session: ClientSession) -> bool:
        _grow(database, session)
        return True

    _transaction(database, write)


def _grow(database: Database, session: ClientSession) -> None:
    database[CHECKPOINT].update_one({"_id": CHECKPOINT_ID}, {"$inc": {"forgotten": 1}}, upsert=True, session=session)


def _transaction(database: Database, write: Any) -> bool:
    with translated(), pymongo.timeout(60), database.client.start_session() as session:
        return bool(
            session.with_transaction(
                write, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
            )
        )


def record(database: Database, entry: Document) -> None:
    """Write what was done into the audit; nothing in it may name the person."""
    with translated():
        database.get_collection(AUDIT, write_concern=WriteConcern("majority")).insert_one(entry)
