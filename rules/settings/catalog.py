"""Catalog of Italian texts: event descriptions, their emoji and their rank in a note.

All text of events and notes is defined here, except what `rules.settings.italian` composes. Texts come out safe for a
note (`rules.text.note_text`). `name` is a customer's name, "" if unknown; `plan`, `before` and `after` are short plan
names (`Settings.plan_title`).
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from rules.model.changes import Plan
from rules.model.events import EventType
from rules.settings.italian import round_euros
from rules.text import name_text, note_text

UNNAMED = "un cliente senza nome"
PLACEHOLDER = "un cliente inserito a mano"
"""Replaces the name of the dashboard's placeholder customer for licenses entered by key."""
FORGOTTEN = "un cliente rimosso"
"""Replaces the name of a forgotten customer."""
MARKS = frozenset((FORGOTTEN, "cliente rimosso"))
"""The current and former values of FORGOTTEN: stored data has either."""
ANONYMOUS = MARKS | {UNNAMED, PLACEHOLDER}
"""The texts in place of a name: a list of customers does not begin with them."""

MAX_AMOUNT = 1e12


def euro(amount_cents: int) -> str:
    """Return cents as the table shows them: €7.99."""
    sign = "-" if amount_cents < 0 else ""
    return f"{sign}€{abs(amount_cents) // 100}.{abs(amount_cents) % 100:02d}"


