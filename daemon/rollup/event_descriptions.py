"""Descriptions of a day's events from the mirror, read in chunks: a busy day may have a hundred thousand events.

Own events need no lookup: they carry the customer's name. A day without external events costs nothing here.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from daemon.mongo.collections import SOURCE_NAME
from daemon.mongo.types import Document
from daemon.store.mirror.reader import MirrorReader
from daemon.store.mirror.states import from_bson
from rules.model.changes import DocId, Plan
from rules.model.documents import is_id
from rules.privacy.described import KnownDocuments, described
from rules.settings.settings import Settings

CHUNK_SIZE = 500
"""Events whose customers and licenses are read together."""


class EventDescriber:
    """Describes stored events; holds no more than one chunk of them."""

    def __init__(self, mirror: MirrorReader, settings: Settings) -> None:
        self.mirror = mirror
        self.settings = settings

    def describe(self, events: Iterable[Document]) -> Iterator[Document]:
        """Yield each event with a description and an amount that a note and a row may show."""
        plans: dict[DocId, Plan] | None = None
        remaining = iter(events)
        while chunk := list(islice(remaining, CHUNK_SIZE)):
            external = [event for event in chunk if not is_own(event)]
            if external and plans is None:
                plans = {state.id: state.plan for state in self.mirror.plans().values() if state.plan}
            known = self._known(external, plans or {})
            for event in chunk:
                yield described(_with_plain_amount(event), known, self.settings, is_own=is_own(event))

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
