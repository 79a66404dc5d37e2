"""Description of stored events, wherever they are shown: composed from the mirror, not from another program's text.

An external event about a customer or a license that the mirror knows is described like an own event. Its own text is
used only if there is no such document (campaigns, releases, support), without e-mail addresses and license keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rules.model.changes import DocId, Plan
from rules.model.documents import is_id
from rules.model.events import EventType
from rules.model.states import CustomerState, LicenseState
from rules.privacy import rendering
from rules.settings import catalog
from rules.settings.catalog import PLACEHOLDER
from rules.settings.former_texts import name_in_text
from rules.settings.settings import Settings
from rules.text import MAX_NAME, note_text, one_line, without_private_parts

_KINDS = tuple(EventType)
DOCUMENT_EVENTS = tuple(
    kind for kind in EventType if kind.startswith(("new_customer", "license_", "plan_", "payment_"))
)
"""Types of events that are about a customer or a license."""


@dataclass(frozen=True, slots=True)
class KnownDocuments:
    """The mirrored customers and licenses that some events are about, and all plans, by id and by name."""

    customers: Mapping[DocId, CustomerState]
    licenses: Mapping[DocId, LicenseState]
    plans: Mapping[DocId, Plan]
    plans_by_name: Mapping[str, Plan]


class _Subject(NamedTuple):
    """What the mirror knows about an event: its customer, the customer's name (None: unknown), license and plan."""

    customer_id: DocId
    name: str | None
    license: LicenseState | None
    plan: Plan | None


def described(stored: Mapping[str, Any], known: KnownDocuments, settings: Settings, *, is_own: bool) -> dict[str, Any]:
    """Return a stored event with a description that a note may show.

    An external event about a known document also gets the customer's name in its metadata, and the customer's id.
    """
    return (None if is_own else composed(stored, known, settings)) or _cleaned(stored)


def composed(stored: Mapping[str, Any], known: KnownDocuments, settings: Settings) -> dict[str, Any] | None:
    """Return an external event described from the documents or numbers it is about; None if there are none."""
    subject = _subject(stored, known, settings)
    if (subject.name or subject.license) and stored.get("event_type") in DOCUMENT_EVENTS:
        return _of_document(stored, subject, known, settings)
    numbered = _with_plan(stored, subject, known)
    text = rendering.of_numbers(numbered, known.plans_by_name, settings)
    return {**numbered, "description": text} if text else None


IDENTITIES = ("_id", "customer_id", "license_id")
"""Fields of an event that are shown as they are."""


def shown_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without the e-mail addresses and license keys in its texts."""
    return {name: value if name in IDENTITIES else _without_private_parts(value) for name, value in event.items()}


def _without_private_parts(value: Any) -> Any:
    if isinstance(value, str):
        return without_private_parts(value)
    if isinstance(value, Mapping):
        return {_without_private_parts(name): _without_private_parts(one) for name, one in value.items()}
    return [_without_private_parts(one) for one in value] if isinstance(value, list) else value


def _cleaned(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {**stored, "description": note_text(stored.get("description")) or _noun(stored)}


def _of_document(
    stored: Mapping[str, Any], subject: _Subject, known: KnownDocuments, settings: Settings
) -> dict[str, Any]:
    kind, name = EventType(str(stored["event_type"])), subject.name or ""
    metadata = stored.get("metadata")
    facts: dict[str, Any] = dict(metadata) if isinstance(metadata, Mapping) else {}
    found: dict[str, Any] = {
        "customer_id": subject.customer_id,
        "plan_name": subject.plan.name if subject.plan else None,
        "amount": _amount(stored, kind, subject.plan, settings),
        "metadata": {**facts, "customer_name": name},
    }
    marked = {**stored, **found, "metadata": found["metadata"] | _origin(facts, subject, settings)}
    text = rendering.from_fields(marked, known.plans_by_name, settings)
    title = settings.plan_title(subject.plan) if subject.plan else ""
    missing = {key: value for key, value in found.items() if stored.get(key) is None and value is not None}
    return {
        **stored,
        **missing,
        "metadata": found["metadata"],
        "description": text or catalog.incomplete_fact(kind, title, name),
    }


def _amount(stored: Mapping[str, Any], kind: EventType, plan: Plan | None, settings: Settings) -> float | None:
    """Return the amount of a payment event in euros, by default the price of its plan; None if it is unknown."""
    cents, currency = catalog.cents(stored.get("amount")), str(stored.get("currency") or "EUR").upper()
    if cents is None:
        return plan.price_cents / 100 if plan is not None else None
    rate = 1 if currency == "EUR" else settings.rates.get(currency)
    if rate is None:
        return None
    euros = round(cents * rate) / 100
    return abs(euros) if kind is EventType.PAYMENT_REFUNDED else euros


def _origin(facts: Mapping[str, Any], subject: _Subject, settings: Settings) -> dict[str, str]:
    """Return the mark of a license that was entered by hand."""
    license = subject.license.license if subject.license else None
    is_manual = facts.get("source") == settings.manual_source or (license is not None and license.is_manual)
    return {"origin": settings.manual_source} if is_manual or subject.name == PLACEHOLDER else {}


def _subject(stored: Mapping[str, Any], known: KnownDocuments, settings: Settings) -> _Subject:
    license = _find(known.licenses, stored.get("license_id"))
    owner = license.license.customer_id if license is not None and license.license is not None else None
    customer_id = stored.get("customer_id") if stored.get("customer_id") is not None else owner
    customer = _find(known.customers, customer_id) or _find(known.customers, owner)
    if customer is not None and customer.present:
        name: str | None = settings.customer_name(customer.fields) or catalog.UNNAMED
    else:
        text = one_line(stored.get("description"))
        name = one_line(name_in_text(settings.texts, text), MAX_NAME) or None
    return _Subject(customer_id, name, license, _plan(stored, license, known))


def _plan(stored: Mapping[str, Any], license: LicenseState | None, known: KnownDocuments) -> Plan | None:
    """Return the plan that the event names, else the license's plan."""
    named = known.plans_by_name.get(str(stored.get("plan_name")))
    current = license.license.plan_id if license is not None and license.license is not None else None
    return named or known.plans.get(current)


def _with_plan(stored: Mapping[str, Any], subject: _Subject, known: KnownDocuments) -> Mapping[str, Any]:
    """Return an event with its plan's name; a sale of the only limited plan may not name it."""
    limited = [plan for plan in known.plans.values() if plan.limit is not None and plan.is_lifetime]
    plan = subject.plan or (limited[0] if len(limited) == 1 else None)
    return {**stored, "plan_name": plan.name} if plan else stored


def _find(states: Mapping[DocId, Any], doc_id: Any) -> Any:
    return states.get(doc_id) if doc_id is not None and is_id(doc_id) else None


def _noun(stored: Mapping[str, Any]) -> str:
    """Return the text of an event without a description of its own."""
    kind = stored.get("event_type")
    return catalog.NOUNS[EventType(str(kind))] if kind in _KINDS else catalog.UNKNOWN_NOUN
