"""What the owner can do today, read at a snapshot: from the mirror, the ledger and the stored events."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from pymongo.client_session import ClientSession

from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS, LEDGER, MIRROR, SAMPLE_SOURCE
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, Document
from daemon.store.customers import customer_details
from daemon.store.forgotten import ErasureList
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.states import customer_of, ids_of, mirror_id
from rules import business_days
from rules.insights import todo
from rules.insights.todo import TodoGroup, TodoItem, TodoKind
from rules.model.changes import DocId, Source
from rules.model.documents import is_id
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from rules.model.states import CustomerState
from rules.settings import catalog
from rules.settings.settings import Settings

MOST = 200
"""Items of each kind that are read; of more than these the group only says that there are more."""
MOST_EXPIRING = 500
"""Licenses of which the renewals are read, which takes 45 ms; the others are only counted."""


RENEWALS: Document = {
    "$lookup": {
        "from": EVENTS,
        "localField": "_id.id",
        "foreignField": "license_id",
        "pipeline": [
            # an expression, so that the server does not look through all renewals by the index of the type
            {"$match": {"$expr": {"$in": ["$event_type", [EventType.LICENSE_RENEWED.value]]}}},
            {"$limit": todo.RENEWED_BY_HABIT},
            {"$project": {"_id": 1}},
        ],
        "as": "renewals",
    }
}
"""Stage that adds the renewals of a license, no more than make it habitual."""


class TodoReader:
    """Reads the groups; `now` is the instant of the snapshot, `today` its business day."""

    def __init__(self, database: Database, session: ClientSession, settings: Settings, forgotten: ErasureList) -> None:
        self.database = database
        self.session = session
        self.settings = settings
        self.forgotten = forgotten

    def groups(self, now: datetime, today: date) -> list[TodoGroup]:
        """Return the groups that are not empty."""
        with translated():
            found = (self._failed(now), self._expiring(now), self._lost(today), self._without_license(now))
            return [group for group in found if group.total]

    # -- failed payments --------------------------------------------------------------------------------------

    def _failed(self, now: datetime) -> TodoGroup:
        failures = list(self._payments(EventType.PAYMENT_FAILED, {"event_date": {"$gte": now - todo.FAILED_SINCE}}))
        items = todo.not_recovered(failures, self._completed(failures))
        customers = self._existing(item.customer_id for item in items)
        known = [item for item in items if item.customer_id in customers]
        return todo.group(TodoKind.PAYMENT_FAILED, known, has_more=len(failures) == MOST)

    def _completed(self, failures: list[TodoItem]) -> dict[DocId, datetime]:
        """Return the time of the newest completed payment of each license and customer since the oldest failure."""
        if not failures:
            return {}
        customers = list({failure.customer_id for failure in failures})
        later = {"customer_id": {"$in": customers}, "event_date": {"$gte": failures[-1].at}}
        of = {"customer": "$customer_id", "license": "$license_id"}
        stages: list[Document] = [
            {"$match": _of_payments(EventType.PAYMENT_COMPLETED, later)},
            {"$group": {"_id": of, "at": {"$max": "$event_date"}}},
        ]
        found: dict[DocId, datetime] = {}
        for one in self.database[EVENTS].aggregate(stages, session=self.session):
            for key in one["_id"].values():
                if key is not None and is_id(key) and isinstance(one["at"], datetime):
                    found[key] = max(one["at"], found.get(key, one["at"]))
        return found

    def _payments(self, kind: EventType, condition: Document) -> Iterator[TodoItem]:
        """Yield payments of known customers, newest first."""
        wanted = _of_payments(kind, condition)
        events = self.database[EVENTS].find(wanted, session=self.session).sort("event_date", -1).limit(MOST)
        for event in events:
            customer_id, license_id = event.get("customer_id"), event.get("license_id")
            if customer_id is not None and is_id(customer_id) and isinstance(event["event_date"], datetime):
                license_id = license_id if is_id(license_id) else None
                yield TodoItem(customer_id, event["event_date"], catalog.cents(event.get("amount")), license_id)

    # -- licenses that end ------------------------------------------------------------------------------------

    def _expiring(self, now: datetime) -> TodoGroup:
        mirror, soon = self.database[MIRROR], {"due": {"$gt": now, "$lte": now + todo.EXPIRING_WITHIN}}
        stages: list[Document] = [{"$match": soon}, {"$sort": {"due": 1}}, {"$limit": MOST_EXPIRING}, RENEWALS]
        found = list(mirror.aggregate(stages, session=self.session))
        unusual = [_ending(document) for document in found if len(document["renewals"]) < todo.RENEWED_BY_HABIT]
        is_all = len(found) < MOST_EXPIRING
        total = len(found) if is_all else mirror.count_documents(soon, session=self.session)
        return todo.expiring(unusual, len(found) - len(unusual), total)

    # -- customers --------------------------------------------------------------------------------------------

    def _lost(self, today: date) -> TodoGroup:
        first = business_days.stored(today - (todo.LOST_DAYS - 1) * business_days.ONE_DAY)
        lines = {"day": {"$gte": first}, "kind": MovementKind.CHURN.value}
        sums = {"count": {"$sum": "$count"}, "at": {"$max": "$at"}, "mrr": {"$last": "$customer_mrr"}}
        stages: list[Document] = [
            {"$match": lines},
            {"$sort": {"_id": 1}},
            {"$group": {"_id": "$customer_id", **sums}},
            {"$match": {"count": {"$gt": 0}}},
            {"$sort": {"at": -1}},
            {"$limit": MOST + 1},
        ]
        by_day = {"day": 1}  # else the server may sort by reading the whole ledger by `_id`
        found = list(self.database[LEDGER].aggregate(stages, session=self.session, hint=by_day))
        customers = self._known(canonical(one["_id"]) for one in found)
        items = [TodoItem(canonical(one["_id"]), one["at"], one["mrr"][0]) for one in found]
        gone = [one for one in items if one.customer_id in customers and not customers[one.customer_id].mrr_cents]
        return todo.group(TodoKind.LOST, gone[:MOST], has_more=len(found) > MOST)

    def _without_license(self, now: datetime) -> TodoGroup:
        """Return customers without a license of any kind; the placeholder of licenses entered by hand is none."""
        since, until = now - todo.WITHOUT_LICENSE_UNTIL, now - todo.WITHOUT_LICENSE_AFTER
        wanted: Document = {"mrr_cents": 0, "present": True, "active_licenses": 0, "ever_mrr": False}
        wanted |= {"fields.created_at": {"$gt": since, "$lte": until}, "_id": self._registered_since(since)}
        found = list(self.database[MIRROR].find(wanted, session=self.session).limit(MOST))
        states = [state for state in map(customer_of, found) if self._is_person(state)]
        owners = self._owners([state.id for state in states])
        without = [TodoItem(one.id, one.fields["created_at"]) for one in states if canonical(one.id) not in owners]
        return todo.group(TodoKind.WITHOUT_LICENSE, without, has_more=len(found) == MOST)

    def _registered_since(self, since: datetime) -> Document:
        """Return what the mirror ids of the customers registered since then fulfill.

        The ledger has them by day, which spares reading all customers unless it begins later.
        """
        first = business_days.business_day(since, self.settings.zone)
        begin = ledger.ledger_start(self.database, self.session)
        if begin is None or begin.day >= first:
            return ids_of(Source.CUSTOMERS)
        created = {"day": {"$gte": business_days.stored(first)}, "reason": Reason.CUSTOMER_CREATED.value}
        lines = self.database[LEDGER].find(created, {"customer_id": 1}, session=self.session)
        return {"$in": [mirror_id(Source.CUSTOMERS, line["customer_id"]) for line in lines]}

    def _owners(self, customer_ids: list[DocId]) -> set[DocId]:
        wanted = {"fields.customer_id": {"$in": customer_ids}, "_id.k": Source.LICENSES.value}
        found = self.database[MIRROR].find(wanted, {"fields.customer_id": 1}, session=self.session)
        return {canonical(one["fields"]["customer_id"]) for one in found}

    def _existing(self, ids: Iterable[DocId]) -> dict[DocId, CustomerState]:
        return {one: state for one, state in self._known(ids).items() if state.present}

    def _known(self, ids: Iterable[DocId]) -> dict[DocId, CustomerState]:
        """Return the customers of the mirror without the forgotten ones, who cannot be written to."""
        found = customer_details.customers(self.database, ids, self.session)
        return {one: state for one, state in found.items() if not self.forgotten.contains(one)}

    def _is_person(self, state: CustomerState) -> bool:
        is_placeholder = state.fields.get("email") == self.settings.manual_email
        return not is_placeholder and not self.forgotten.contains(state.id)


def _of_payments(kind: EventType, condition: Document) -> Document:
    return {"event_type": kind.value, "metadata.source": {"$ne": SAMPLE_SOURCE}, **condition}


def _ending(document: Document) -> TodoItem:
    owner, worth = document["fields"].get("customer_id"), document["worth"]
    return TodoItem(owner, document["due"], worth["mrr_cents"], canonical(document["_id"]["id"]), worth["plan_id"])