def cents(amount: object) -> int | None:
    """Return an amount in euros of a stored event as cents; None if it is not a finite number."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return None
    return round(amount * 100) if math.isfinite(amount) and abs(amount) < MAX_AMOUNT else None


def of_customers(kind: str, count: int) -> str:
    """Return the number of customers of a count of facts: "62 nuove licenze di 58 clienti"."""
    preposition = {EventType.PAYMENT_COMPLETED: "da", EventType.PAYMENT_REFUNDED: "a"}.get(kind, "di")  # type: ignore[call-overload]
    return f"{preposition} {'un cliente' if count == 1 else f'{count} clienti'}"


def repeated(text: str, count: int) -> str:
    """Return a line for `count` facts of equal text."""
    return text if count == 1 else f"{text} ({count} volte)"


class EventStyle(NamedTuple):
    """Display of an event type in a note: emoji, rank (lower comes first) and plural noun for a count."""

    emoji: str
    rank: int
    many: str


STYLES: dict[EventType, EventStyle] = {
    EventType.NEW_CUSTOMER: EventStyle("🎉", 10, "nuovi clienti"),
    EventType.LICENSE_CREATED: EventStyle("🎫", 20, "nuove licenze"),
    EventType.PAYMENT_COMPLETED: EventStyle("💰", 30, "pagamenti ricevuti"),
    EventType.PAYMENT_FAILED: EventStyle("❌", 35, "pagamenti falliti"),
    EventType.PAYMENT_REFUNDED: EventStyle("↩️", 37, "rimborsi"),
    EventType.PLAN_UPGRADED: EventStyle("⬆️", 40, "upgrade"),
    EventType.PLAN_DOWNGRADED: EventStyle("⬇️", 45, "downgrade"),
    EventType.LICENSE_RENEWED: EventStyle("🔄", 55, "licenze rinnovate"),
    EventType.LICENSE_CANCELLED: EventStyle("😞", 60, "licenze cancellate"),
    EventType.LICENSE_EXPIRED: EventStyle("⌛", 65, "licenze scadute"),
    EventType.LICENSE_SUSPENDED: EventStyle("⏸️", 70, "licenze sospese"),
    EventType.LICENSE_ACTIVATED: EventStyle("✅", 75, "licenze riattivate"),
    EventType.MILESTONE_REACHED: EventStyle("🏆", 80, "traguardi"),
    EventType.FEATURE_RELEASED: EventStyle("🚀", 90, "rilasci"),
    EventType.MARKETING_CAMPAIGN: EventStyle("📢", 100, "campagne"),
    EventType.PARTNERSHIP: EventStyle("🤝", 110, "partnership"),
    EventType.MEDIA_MENTION: EventStyle("📰", 120, "menzioni sui media"),
    EventType.SUPPORT_TICKET: EventStyle("💬", 130, "richieste di assistenza"),
    EventType.SERVER_ISSUE: EventStyle("⚠️", 140, "problemi al server"),
    EventType.MAINTENANCE: EventStyle("🔧", 150, "interventi di manutenzione"),
}

EMOJIS: Mapping[str, str] = {
    "growth": "📈",
    "decline": "📉",
    "summary": "📅",
    "customers": "🎉",
    "licenses": "🏆",
    "mrr": "🏆",
    "api_calls": "🏆",
    "goal": "🎯",
    "record_mrr": "📈",
    "best_day": "🎉",
    "sales_streak": "🔥",
    "cancellations": "⚠️",
    "anniversary": "🎂",
    "calendar": "📅",
    "Capodanno": "🎆",
    "Epifania": "🧹",
    "Pasqua": "🐣",
    "Lunedì dell'Angelo": "🧺",
    "Anniversario della Liberazione": "🇮🇹",
    "Festa del Lavoro": "🌹",
    "Festa della Repubblica": "🇮🇹",
    "Ferragosto": "🏖️",
    "Ognissanti": "🍂",
    "Immacolata Concezione": "🎄",
    "Natale": "🎄",
    "Santo Stefano": "🎁",
    "Black Friday": "🛍️",
    "Cyber Monday": "💻",
}
"""Emoji of events with a subtype: milestones and trends by their name, dates by name or as `calendar`."""

SEPARATOR = " • "

RECONSTRUCTED: Mapping[str, tuple[str, str]] = {
    "new_customers": ("🎉 1 nuovo cliente", "🎉 nuovi clienti"),
    "started_licenses": ("🎫 1 nuova licenza", "🎫 nuove licenze"),
    "churned_customers": ("😞 1 cliente perso", "😞 clienti persi"),
}
"""Texts of the note of a day before the daemon, by field of the row: singular with number, plural noun."""


Texts = Mapping[str, str]

TEXTS: Texts = {
    "new_customer": "Nuovo cliente: {name}",
    "license_created": "Nuova licenza {plan}: {name}",
    "license_created_manually": "Nuova licenza {plan} inserita manualmente: {name}",
    "license_created_by_key": "Nuova licenza {plan} inserita manualmente",
    "license_activated": "Licenza {plan} riattivata: {name}",
    "license_renewed": "Licenza {plan} rinnovata: {name}",
    "license_cancelled": "Licenza {plan} cancellata: {name}",
    "license_expired": "Licenza {plan} scaduta: {name}",
    "license_suspended": "Licenza {plan} sospesa: {name}",
    "payment_completed": "Pagamento ricevuto: {amount} da {name}",
    "payment_failed": "Pagamento fallito: {amount} di {name}",
    "payment_refunded": "Pagamento rimborsato: {amount} a {name}",
    "payment_completed_short": "Pagamento ricevuto: {amount}",
    "plan_upgraded": "Upgrade {before} → {after}: {name}",
    "plan_downgraded": "Downgrade {before} → {after}: {name}",
    "limited_sale": "{plan} venduto: ne restano {remaining}",
    "limited_sale_few": "{plan}: solo {remaining} rimasti!",
    "limited_sale_last": "{plan}: ne resta solo uno!",
    "limited_sale_over": "{plan}: esaurito!",
    "milestone_customers": "Raggiunti {value} clienti totali!",
    "milestone_licenses": "Raggiunte {value} licenze attive!",
    "milestone_mrr": "Raggiunti €{value} di MRR!",
    "milestone_mrr_thousands": "Raggiunti {value} mila euro di MRR!",
    "milestone_mrr_million": "Raggiunto {value} milione di euro di MRR!",
    "milestone_mrr_millions": "Raggiunti {value} milioni di euro di MRR!",
    "milestone_api_calls": "Superate {value} chiamate API in un giorno!",
    "goal_reached": "Obiettivo raggiunto: {metric} a {value}!",
    "growth_mrr": "MRR aumentato di {amount} in {days} giorni!",
    "growth_customers": "+{amount} clienti in {days} giorni!",
    "growth_paying": "+{amount} clienti paganti in {days} giorni!",
    "record_mrr": "Nuovo record di MRR: {amount}!",
    "best_day": "Giorno record: {value} nuovi clienti!",
    "sales_streak": "{value} giorni di fila con vendite!",
    "cancellations": "Più cancellazioni del solito: {value} in un giorno (di solito {usual})",
    "anniversary_first": "{company} compie un anno!",
    "anniversary": "{company} compie {value} anni!",
    "holiday": "Oggi è festa: {name}",
    "month": "{month}: clienti {customers} ({change}), paganti {paying} ({paying_change})",
    "month_begun": "{month} (dal giorno {day}): clienti {customers} ({change}), paganti {paying} ({paying_change})",
    "month_mrr": "MRR {amount} ({change})",
    "month_sales": "Nuove licenze: {value}",
    "month_cancellations": "Cancellazioni: {value}",
    "month_one_time": "Vendite una tantum: {amount}",
    "month_churned": "Clienti persi: {value} (churn {rate})",
    "month_reactivated": "Clienti tornati: {value}",
    "month_retention": "NRR: {rate}",
}
"""Default texts by key. A configured text may use only the fields in braces of its default text."""

NOUNS: Mapping[EventType, str] = {
    EventType.NEW_CUSTOMER: "Nuovo cliente",
    EventType.LICENSE_CREATED: "Nuova licenza",
    EventType.PAYMENT_COMPLETED: "Pagamento ricevuto",
    EventType.PAYMENT_FAILED: "Pagamento fallito",
    EventType.PAYMENT_REFUNDED: "Pagamento rimborsato",
    EventType.PLAN_UPGRADED: "Upgrade",
    EventType.PLAN_DOWNGRADED: "Downgrade",
    EventType.LICENSE_RENEWED: "Licenza rinnovata",
    EventType.LICENSE_CANCELLED: "Licenza cancellata",
    EventType.LICENSE_EXPIRED: "Licenza scaduta",
    EventType.LICENSE_SUSPENDED: "Licenza sospesa",
    EventType.LICENSE_ACTIVATED: "Licenza riattivata",
    EventType.MILESTONE_REACHED: "Traguardo",
    EventType.FEATURE_RELEASED: "Rilascio",
    EventType.MARKETING_CAMPAIGN: "Campagna",
    EventType.PARTNERSHIP: "Partnership",
    EventType.MEDIA_MENTION: "Menzione sui media",
    EventType.SUPPORT_TICKET: "Ticket di assistenza",
    EventType.SERVER_ISSUE: "Problema al server",
    EventType.MAINTENANCE: "Manutenzione",
}
"""The name of one event of each type, for an event without a text of its own."""

UNKNOWN_NOUN = "Evento"

_FIELD = re.compile(r"\{([^{}]*)\}")
_DASH = re.compile(r"\s+[-–—]\s")


def check_texts(texts: Texts) -> None:
    """Raise ValueError for an empty text or a text with fields that its default text does not have."""
    for key, text in texts.items():
        known = _FIELD.findall(TEXTS[key])
        stray = [name for name in _FIELD.findall(text) if name not in known]
        if not text.strip() or stray or set("{}") & set(_FIELD.sub("", text)):
            fields = " ".join(f"{{{name}}}" for name in known)
            raise ValueError(f"{key}: must be a text with no other fields than {fields}, got {text!r:.80}")


def render(texts: Texts, key: str, **values: object) -> str:
    """Return the text of a key with its values; braces inside a value (a customer's name) stay as they are."""
    parts = list(split_fields(texts.get(key) or TEXTS[key]))
    parts[1::2] = [str(values[name]) for name in parts[1::2]]
    return note_text("".join(parts))


@lru_cache(maxsize=200)
def split_fields(text: str) -> tuple[str, ...]:
    """Return literals and field names in turn, beginning and ending with a literal."""
    return tuple(_FIELD.split(text))


def short_name(plan: Plan, names: Mapping[str, str]) -> str:
    """Return a plan's name in texts: the configured one, else its title up to " - " ("Pro - AI Inclusa" is "Pro")."""
    chosen = names.get(plan.name) or _DASH.split(plan.title)[0]
    return name_text(chosen) or name_text(plan.name.capitalize())


def shown_name(name: str) -> str:
    """Return a customer's name as a text shows it."""
    return name_text(name) or UNNAMED


def new_customer(name: str, texts: Texts = TEXTS) -> str:
    return render(texts, "new_customer", name=shown_name(name))


def license_created(plan: str, name: str, is_manual: bool, texts: Texts = TEXTS) -> str:
    if is_manual and name in ("", PLACEHOLDER):
        return render(texts, "license_created_by_key", plan=plan)
    return render(texts, f"license_created{'_manually' if is_manual else ''}", plan=plan, name=shown_name(name))


def payment(kind: EventType, amount_cents: int, name: str, texts: Texts = TEXTS) -> str:
    return render(texts, kind.value, amount=euro(amount_cents), name=shown_name(name))


def short_description(stored: Mapping[str, Any], texts: Texts = TEXTS) -> str:
    """Return the text of a stored event without the customer's name; "" if its type has no such text.

    A note uses it if another line has the name.
    """
    amount = cents(stored.get("amount"))
    if stored.get("event_type") != EventType.PAYMENT_COMPLETED or amount is None:
        return ""
    return render(texts, "payment_completed_short", amount=euro(amount))


def plan_changed(before: str, after: str, name: str, is_upgrade: bool, texts: Texts = TEXTS) -> str:
    key = "plan_upgraded" if is_upgrade else "plan_downgraded"
    return render(texts, key, before=before, after=after, name=shown_name(name))


def license_changed(kind: EventType, plan: str, name: str, texts: Texts = TEXTS) -> str:
    return render(texts, kind.value, plan=plan, name=shown_name(name))


def limited_sale(plan: str, remaining: int, limit: int | None, texts: Texts = TEXTS) -> str:
    """Return the text of a sale of a plan with a limit, such as the Founders Deal."""
    key = {0: "limited_sale_over", 1: "limited_sale_last"}.get(max(0, remaining), "limited_sale")
    if remaining > 1 and remaining * 10 < (limit or 0):
        key = "limited_sale_few"
    return render(texts, key, plan=plan, remaining=remaining)


def milestone(kind: str, level: int, texts: Texts = TEXTS) -> str:
    """Return the text of a reached level; `kind` is the dashboard's `milestone_type`."""
    unit, value = round_euros(level) if kind == "mrr" else ("", str(level))
    return render(texts, f"milestone_{kind}_{unit}" if unit else f"milestone_{kind}", value=value)


def growth(kind: str, amount: int, days: int, texts: Texts = TEXTS) -> str:
    """Return the text of growth in some days; `amount` is in cents for "mrr", else in customers."""
    return render(texts, f"growth_{kind}", amount=euro(amount) if kind == "mrr" else amount, days=days)


def incomplete_fact(kind: EventType, plan: str, name: str) -> str:
    """Return the text of an external event about a known document that lacks the plan or the amount."""
    return note_text(f"{NOUNS[kind]}{' ' if plan else ''}{plan}: {shown_name(name)}")
