"""What a listed customer has to have besides a document: a license of a plan, one that ends soon, a return."""

from collections.abc import Iterable
from typing import Protocol

from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE
from daemon.mongo.collections import LEDGER, MIRROR
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, Document
from daemon.store.mirror.states import ids_of
from rules.model.changes import DocId, Source
from rules.model.ledger import MovementKind

FEW_LICENSES = 2000
"""Up to so many licenses of a plan, or that end soon, their customers are read first."""
FEW_RETURNED = 20_000
"""Up to so many returned customers, these are read first; the server reads all returns to count them anyway."""


class Owned(Protocol):
    """A condition on what belongs to a customer."""

    def few(self) -> set[DocId] | None:
        """Return all customers that fulfill it if they are few, else None."""

    def of(self, customer_ids: Iterable[DocId]) -> set[DocId]:
        """Return those of the customers that fulfill it."""


class License:
    """A license with a condition, which the index of ends supports if it is about these."""

    def __init__(self, database: Database, session: ClientSession, condition: Document) -> None:
        self.mirror = database[MIRROR]
        self.session = session
        self.condition = condition

    def few(self) -> set[DocId] | None:
        condition = self.condition if "due" in self.condition else {**self.condition, "_id": ids_of(Source.LICENSES)}
        owners = self._owners(condition, FEW_LICENSES + 1)
        return None if len(owners) > FEW_LICENSES else set(owners)

    def of(self, customer_ids: Iterable[DocId]) -> set[DocId]:
        return set(self._owners({"fields.customer_id": {"$in": [*customer_ids]}, **self.condition}))

    def _owners(self, condition: Document, limit: int = 0) -> list[DocId]:
        fields, size = {"fields.customer_id": 1}, limit or BATCH_SIZE
        found = self.mirror.find(condition, fields, session=self.session, batch_size=size).limit(limit)
        return [canonical(one["fields"]["customer_id"]) for one in found if "customer_id" in one["fields"]]


class Return:
    """A return with MRR after a time without, that was not reversed as part of a change of plan."""

    def __init__(self, database: Database, session: ClientSession) -> None:
        self.ledger = database[LEDGER]
        self.session = session

    def few(self) -> set[DocId] | None:
        found = self._owners([{"$sort": {"customer_id": 1}}], [{"$limit": FEW_RETURNED + 1}])  # as the index of returns
        return None if len(found) > FEW_RETURNED else found

    def of(self, customer_ids: Iterable[DocId]) -> set[DocId]:
        return self._owners([{"$match": {"customer_id": {"$in": [*customer_ids]}}}], [])

    def _owners(self, before: list[Document], after: list[Document]) -> set[DocId]:
        stages: list[Document] = [
            {"$match": {"kind": MovementKind.REACTIVATION.value}},
            *before,
            {"$group": {"_id": "$customer_id", "count": {"$sum": "$count"}}},
            {"$match": {"count": {"$gt": 0}}},
            *after,
        ]
        return {canonical(one["_id"]) for one in self.ledger.aggregate(stages, session=self.session)}
