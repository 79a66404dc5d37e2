"""Queries of the mirror: the states a batch needs, plans, licenses that are due to expire."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from bson.max_key import MaxKey
from bson.min_key import MinKey
from pymongo.client_session import ClientSession

from daemon.mongo.client import BATCH_SIZE, translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.types import Database, Document
from daemon.store.mirror.states import customer_of, decoded_fields, ids_of, license_of, mirror_id, payment_of, plan_of
from rules.model.changes import Change, DocId, Fields, Source
from rules.model.decision import Decision, Mirror, Required, required
from rules.model.states import CustomerState, LicenseState, PaymentState, PlanState
from rules.settings.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MirrorReader:
    """Loads the states that `decide` needs. Stateless except for its connection."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.collection = database[MIRROR]
        self.settings = settings

    def load(
        self,
        changes: Sequence[Change],
        mirror: Mirror,
        due: Iterable[LicenseState] = (),
        sources: Sequence[Decision | Mirror] = (),
        whole: Mirror | None = None,
    ) -> Mirror:
        """Add to `mirror` every state that `required` names, until it names nothing new; return `mirror`.

        `sources` (decisions not yet committed) take precedence over the database, the first over the others. `whole`,
        if given, has every state there is, so that the database is not read.
        """
        mirror.licenses.update((state.id, state) for state in due)
        while True:
            wanted = required(changes, mirror)
            missing = Required(
                wanted.customers - mirror.customers.keys(),
                wanted.licenses - mirror.licenses.keys(),
                wanted.payments - mirror.payments.keys(),
            )
            if not any(missing):
                return mirror
            if whole is not None:
                _add_known(mirror, missing, whole)
                continue
            for source in sources:
                missing = _apply(mirror, missing, source)
            self._add(mirror, missing)

    def _add(self, mirror: Mirror, missing: Required) -> None:
        _add_known(mirror, missing, Mirror())
        ids = [mirror_id(Source.CUSTOMERS, doc_id) for doc_id in missing.customers]
        ids += [mirror_id(Source.LICENSES, doc_id) for doc_id in missing.licenses]
        ids += [mirror_id(Source.PAYMENTS, doc_id) for doc_id in missing.payments]
        if not ids:
            return
        with translated():
            for document in self.collection.find({"_id": {"$in": ids}}, batch_size=len(ids) + 1):
                self._add_state(mirror, document)

    def _add_state(self, mirror: Mirror, document: Document) -> None:
        if document["_id"]["k"] == Source.CUSTOMERS:
            customer = customer_of(document)
            mirror.customers[customer.id] = customer
        elif document["_id"]["k"] == Source.PAYMENTS:
            payment = payment_of(document)
            mirror.payments[payment.id] = payment
        else:
            license = license_of(document, self.settings)
            mirror.licenses[license.id] = license

    def all_states(self, most: int) -> Mirror | None:
        """Return the states of all customers, licenses and payments; None if they are more than `most`."""
        found = Mirror()
        with translated():
            query = {"_id.k": {"$ne": Source.PLANS}}
            if self.collection.count_documents(query, limit=most + 1) > most:
                return None
            for document in self.collection.find(query, batch_size=BATCH_SIZE):
                self._add_state(found, document)
        return found

    def plans(self, session: ClientSession | None = None) -> dict[DocId, PlanState]:
        """Return all plans by id, deleted ones included; there are few."""
        return {state.id: state for state in map(plan_of, self.documents(Source.PLANS, session))}

    def documents(self, source: Source, session: ClientSession | None = None) -> Iterator[Document]:
        """Yield the mirror documents of one collection in the source's `_id` order."""
        with translated():
            yield from self.collection.find({"_id": ids_of(source)}, session=session, batch_size=BATCH_SIZE).sort(
                "_id", 1
            )

    def fields(self, source: Source, session: ClientSession | None = None) -> Iterator[tuple[DocId, Fields]]:
        """Yield id and fields of every mirror document that is present in the source, in its `_id` order."""
        for document in self.documents(source, session):
            if document.get("present", True):
                yield document["_id"]["id"], decoded_fields(document)

    def fields_of(self, source: Source, doc_id: DocId) -> Fields | None:
        """Return the mirrored fields of one document; None if it is absent."""
        with translated():
            document = self.collection.find_one({"_id": mirror_id(source, doc_id)})
        return decoded_fields(document) if document and document.get("present", True) else None

    def payments(self, ids: list[DocId]) -> list[PaymentState]:
        """Return the mirrored payments with these ids."""
        with translated():
            found = self.collection.find({"_id": {"$in": [mirror_id(Source.PAYMENTS, i) for i in ids]}})
            return [payment_of(document) for document in found]

    def licenses(self, ids: list[DocId]) -> list[LicenseState]:
        """Return the mirrored licenses with these ids."""
        with translated():
            found = self.collection.find({"_id": {"$in": [mirror_id(Source.LICENSES, i) for i in ids]}})
            return [license_of(document, self.settings) for document in found]

    def customers(self, ids: list[DocId]) -> list[CustomerState]:
        """Return the mirrored customers with these ids."""
        with translated():
            found = self.collection.find({"_id": {"$in": [mirror_id(Source.CUSTOMERS, i) for i in ids]}})
            return [customer_of(document) for document in found]

    def licenses_on(self, plan_id: DocId, after: object, limit: int) -> list[LicenseState]:
        """Return the next licenses that reference a plan or count for it, in `_id` order after `after`.

        MinKey stands for the start: it may be an id itself, which sorts after a document without one.
        """
        first = {"k": Source.LICENSES.value} if after == MinKey() else mirror_id(Source.LICENSES, after)
        bounds = {"$gt": first, "$lte": mirror_id(Source.LICENSES, MaxKey())}
        on_plan = [{"fields.plan_id": plan_id}, {"worth.plan_id": plan_id}]
        with translated():
            found = self.collection.find({"_id": bounds, "$or": on_plan}).sort("_id", 1).limit(limit)
            return [license_of(document, self.settings) for document in found]

    def due(self, until: datetime, limit: int) -> list[LicenseState]:
        """Return the first active licenses that end at or before `until`, earliest first."""
        with translated():
            found = self.collection.find({"due": {"$lte": until}}).sort([("due", 1), ("_id", 1)]).limit(limit)
            return [license_of(document, self.settings) for document in found]

    def next_due(self) -> datetime | None:
        """Return the end of the active license that ends next; None if none ends."""
        with translated():
            document = self.collection.find_one({"due": {"$gt": EPOCH}}, {"due": 1}, sort=[("due", 1)])
        return document["due"] if document else None


def _add_known(mirror: Mirror, missing: Required, whole: Mirror) -> None:
    """Copy missing states into `mirror`; None for those that `whole` does not have."""
    mirror.customers.update({i: whole.customers.get(i) for i in missing.customers})
    mirror.licenses.update({i: whole.licenses.get(i) for i in missing.licenses})
    mirror.payments.update({i: whole.payments.get(i) for i in missing.payments})


def _apply(mirror: Mirror, missing: Required, newer: Decision | Mirror) -> Required:
    """Copy missing states from an uncommitted source into `mirror`; return the ids that are still missing."""
    mirror.customers.update({i: newer.customers[i] for i in missing.customers & newer.customers.keys()})
    mirror.licenses.update({i: newer.licenses[i] for i in missing.licenses & newer.licenses.keys()})
    mirror.payments.update({i: newer.payments[i] for i in missing.payments & newer.payments.keys()})
    return Required(
        missing.customers - newer.customers.keys(),
        missing.licenses - newer.licenses.keys(),
        missing.payments - newer.payments.keys(),
    )
