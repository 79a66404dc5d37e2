"""The list of customers: in one of three orders, with filters, page after page in both directions.

A page begins after or ends before a customer, not after a number of them, so that a later page costs no more than the
first. By name and by registration an index has the order; by MRR the server sorts the customers of the mirror, because
an index would slow down every sale (docs/decisions.md). Where few customers can match (a search, a rare plan) only
these are read.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, Document
from daemon.store.customers.customer_search import CustomerSearch
from daemon.store.customers.owned import License, Owned, Return
from daemon.store.mirror.states import customer_of, ids_of, mirror_id
from rules.insights import todo
from rules.model.changes import DocId, Source
from rules.model.states import CustomerState

CHUNK = 200
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
    Order.NAME: "sort_name",
    Order.REGISTERED: "fields.created_at",
}
"""The field that each order compares."""
WALKED = (Order.NAME, Order.REGISTERED)
"""The orders that have an index."""
IS_CUSTOMER: Document = {"_id.k": Source.CUSTOMERS.value}
"""As the indexes of the orders have it."""


class CustomerFilter(StrEnum):
    """Filters by state; see `CONDITIONS`.

    RETURNED: has MRR again, after a time without. EXPIRING: an active license ends within `todo.EXPIRING_WITHIN`.
    """

    ALL = "all"
    PAYING = "paying"
    LIFETIME = "lifetime"
    WITHOUT = "without"
    LOST = "lost"
    RETURNED = "returned"
    EXPIRING = "expiring"


CONDITIONS: dict[CustomerFilter, Document] = {
    CustomerFilter.PAYING: {"paid_licenses": {"$gt": 0}},
    CustomerFilter.LIFETIME: {"paid_licenses": {"$gt": 0}, "mrr_cents": 0},
    CustomerFilter.WITHOUT: {"active_licenses": 0},
    CustomerFilter.LOST: {"ever_mrr": True, "mrr_cents": 0},
    CustomerFilter.RETURNED: {"mrr_cents": {"$gt": 0}},
}


class CustomerQuery(NamedTuple):
    """What to list. `plan_id` is that of an active license.

    `after` is the last customer of the previous page, `before` the first one of the following page.
    """

    order: Order = Order.MRR
    only: CustomerFilter = CustomerFilter.ALL
    plan_id: DocId = None
    wanted: str = ""
    after: DocId = None
    before: DocId = None

    @property
    def is_backward(self) -> bool:
        return self.before is not None


class CustomersPage(NamedTuple):
    """Customers in `order`, which is not always the wanted one."""

    customers: list[CustomerState]
    has_previous: bool
    has_more: bool
    order: Order


class CustomerList:
    """Lists customers at a snapshot; `now` is its instant."""

    def __init__(self, database: Database, session: ClientSession, search: CustomerSearch, now: datetime) -> None:
        self.database = database
        self.mirror = database[MIRROR]
        self.session = session
        self.search = search
        self.now = now

    def page(self, query: CustomerQuery, size: int) -> CustomersPage:
        """Return a page of customers; the first one if fewer are before `query.before`. Raises TooManyFound."""
        has_owned = bool(self._owned(query))
        page, order = self._first(query, size + 1, FIRST_READ if has_owned else size + 1)
        if len(page) <= size and has_owned:
            page, order = self._first(query, size + 1, None)
        has_further = len(page) > size
        if not query.is_backward:
            return CustomersPage(page[:size], query.after is not None, has_further, order)
        if not has_further:
            return self.page(query._replace(before=None), size)
        return CustomersPage(page[size - 1 :: -1], True, True, order)

    def _first(self, query: CustomerQuery, size: int, limit: int | None) -> tuple[list[CustomerState], Order]:
        order, found = self.all(query, limit)
        return list(islice(found, size)), order

    def all(self, query: CustomerQuery, limit: int | None = None) -> tuple[Order, Iterator[CustomerState]]:
        """Return the customers from the position of the query on among the first `limit` of the order, and their order.

        It is not the wanted one for the MRR within a frequent plan: customers of one plan pay the same, and those of
        the cheapest would be found behind all others.
        """
        with translated():
            owned = self._owned(query)
            few = self._few(query, owned)
            is_frequent_plan = few is None and query.plan_id is not None
            order = Order.NAME if is_frequent_plan and query.order is Order.MRR else query.order
        among = {} if few is None else {"_id": {"$in": [mirror_id(Source.CUSTOMERS, one) for one in few]}}
        return order, self._states(self._sorted(among, order, query, limit), owned)

    # -- who can match ----------------------------------------------------------------------------------------

    def _owned(self, query: CustomerQuery) -> list[Owned]:
        """Return what each listed customer has to own."""
        soon = {"due": {"$gt": self.now, "$lte": self.now + todo.EXPIRING_WITHIN}}
        ends = soon if query.only is CustomerFilter.EXPIRING else {}
        plan = {} if query.plan_id is None else {"worth.plan_id": query.plan_id, "worth.active": True}
        found: list[Owned] = [License(self.database, self.session, {**ends, **plan})] if ends or plan else []
        return [*found, Return(self.database, self.session)] if query.only is CustomerFilter.RETURNED else found

    def _few(self, query: CustomerQuery, owned: list[Owned]) -> set[DocId] | None:
        """Return the only customers that can match if they are few, else None."""
        if query.wanted:
            return set(map(canonical, self.search.find(query.wanted, self.session)))
        return next((few for one in owned if (few := one.few()) is not None), None)

    # -- reading ----------------------------------------------------------------------------------------------

    def _sorted(self, condition: Document, order: Order, query: CustomerQuery, limit: int | None) -> Iterable[Document]:
        """Return the customers after the position, or backwards those before it, at most `limit`."""
        is_walked = order in WALKED and not condition and query.only not in CONDITIONS
        these = IS_CUSTOMER if is_walked else {"_id": ids_of(Source.CUSTOMERS)}
        conditions = (these, LISTED, CONDITIONS.get(query.only, {}), condition, self._position(order, query))
        direction = 1 if _rises(order, query) else -1
        found = self.mirror.find({"$and": [*filter(None, conditions)]}, session=self.session, batch_size=CHUNK)
        found = found.sort([(KEYS[order], direction), ("_id", -1 if query.is_backward else 1)])
        return found.allow_disk_use(True).limit(limit or 0)

    def _position(self, order: Order, query: CustomerQuery) -> Document:
        """Return the condition that leaves out everything on the other side of the position."""
        cursor = query.before if query.is_backward else query.after
        if cursor is None:
            return {}
        last, field = mirror_id(Source.CUSTOMERS, cursor), {"$ifNull": [f"${KEYS[order]}", None]}
        found = self.mirror.find_one({"_id": last}, {"key": field}, session=self.session)
        if found is None:
            return {}
        rises = _rises(order, query)
        further = {"$gt" if rises else "$lt": [field, {"$literal": found["key"]}]}
        tied = {"$lt" if query.is_backward else "$gt": ["$_id", {"$literal": found["_id"]}]}
        beyond = {"$expr": {"$or": [further, {"$and": [{"$eq": [field, {"$literal": found["key"]}]}, tied]}]}}
        # for the index; `$not`, because a comparison leaves out values of other types, such as no date
        bound = {KEYS[order]: {"$not": {"$lt" if rises else "$gt": found["key"]}}} if order in WALKED else {}
        return {**beyond, **bound}

    def _states(self, found: Iterable[Document], owned: list[Owned]) -> Iterator[CustomerState]:
        documents = iter(found)
        with translated():
            while chunk := list(islice(documents, CHUNK)):
                ids = [one["_id"]["id"] for one in chunk]
                owners = [one.of(ids) for one in owned]
                states = map(customer_of, chunk)
                yield from (state for state in states if all(canonical(state.id) in one for one in owners))


def _rises(order: Order, query: CustomerQuery) -> bool:
    """Return whether the key of the order grows in the direction of reading."""
    return (order is Order.NAME) is not query.is_backward
