"""The words of the house, in Italian: descriptions of events, their emoji and their importance.

The one place where text that the owner reads is written. Names are made fit by `rules.text` beforehand.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from rules.model.changes import Plan
from rules.model.events import EventType

UNNAMED = "cliente senza nome"
FORGOTTEN = "cliente rimosso"
"""Stands where the name of somebody stood who was to be forgotten."""


def euro(amount_cents: int) -> str:
    """Cents as the table shows them: €7.99."""
    sign = "-" if amount_cents < 0 else ""
    return f"{sign}€{abs(amount_cents) // 100}.{abs(amount_cents) % 100:02d}"


def others(count: int) -> str:
    """What a list that is cut off ends with."""
    return "e un altro" if count == 1 else f"e altri {count}"


def times(text: str, count: int) -> str:
    """A line that so many facts would say word for word."""
    return text if count == 1 else f"{text} ({count} volte)"


class Style(NamedTuple):
    """How a kind of event shows in a note: emoji, rank (lower comes first), and the plural for many."""

    emoji: str
    rank: int
    many: str


STYLES: dict[EventType, Style] = {
    EventType.NEW_CUSTOMER: Style("🎉", 10, "nuovi clienti"),
    EventType.LICENSE_CREATED: Style("🎫", 20, "nuove licenze"),
    EventType.PAYMENT_COMPLETED: Style("💰", 30, "pagamenti ricevuti"),
    EventType.PAYMENT_FAILED: Style("⚠️", 35, "pagamenti falliti"),
    EventType.PAYMENT_REFUNDED: Style("↩️", 37, "rimborsi"),
    EventType.PLAN_UPGRADED: Style("⬆️", 40, "upgrade"),
    EventType.PLAN_DOWNGRADED: Style("⬇️", 45, "downgrade"),
    EventType.LICENSE_RENEWED: Style("🔄", 55, "licenze rinnovate"),
    EventType.LICENSE_CANCELLED: Style("❌", 60, "licenze cancellate"),
    EventType.LICENSE_EXPIRED: Style("⌛", 65, "licenze scadute"),
    EventType.LICENSE_SUSPENDED: Style("⏸️", 70, "licenze sospese"),
    EventType.LICENSE_ACTIVATED: Style("✅", 75, "licenze riattivate"),
    EventType.MILESTONE_REACHED: Style("🏆", 80, "traguardi"),
    EventType.FEATURE_RELEASED: Style("🚀", 90, "rilasci"),
    EventType.MARKETING_CAMPAIGN: Style("📢", 100, "iniziative"),
    EventType.PARTNERSHIP: Style("🤝", 110, "partnership"),
    EventType.MEDIA_MENTION: Style("📰", 120, "citazioni"),
    EventType.SUPPORT_TICKET: Style("🎧", 130, "richieste di assistenza"),
    EventType.SERVER_ISSUE: Style("🔥", 140, "problemi al server"),
    EventType.MAINTENANCE: Style("🔧", 150, "manutenzioni"),
}

EMOJIS: Mapping[str, str] = {
    "growth": "📈",
    "decline": "📉",
    "summary": "📅",
    "customers": "🎉",
    "licenses": "🏆",
    "mrr": "🏆",
    "api_calls": "🏆",
    "record_mrr": "📈",
    "best_day": "🎉",
    "sales_streak": "🔥",
    "cancellations": "⚠️",
    "anniversary": "🎂",
    "calendar": "📅",
    "Capodanno": "🎆",
    "Pasqua": "🐣",
    "Ferragosto": "🏖️",
    "Natale": "🎄",
    "Black Friday": "🛍️",
    "Cyber Monday": "💻",
}
"""Of events told apart by more than their type: milestones and trends by theirs, dates by name or as `calendar`."""

SEPARATOR = " • "

RECONSTRUCTED: Mapping[str, tuple[str, str]] = {
    "new_customers": ("🎉 1 nuovo cliente", "🎉 nuovi clienti"),
    "started_licenses": ("🎫 1 nuova licenza", "🎫 nuove licenze"),
    "churned_customers": ("❌ 1 cliente perso", "❌ clienti persi"),
}
"""What the note of a day before the daemon counts, by the row's field: the words for one, and for many."""


Texts = Mapping[str, str]

