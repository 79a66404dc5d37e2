"""The list of customers: in one of three orders, with filters, page after page.

A page begins after a customer, not after a number of them, so that a later page costs no more than the first. The
server sorts the customers of the mirror: an index for each order would slow down every sale (docs/decisions.md). Where
few customers can match (a search, a rare plan) only these are read.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from bson.max_key import MaxKey
from bson.min_key import MinKey
from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, Document
from daemon.store.customers.customer_search import CustomerSearch
from daemon.store.mirror.states import customer_of, mirror_id
from rules.model.changes import DocId, Source
from rules.model.states import CustomerState

CHUNK = 200
FEW = 2000
"""Up to so many licenses of a plan, or ends within `EXPIRING`, their customers are read first."""
EXPIRING = timedelta(days=14)
FIRST_READ = 1000
"""Customers that are compared with a condition on licenses before all are sorted: usually they fill a page."""


class Order(StrEnum):
    MRR = "mrr"
    NAME = "name"
    REGISTERED = "registered"


LISTED: Document = {"$or": [{"present": True}, {"active_licenses": {"$gt": 0}}]}
"""Existing customers, and those without a document whose licenses count."""

KEYS: dict[Order, str] = {
    Order.MRR: "mrr_cents",
    Order.NAME: "name",
    Order.REGISTERED: "fields.created_at",
}
"""The field that each order compares; `NAME` is computed."""
NAME: Document = {
    "name": {"$cond": [{"$eq": [{"$type": "$fields.name"}, "string"]}, {"$toLower": "$fields.name"}, ""]},
}
"""Without case; other programs may have stored a name of any type."""


class CustomerFilter(StrEnum):
    """Filters by state; see `CONDITIONS`. EXPIRING: an active license ends within `EXPIRING`."""

    ALL = "all"
    PAYING = "paying"
    LIFETIME = "lifetime"
    WITHOUT = "without"
    LOST = "lost"
    EXPIRING = "expiring"


CONDITIONS: dict[CustomerFilter, Document] = {
    CustomerFilter.PAYING: {"paid_licenses": {"$gt": 0}},
    CustomerFilter.LIFETIME: {"paid_licenses": {"$gt": 0}, "mrr_cents": 0},
    CustomerFilter.WITHOUT: {"active_licenses": 0},
    CustomerFilter.LOST: {"ever_mrr": True, "mrr_cents": 0},
}


class CustomerQuery(NamedTuple):
    """What to list. `after` is the last customer of the previous page; `plan_id` is that of an active license."""

    order: Order = Order.MRR
    only: CustomerFilter = CustomerFilter.ALL
    plan_id: DocId = None
    wanted: str = ""
    after: DocId = None


class CustomersPage(NamedTuple):
    """Customers in `order`, which is not always the wanted one."""

    customers: list[CustomerState]
    has_more: bool
    order: Order


class CustomerList:
    """Lists customers at a snapshot; `now` is its instant."""

    def __init__(self, database: Database, session: ClientSession, search: CustomerSearch, now: datetime) -> None:
        self.mirror = database[MIRROR]
        self.session = session
        self.search = search
        self.now = now

    def page(self, query: CustomerQuery, size: int) -> CustomersPage:
        """Return the next customers. Raises TooManyFound if a search finds too many."""
        page, order = self._first(query, size + 1, FIRST_READ if self._license_condition(query) else size + 1)
        if len(page) <= size and self._license_condition(query):
            page, order = self._first(query, size + 1, None)
        return CustomersPage(page[:size], len(page) > size, order)

    def _first(self, query: CustomerQuery, size: int, limit: int | None) -> tuple[list[CustomerState], Order]:
        order, found = self.all(query, limit)
        return list(islice(found, size)), order

    def all(self, query: CustomerQuery, limit: int | None = None) -> tuple[Order, Iterator[CustomerState]]:
        """Return the customers from the position of the query on among the first `limit` of the order, and their order.

        It is not the wanted one for the MRR within a frequent plan: customers of one plan pay the same, and those of
        the cheapest would be found behind all others.
        """
        with translated():
            license = self._license_condition(query)
            few = self._few(query, license)
            is_frequent_plan = few is None and query.plan_id is not None
            order = Order.NAME if is_frequent_plan and query.order is Order.MRR else query.order
        among = {} if few is None else {"_id": {"$in": [mirror_id(Source.CUSTOMERS, one) for one in few]}}
        return order, self._states(self._sorted(among, order, query, limit), license)

    # -- who can match ----------------------------------------------------------------------------------------

    def _license_condition(self, query: CustomerQuery) -> Document:
        """Return what one license of each listed customer has to fulfill; {} if the licenses do not matter."""
        ends = {"due": {"$gt": self.now, "$lte": self.now + EXPIRING}} if query.only is CustomerFilter.EXPIRING else {}
        plan = {} if query.plan_id is None else {"worth.plan_id": query.plan_id, "worth.active": True}
        return {**ends, **plan}

    def _few(self, query: CustomerQuery, license: Document) -> set[DocId] | None:
        """Return the only customers that can match if they are few, else None."""
        if query.wanted:
            return set(map(canonical, self.search.find(query.wanted, self.session)))
        if not license:
            return None
        condition = license if "due" in license else {**license, **_range_of(Source.LICENSES)}
        found = self.mirror.find(condition, {"fields.customer_id": 1}, session=self.session, batch_size=FEW + 1)
        owners = [one["fields"].get("customer_id") for one in found.limit(FEW + 1)]
        return None if len(owners) > FEW else set(map(canonical, owners))

    # -- reading ----------------------------------------------------------------------------------------------

    def _sorted(self, condition: Document, order: Order, query: CustomerQuery, limit: int | None) -> Iterator[Document]:
        """Yield the customers after the position, at most `limit`."""
        stages: list[Document] = [
            {"$match": {**_range_of(Source.CUSTOMERS), **LISTED, **CONDITIONS.get(query.only, {}), **condition}},
            *([{"$set": NAME}] if order is Order.NAME else []),
            *self._position(order, query),
            {"$sort": {KEYS[order]: 1 if order is Order.NAME else -1, "_id": 1}},
            *([{"$limit": limit}] if limit is not None else []),
        ]
        return self.mirror.aggregate(stages, session=self.session, batchSize=CHUNK, allowDiskUse=True)

    def _position(self, order: Order, query: CustomerQuery) -> list[Document]:
        """Return the stages that leave out everything up to the position."""
        if query.after is None:
            return []
        last = mirror_id(Source.CUSTOMERS, query.after)
        field = {"$ifNull": [f"${KEYS[order]}", None]}
        stages: list[Document] = [{"$match": {"_id": last}}, {"$set": NAME}, {"$project": {"key": field}}]
        found = list(self.mirror.aggregate(stages, session=self.session))
        if not found:
            return []
        key = {"$literal": found[0]["key"]}
        further = {"$gt" if order is Order.NAME else "$lt": [field, key]}
        same = {"$and": [{"$eq": [field, key]}, {"$gt": ["$_id", {"$literal": found[0]["_id"]}]}]}
        return [{"$match": {"$expr": {"$or": [further, same]}}}]

    def _states(self, found: Iterable[Document], license: Document) -> Iterator[CustomerState]:
        documents = iter(found)
        with translated():
            while chunk := list(islice(documents, CHUNK)):
                owners = self._owners(chunk, license) if license else None
                states = map(customer_of, chunk)
                yield from (one for one in states if owners is None or canonical(one.id) in owners)

    def _owners(self, chunk: list[Document], license: Document) -> set[DocId]:
        """Return those of the customers that have such a license."""
        condition = {"fields.customer_id": {"$in": [one["_id"]["id"] for one in chunk]}, **license}
        found = self.mirror.find(condition, {"fields.customer_id": 1}, session=self.session, batch_size=BATCH_SIZE)
        return {canonical(one["fields"]["customer_id"]) for one in found}


def _range_of(source: Source) -> Document:
    return {"_id": {"$gte": mirror_id(source, MinKey()), "$lte": mirror_id(source, MaxKey())}}
