"""The customer that a person names by id or e-mail: its id, its licenses, and its names in stored texts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from daemon.config.schema import Config
from daemon.errors import ChatelloError
from daemon.mongo.client import translated
from daemon.mongo.collections import EVENTS, MIRROR
from daemon.mongo.id_text import id_candidates, shown_id
from daemon.mongo.ids import UnusableId, canonical
from daemon.mongo.types import Database, Document
from daemon.privacy import documents
from daemon.privacy.redaction import Reference, Subject
from daemon.source import reads
from daemon.store.mirror.states import mirror_id
from daemon.store.reference_lookup import the_one
from rules.model.changes import DocId, Plan, Source
from rules.model.events import EventType
from rules.privacy import erasure
from rules.settings import former_texts
from rules.text import one_line

NAMES = {"name": 1, "company": 1, "email": 1}
_MAIL = re.compile(r"[^\s()<>,;:]+@[^\s()<>,;:]+")


class CustomerNotFound(ChatelloError):
    """No customer has the given id or e-mail."""


class CustomerFinder:
    """Finds customers of one shop, also deleted ones, which only the mirror, events or rows still contain."""

    def __init__(self, database: Database, config: Config, plans: Iterable[Plan]) -> None:
        self.database = database
        self.config = config
        self.texts = config.settings().texts
        self.plans = plans

    def subject(self, identifier: str, also: Iterable[str] = ()) -> Subject:
        """Return the customer with this id or e-mail; `also` are additional names.

        Raises CustomerNotFound, and AmbiguousId if the text stands for several ids.
        """
        customer_id = self._find_id(identifier)
        stored = next(iter(reads.find(self.database, Source.CUSTOMERS, {"_id": customer_id}, NAMES)), None)
        if stored and stored.get("email") == self.config.rules.manual_email:
            raise CustomerNotFound(f"{identifier} is the placeholder of manually entered licenses, not a customer")
        reference = self._reference(customer_id)
        mirrored = documents.mirrored_fields(self.database, customer_id)
        names = [*_names((stored or {}, mirrored or {})), *self._names_in_texts(reference), *also]
        namesakes = dict(documents.customers_with(self.database, customer_id, names))
        patterns = erasure.name_patterns(names, self.plans, namesakes.values())
        return Subject(reference, patterns, frozenset(namesakes), stored is not None)

    # -- id --------------------------------------------------------------------------------------------------

    def _find_id(self, identifier: str) -> DocId:
        found = self._ids_of_email(identifier) if "@" in identifier else []
        for ids in (found, *self._ids_of_text(identifier)):
            if distinct := list(dict.fromkeys(ids)):
                return the_one(distinct, Source.CUSTOMERS)
        raise CustomerNotFound(
            f"no customer has the id or e-mail {identifier}; find a customer deleted from the dashboard by its id "
            "(see `chatello-analytics export events`)"
        )

    def _ids_of_email(self, email: str) -> list[DocId]:
        """Return the customers with this e-mail, else those who write it in other letter cases."""
        for query in ({"email": email}, {"email": {"$regex": f"^{re.escape(email)}$", "$options": "i"}}):
            if found := _usable(one["_id"] for one in reads.find(self.database, Source.CUSTOMERS, query, {"_id": 1})):
                return found
        return []

    def _ids_of_text(self, text: str) -> Iterator[list[DocId]]:
        """Yield the ids that a text stands for: of documents, else of events, else of rows."""
        candidates = id_candidates(text)
        yield self._existing(candidates)
        with translated():
            found = self.database[EVENTS].find({"customer_id": {"$in": candidates}}, {"customer_id": 1})
            yield _usable(event["customer_id"] for event in found)
        forms = [form for one in candidates for form in _texts(one)]
        yield candidates[:1] if next(documents.row_entries(self.database, forms), None) else []

    def _existing(self, ids: list[Any]) -> list[DocId]:
        keys = [mirror_id(Source.CUSTOMERS, one) for one in ids]
        stored = reads.find(self.database, Source.CUSTOMERS, {"_id": {"$in": ids}}, {"_id": 1})
        with translated():
            mirrored = self.database[MIRROR].find({"_id": {"$in": keys}}, {"_id": 1})
            return _usable([*(one["_id"] for one in stored), *(one["_id"]["id"] for one in mirrored)])

    def _reference(self, customer_id: DocId) -> Reference:
        """Return how documents refer to a customer: other programs may write its id as text."""
        texts = _texts(customer_id)
        others = {form for form in self._existing([*texts]) if form != customer_id}
        ids = [customer_id, *(form for form in texts if form not in others and form != customer_id)]
        return Reference(ids, texts, documents.license_ids(self.database, ids), bool(others))

    # -- names -----------------------------------------------------------------------------------------------

    def _names_in_texts(self, reference: Reference) -> Iterator[str]:
        """Yield the names, also former ones, in stored events and rows about the customer."""
        for event in documents.events_about(self.database, reference.ids, reference.licenses):
            if event.get("customer_id") is None or reference.is_id(event["customer_id"]):
                yield from self._names_in_event(event)
        for entry in documents.row_entries(self.database, reference.texts) if not reference.shares_text else ():
            yield former_texts.name_in_text(self.texts, one_line(entry.get("description"))) or ""

    def _names_in_event(self, event: Document) -> Iterator[str]:
        metadata = event.get("metadata")
        name = metadata.get("customer_name") if isinstance(metadata, Mapping) else None
        if isinstance(name, str):
            yield name
            return
        text = one_line(event.get("description"), documents.MAX_DESCRIPTION)
        yield former_texts.name_in_text(self.texts, text) or ""
        if event.get("event_type") == EventType.NEW_CUSTOMER:
            yield from _MAIL.findall(text)


def _names(known: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for fields in known:
        names = (fields.get("email"), fields.get("name") or fields.get("company"))
        yield from (name for name in names if isinstance(name, str))


def _texts(customer_id: object) -> list[str]:
    """Return an id as rows contain it: of this version and of former ones."""
    return list(dict.fromkeys((shown_id(customer_id), str(customer_id))))


def _usable(ids: Iterable[Any]) -> list[DocId]:
    found = []
    for one in ids:
        with suppress(UnusableId):
            found.append(canonical(one))
    return found