TEXTS: Texts = {
    "new_customer": "Nuovo cliente: {name}",
    "license_created": "Nuova licenza {plan}: {name}",
    "license_created_manually": "Nuova licenza {plan} inserita manualmente: {name}",
    "license_activated": "Licenza riattivata: {plan}, {name}",
    "license_renewed": "Licenza rinnovata: {plan}, {name}",
    "license_cancelled": "Licenza cancellata: {plan}, {name}",
    "license_expired": "Licenza scaduta: {plan}, {name}",
    "license_suspended": "Licenza sospesa: {plan}, {name}",
    "payment_completed": "Pagamento ricevuto: {amount} da {name}",
    "payment_failed": "Pagamento fallito: {amount} da {name}",
    "payment_refunded": "Pagamento rimborsato: {amount} a {name}",
    "payment_completed_short": "Pagamento ricevuto: {amount}",
    "plan_upgraded": "Upgrade: {before} → {after}, {name}",
    "plan_downgraded": "Downgrade: {before} → {after}, {name}",
    "limited_sale": "{plan}: solo {remaining} rimasti!",
    "limited_sale_last": "{plan}: solo 1 rimasto!",
    "limited_sale_over": "{plan}: esaurito!",
    "milestone_customers": "Raggiunti {value} clienti totali!",
    "milestone_licenses": "Raggiunte {value} licenze attive!",
    "milestone_mrr": "Raggiunti €{value} di MRR!",
    "milestone_api_calls": "Superati {value} API calls giornaliere!",
    "growth_mrr": "MRR aumentato di {amount} in {days} giorni!",
    "growth_customers": "+{amount} clienti in {days} giorni!",
    "growth_paying": "+{amount} clienti paganti in {days} giorni!",
    "record_mrr": "Nuovo record di MRR: {amount}!",
    "best_day": "Giorno record: {value} nuovi clienti!",
    "sales_streak": "{value} giorni di fila con vendite!",
    "cancellations": "Cancellazioni insolite: {value} in un giorno (di solito {usual})",
    "anniversary_first": "{company} compie 1 anno!",
    "anniversary": "{company} compie {value} anni!",
    "holiday": "Festività: {name}",
    "month": "{month}: clienti {customers} ({change}), paganti {paying} ({paying_change})",
    "month_begun": "{month} (dal giorno {day}): clienti {customers} ({change}), paganti {paying} ({paying_change})",
    "month_mrr": "MRR {amount} ({change})",
    "month_sales": "Nuove licenze: {value}",
    "month_cancellations": "Cancellazioni: {value}",
    "month_one_time": "Vendite una tantum: {amount}",
    "month_churned": "Clienti persi: {value} (churn {rate})",
    "month_reactivated": "Clienti tornati: {value}",
    "month_retention": "Retention netta: {rate}",
}
"""What is said, by what it is said of; the fields in braces are all a text of the owner may use."""

_FIELD = re.compile(r"\{([^{}]*)\}")


def check_texts(texts: Texts) -> None:
    """Raises ValueError for a text of nothing, or with a field that its fact does not have."""
    for key, text in texts.items():
        known = _FIELD.findall(TEXTS[key])
        stray = [name for name in _FIELD.findall(text) if name not in known]
        if not text.strip() or stray or set("{}") & set(_FIELD.sub("", text)):
            fields = " ".join(f"{{{name}}}" for name in known)
            raise ValueError(f"{key}: wanted a text with no other fields than {fields}, got {text!r:.80}")


def render(texts: Texts, key: str, **values: object) -> str:
    """One text with its values; braces inside a value (a customer's name) are text."""
    parts = list(_taken_apart(texts.get(key) or TEXTS[key]))
    parts[1::2] = [str(values[name]) for name in parts[1::2]]
    return "".join(parts)


def name_in_text(texts: Texts, text: str) -> str | None:
    """The customer's name in what was said of somebody, by these words or those of the house; None if by no such."""
    for key, house in TEXTS.items():
        for words in {texts.get(key) or house, house} if "{name}" in house and key != "holiday" else ():
            if found := _name_in(words).fullmatch(text):
                return found["name"]
    return None


@lru_cache(maxsize=200)
def _name_in(words: str) -> re.Pattern[str]:
    """What a text looks like once it is said; the name is whatever is left."""
    parts = list(_taken_apart(words))
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = ["(?P<name>.+)" if name == "name" else ".+?" for name in parts[1::2]]
    return re.compile("".join(parts))


@lru_cache(maxsize=200)
def _taken_apart(text: str) -> tuple[str, ...]:
    """Words and names of fields in turn, beginning and ending with words."""
    return tuple(_FIELD.split(text))


def new_customer(name: str, texts: Texts = TEXTS) -> str:
    return render(texts, "new_customer", name=name or UNNAMED)


def license_created(plan: Plan, name: str, is_manual: bool, texts: Texts = TEXTS) -> str:
    key = "license_created_manually" if is_manual else "license_created"
    return render(texts, key, plan=plan.title, name=name or UNNAMED)


def payment(kind: EventType, amount_cents: int, name: str, texts: Texts = TEXTS) -> str:
    return render(texts, kind.value, amount=euro(amount_cents), name=name or UNNAMED)


def short(stored: Mapping[str, Any], texts: Texts = TEXTS) -> str:
    """A stored event of ours without its customer's name, for a note that names the customer already; "" if none."""
    amount = stored.get("amount")
    if stored.get("event_type") != EventType.PAYMENT_COMPLETED or not isinstance(amount, int | float):
        return ""
    return render(texts, "payment_completed_short", amount=euro(round(amount * 100)))


def plan_changed(before: Plan, after: Plan, name: str, is_upgrade: bool, texts: Texts = TEXTS) -> str:
    key = "plan_upgraded" if is_upgrade else "plan_downgraded"
    return render(texts, key, before=before.name.upper(), after=after.name.upper(), name=name or UNNAMED)


def license_turned(kind: EventType, plan: Plan, name: str, texts: Texts = TEXTS) -> str:
    return render(texts, kind.value, plan=plan.title, name=name or UNNAMED)


def limited_sale(plan: Plan, remaining: int, texts: Texts = TEXTS) -> str:
    """A sale of a plan with a limit, such as the Founders Deal."""
    key = {0: "limited_sale_over", 1: "limited_sale_last"}.get(max(0, remaining), "limited_sale")
    return render(texts, key, plan=plan.title, remaining=remaining)


MONTHS = (
    "Gennaio", "Febbraio", "Marzo", "Aprile", "Maggio", "Giugno",
    "Luglio", "Agosto", "Settembre", "Ottobre", "Novembre", "Dicembre",
)  # fmt: skip
