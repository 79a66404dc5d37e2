"""The list of customers: in one of three orders, with filters, page after page.

A page begins after a customer, not after a number of them, so that a later page costs no more than the first. The
reader walks the index of the order and keeps what the filters let through; where few customers can match (a search, a
rare plan) it reads these few instead.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import dropwhile, islice
from typing import NamedTuple

from bson.max_key import MaxKey
from bson.min_key import MinKey
from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, Document
from daemon.store import indexes
from daemon.store.customers.customer_search import CustomerSearch
from daemon.store.mirror.states import customer_of, mirror_id
from rules.model.changes import DocId, Source
from rules.model.states import CustomerState

CHUNK = 200
FEW = 2000
"""Up to so many licenses of a plan, or ends within `EXPIRING`, their customers are read first."""
EXPIRING = timedelta(days=14)

LISTED: Document = {"mrr_cents": {"$gte": 0}, "$or": [{"present": True}, {"active_licenses": {"$gt": 0}}]}
"""Existing customers, and those without a document whose licenses count; the first condition admits the indexes."""


class Order(StrEnum):
    MRR = "mrr"
    NAME = "name"
    REGISTERED = "registered"


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
        order, found = self.all(query)
        page = list(islice(found, size + 1))
        return CustomersPage(page[:size], len(page) > size, order)

    def all(self, query: CustomerQuery) -> tuple[Order, Iterator[CustomerState]]:
        """Return all customers from the position of the query on, and their order.

        It is not the wanted one for the MRR within a frequent plan: customers of one plan pay the same, and those of
        the cheapest would be found behind all others.
        """
        with translated():
            license = self._license_condition(query)
            few = self._few(query, license)
            is_frequent_plan = few is None and query.plan_id is not None
            order = Order.NAME if is_frequent_plan and query.order is Order.MRR else query.order
        found = self._walk(order, query) if few is None else self._among(few, order, query)
        return order, self._states(found, license)

    def mrr_cents(self) -> int:
        """Return the sum of the MRR of all customers."""
        stages: list[Document] = [
            {"$match": {"mrr_cents": {"$gt": 0}}},
            {"$group": {"_id": None, "cents": {"$sum": "$mrr_cents"}}},
        ]
        with translated():
            found = list(self.mirror.aggregate(stages, session=self.session))
        return int(found[0]["cents"]) if found else 0

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

    def _walk(self, order: Order, query: CustomerQuery) -> Iterator[Document]:
        """Yield the customers after the position in the order of its index."""
        index = indexes.CUSTOMER_ORDERS[order].document
        found = self.mirror.find(_condition(query), session=self.session, batch_size=CHUNK)
        found = found.hint(index["name"]).collation(indexes.ITALIAN if order is Order.NAME else None)
        if query.after is None:
            return found
        last = mirror_id(Source.CUSTOMERS, query.after)
        known = self.mirror.find_one({"_id": last}, session=self.session) or {}
        field = next(iter(index["key"]))
        found = found.min([(field, _key(_at(known, field))), ("_id", last)])  # type: ignore[list-item]  # any BSON value
        return (one for one in found if one["_id"] != last)

    def _among(self, few: set[DocId], order: Order, query: CustomerQuery) -> Iterator[Document]:
        """Yield those of `few` customers after the position."""
        ids = [mirror_id(Source.CUSTOMERS, one) for one in few]
        key = list(indexes.CUSTOMER_ORDERS[order].document["key"].items())
        found = self.mirror.find({**_condition(query), "_id": {"$in": ids}}, session=self.session, batch_size=CHUNK)
        sorted_ones = found.sort(key).collation(indexes.ITALIAN if order is Order.NAME else None)
        ordered: Iterator[Document] = (
            one for one in sorted_ones if canonical(one["_id"]["id"]) in few
        )  # a collation ignores differences
        if query.after is not None:
            last = mirror_id(Source.CUSTOMERS, query.after)
            ordered = islice(dropwhile(lambda one: one["_id"] != last, ordered), 1, None)
        return ordered

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


def _condition(query: CustomerQuery) -> Document:
    return {**LISTED, **CONDITIONS.get(query.only, {})}


def _range_of(source: Source) -> Document:
    return {"_id": {"$gte": mirror_id(source, MinKey()), "$lte": mirror_id(source, MaxKey())}}


def _at(document: Document, path: str) -> object:
    value: object = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _key(value: object) -> object:
    """Return the index key of a value: of an array, which no customer should have there, an element."""
    if isinstance(value, list):
        return value[0] if value else None
    return value
