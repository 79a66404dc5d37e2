"""Descriptions of stored events from the mirror, read in chunks: a busy day may have a hundred thousand events.

Own events need no lookup: they carry the customer's name. A day without external events costs nothing here.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Self

from daemon.mongo.collections import SOURCE_NAME
from daemon.mongo.types import Database, Document
from daemon.store import forgotten
from daemon.store.forgotten import ErasureList
from daemon.store.mirror.reader import MirrorReader
from daemon.store.mirror.states import from_bson
from rules.model.changes import DocId, Plan
from rules.model.documents import is_id
from rules.privacy import erasure
from rules.privacy.described import KnownDocuments, composed, described, shown_event
from rules.settings.settings import Settings

CHUNK_SIZE = 500
"""Events whose customers and licenses are read together."""


class EventDescriber:
    """Describes stored events; holds no more than one chunk of them.

    Events about customers on the erasure list are redacted, because an external event may contain the name.
    """

    def __init__(self, mirror: MirrorReader, settings: Settings, erasure_list: ErasureList | None = None) -> None:
        self.mirror = mirror
        self.settings = settings
        self.forgotten = erasure_list or ErasureList()

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """Return a describer with the current erasure list."""
        return cls(MirrorReader(database, settings), settings, forgotten.load(database))

    def describe(self, events: Iterable[Document]) -> Iterator[Document]:
        """Yield each event with a description and an amount that a note and a row may show."""
        for event, known in self._with_documents(events):
            yield described(_with_plain_amount(event), known, self.settings, is_own=is_own(event))

    def shown(self, events: Iterable[Document]) -> Iterator[Document]:
        """Yield each event as the API and exports show it: as stored, but without private data of customers.

        Description and customer name come from the mirror. Other texts have no e-mail addresses and license keys.
        """
        for event, known in self._with_documents(events):
            found = None if is_own(event) else composed(event, known, self.settings)
            texts: Document = {name: found[name] for name in ("description", "metadata") if found and name in found}
            yield shown_event({**event, **texts})

    def _with_documents(self, events: Iterable[Document]) -> Iterator[tuple[Document, KnownDocuments]]:
        """Yield each event, redacted if its customer is forgotten, with the documents that its chunk is about."""
        plans: dict[DocId, Plan] | None = None
        remaining = iter(self._redacted(events))
        while chunk := list(islice(remaining, CHUNK_SIZE)):
            external = [event for event in chunk if not is_own(event)]
            if external and plans is None:
                plans = {state.id: state.plan for state in self.mirror.plans().values() if state.plan}
            known = self._known(external, plans or {})
            yield from ((event, known) for event in chunk)

    def _redacted(self, events: Iterable[Document]) -> Iterable[Document]:
        if not self.forgotten.hashes:
            return events
        plans = {state.plan.name: state.plan for state in self.mirror.plans().values() if state.plan}
        return (
            erasure.redacted_event(event, plans, self.settings)
            if self.forgotten.contains(event.get("customer_id"))
            else event
            for event in events
        )

    def _known(self, events: list[Document], plans: dict[DocId, Plan]) -> KnownDocuments:
        license_ids = _ids(event.get("license_id") for event in events)
        licenses = {state.id: state for state in self.mirror.licenses(license_ids)} if license_ids else {}
        owners = [state.license.customer_id for state in licenses.values() if state.license]
        customer_ids = _ids([*owners, *(event.get("customer_id") for event in events)])
        customers = {state.id: state for state in self.mirror.customers(customer_ids)} if customer_ids else {}
        return KnownDocuments(customers, licenses, plans, {plan.name: plan for plan in plans.values()})


def is_own(event: Document) -> bool:
    """Return whether the daemon wrote an event."""
    metadata = event.get("metadata")
    return isinstance(metadata, dict) and metadata.get("source") == SOURCE_NAME


def _ids(values: Iterable[Any]) -> list[DocId]:
    return list({value for value in values if value is not None and is_id(value)})


def _with_plain_amount(event: Document) -> Document:
    amount = from_bson(event.get("amount"))
    return {**event, "amount": float(amount)} if isinstance(amount, Decimal) and not amount.is_snan() else event
