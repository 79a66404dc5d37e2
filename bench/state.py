"""Saved contents of a database, restored before each run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.collection import Collection
from pymongo.database import Database

from bench import shop
from bench.checkout import Checkout
from bench.server import Server
from bench.subject import ready
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.types import Document
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.lease import LEASE_ID

RAW: CodecOptions[RawBSONDocument] = CodecOptions(RawBSONDocument)
CHUNK = 5000


@dataclass(frozen=True, slots=True)
class State:
    """All collections of a bootstrapped shop, as raw BSON, and their indexes."""

    collections: dict[str, list[RawBSONDocument]]
    indexes: dict[str, list[IndexModel]]

    def restore(self, server: Server) -> None:
        """Restore the database and set its checkpoint to the server's current time."""
        server.client.drop_database(server.database)
        shop.open_shop(server.db)
        for name in self.collections.keys() - set(server.db.list_collection_names()):
            server.db.create_collection(name)
        for name, models in self.indexes.items():
            server.db[name].create_indexes(models)
        raw = server.client.get_database(server.database, codec_options=RAW)
        for name, documents in self.collections.items():
            for start in range(0, len(documents), CHUNK):
                raw[name].insert_many(documents[start : start + CHUNK])
        now = {"token": None, "cluster_time": server.now(), "position": ""}
        server.db[CHECKPOINT].update_one({"_id": CHECKPOINT_ID}, {"$set": now})


def bootstrapped(server: Server, stock: int, checkout: Checkout | None = None) -> State:
    """Create a shop, run the daemon's first start, stop it, and return the saved state."""
    server.client.drop_database(server.database)
    shop.open_shop(server.db)
    shop.fill(server.db, stock)
    with ready(server.uri, checkout=checkout, MONGODB_DATABASE=server.database):
        pass
    return save(server, lambda name: name != "plans")


def save(server: Server, is_included: Callable[[str], bool]) -> State:
    raw = cast("Database[RawBSONDocument]", server.client.get_database(server.database, codec_options=RAW))
    names = [name for name in raw.list_collection_names() if is_included(name)]
    documents = {name: _documents(raw[name], _query_without_lease(name)) for name in names}
    return State(documents, {name: models for name in names if (models := _indexes(server.db[name]))})


def _indexes(collection: Collection[Document]) -> list[IndexModel]:
    """Return the indexes of a collection besides that of `_id`."""
    found = (dict(index) for index in collection.list_indexes())
    return [IndexModel(list(one.pop("key").items()), **_options(one)) for one in found if one["name"] != "_id_"]


def _options(index: Document) -> Document:
    return {name: value for name, value in index.items() if name != "v"}


def _documents(collection: Collection[RawBSONDocument], query: dict[str, Any]) -> list[RawBSONDocument]:
    return list(collection.find(query))


def _query_without_lease(name: str) -> dict[str, Any]:
    return {"_id": {"$ne": LEASE_ID}} if name == CHECKPOINT else {}
