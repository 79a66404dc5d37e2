"""What the documents of licenses and payments say about a few customers."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, Document
from daemon.store.mirror.states import customer_of, ids_of, license_of, mirror_id
from rules.model.changes import DocId, PaymentStatus, Source
from rules.model.states import CustomerState, LicenseState
from rules.settings.settings import Settings


class CustomerDetails(NamedTuple):
    """The plans of the active licenses, the next end of one, the number of licenses, the completed payments in cents.

    A refunded payment is not completed any more, so refunds are already subtracted.
    """

    plan_ids: tuple[DocId, ...] = ()
    expires_at: datetime | None = None
    licenses: int = 0
    paid_cents: int = 0


NOTHING = CustomerDetails()


def of_customers(
    database: Database, customer_ids: Iterable[DocId], session: ClientSession
) -> Mapping[DocId, CustomerDetails]:
    """Return the details by customer; one without licenses and payments is missing."""
    stages: list[Document] = [{"$match": {"fields.customer_id": {"$in": list(customer_ids)}}}, {"$group": _SUMS}]
    with translated():
        found = list(database[MIRROR].aggregate(stages, session=session))
    return {canonical(one["_id"]): _details(one) for one in found}


_IS_LICENSE = {"$and": [{"$eq": ["$_id.k", Source.LICENSES.value]}, {"$ne": ["$present", False]}]}
_IS_PAID = {"$eq": ["$payment.status", PaymentStatus.COMPLETED.value]}
_SUMS: Document = {
    "_id": "$fields.customer_id",
    "plans": {"$addToSet": {"$cond": ["$worth.active", "$worth.plan_id", None]}},
    "expires_at": {"$min": "$due"},
    "licenses": {"$sum": {"$cond": [_IS_LICENSE, 1, 0]}},
    "paid_cents": {"$sum": {"$cond": [_IS_PAID, "$payment.cents", 0]}},
}


def _details(found: Document) -> CustomerDetails:
    plans = sorted((plan for plan in found["plans"] if plan is not None), key=str)
    return CustomerDetails(tuple(plans), found["expires_at"], found["licenses"], found["paid_cents"])


def keeps_payments(database: Database, session: ClientSession) -> bool:
    """Return whether the shop has ever stored a payment."""
    with translated():
        return database[MIRROR].find_one({"_id": ids_of(Source.PAYMENTS)}, {"_id": 1}, session=session) is not None


def customer(database: Database, customer_id: DocId, session: ClientSession) -> CustomerState | None:
    with translated():
        found = database[MIRROR].find_one({"_id": mirror_id(Source.CUSTOMERS, customer_id)}, session=session)
    return None if found is None else customer_of(found)


def customers(database: Database, ids: Iterable[DocId], session: ClientSession) -> dict[DocId, CustomerState]:
    """Return those of the customers that the mirror has, by id."""
    wanted = {"_id": {"$in": [mirror_id(Source.CUSTOMERS, one) for one in ids]}}
    with translated():
        found = map(customer_of, database[MIRROR].find(wanted, session=session))
        return {canonical(one.id): one for one in found}


def licenses(
    database: Database, customer_id: DocId, settings: Settings, session: ClientSession, limit: int
) -> list[LicenseState]:
    """Return at most `limit` licenses of a customer, the active ones first; deleted ones are left out."""
    wanted = {"fields.customer_id": customer_id, "_id.k": Source.LICENSES.value, "present": {"$ne": False}}
    order = [("worth.active", -1), ("due", 1), ("_id", -1)]
    with translated():
        found = database[MIRROR].find(wanted, session=session).sort(order).limit(limit)
        return [license_of(document, settings) for document in found]
