"""Saved contents of a database, restored before each run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database

from bench import shop
from bench.server import DATABASE, Server
from bench.subject import ready
from daemon.mongo.collections import CHECKPOINT
from daemon.store import indexes
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.lease import LEASE_ID

RAW: CodecOptions[RawBSONDocument] = CodecOptions(RawBSONDocument)
CHUNK = 5000


@dataclass(frozen=True, slots=True)
class State:
    """All collections of a bootstrapped shop, as raw BSON."""

    collections: dict[str, list[RawBSONDocument]]

    def restore(self, server: Server) -> None:
        """Restore the database and set its checkpoint to the server's current time."""
        server.client.drop_database(DATABASE)
        shop.open_shop(server.db)
        indexes.create(server.db)
        raw = server.client.get_database(DATABASE, codec_options=RAW)
        for name, documents in self.collections.items():
            for start in range(0, len(documents), CHUNK):
                raw[name].insert_many(documents[start : start + CHUNK])
        now = {"token": None, "cluster_time": server.now(), "position": ""}
        server.db[CHECKPOINT].update_one({"_id": CHECKPOINT_ID}, {"$set": now})


def bootstrapped(server: Server, stock: int) -> State:
    """Create a shop, run the daemon's first start, stop it, and return the saved state."""
    server.client.drop_database(DATABASE)
    shop.open_shop(server.db)
    shop.fill(server.db, stock)
    with ready(server.uri):
        pass
    return save(server, lambda name: name != "plans")


def save(server: Server, is_included: Callable[[str], bool]) -> State:
    raw = cast("Database[RawBSONDocument]", server.client.get_database(DATABASE, codec_options=RAW))
    names = [name for name in raw.list_collection_names() if is_included(name)]
    return State({name: _documents(raw[name], _query_without_lease(name)) for name in names})


def _documents(collection: Collection[RawBSONDocument], query: dict[str, Any]) -> list[RawBSONDocument]:
    return list(collection.find(query))


def _query_without_lease(name: str) -> dict[str, Any]:
    return {"_id": {"$ne": LEASE_ID}} if name == CHECKPOINT else {}
