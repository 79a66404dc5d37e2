"""The words of the house, in Italian: descriptions of events, their emoji and their importance.

The one place where text that the owner reads is written. Names are made fit by `rules.names` beforehand.
"""

from typing import NamedTuple

from rules.model import EventType, Plan

UNNAMED = "cliente senza nome"


def euro(amount_cents: int) -> str:
    """Cents as the table shows them: €7.99."""
    sign = "-" if amount_cents < 0 else ""
    return f"{sign}€{abs(amount_cents) // 100}.{abs(amount_cents) % 100:02d}"


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
    EventType.PLAN_UPGRADED: Style("⬆️", 40, "upgrade"),
    EventType.PLAN_DOWNGRADED: Style("⬇️", 45, "downgrade"),
    EventType.LICENSE_ACTIVATED: Style("✅", 50, "licenze riattivate"),
    EventType.LICENSE_RENEWED: Style("🔄", 55, "licenze rinnovate"),
    EventType.LICENSE_CANCELLED: Style("❌", 60, "licenze cancellate"),
    EventType.LICENSE_EXPIRED: Style("⌛", 65, "licenze scadute"),
    EventType.LICENSE_SUSPENDED: Style("⏸️", 70, "licenze sospese"),
    EventType.MILESTONE_REACHED: Style("🏆", 80, "traguardi"),
    EventType.FEATURE_RELEASED: Style("🚀", 90, "rilasci"),
    EventType.MARKETING_CAMPAIGN: Style("📢", 100, "iniziative"),
    EventType.PARTNERSHIP: Style("🤝", 110, "partnership"),
    EventType.MEDIA_MENTION: Style("📰", 120, "citazioni"),
    EventType.SUPPORT_TICKET: Style("🎧", 130, "richieste di assistenza"),
    EventType.SERVER_ISSUE: Style("🔥", 140, "problemi al server"),
    EventType.MAINTENANCE: Style("🔧", 150, "manutenzioni"),
}

SEPARATOR = " • "


def new_customer(name: str) -> str:
    return f"Nuovo cliente: {name or UNNAMED}"


def license_created(plan: Plan, name: str, is_manual: bool) -> str:
    by_hand = " inserita manualmente" if is_manual else ""
    return f"Nuova licenza {plan.title}{by_hand}: {name or UNNAMED}"


def payment_completed(amount_cents: int, name: str) -> str:
    return f"Pagamento ricevuto: {euro(amount_cents)} da {name or UNNAMED}"


def plan_changed(before: Plan, after: Plan, name: str, is_upgrade: bool) -> str:
    word = "Upgrade" if is_upgrade else "Downgrade"
    return f"{word}: {before.name.upper()} → {after.name.upper()}, {name or UNNAMED}"


_LICENSE_WORDS = {
    EventType.LICENSE_ACTIVATED: "Licenza riattivata",
    EventType.LICENSE_CANCELLED: "Licenza cancellata",
    EventType.LICENSE_SUSPENDED: "Licenza sospesa",
    EventType.LICENSE_EXPIRED: "Licenza scaduta",
    EventType.LICENSE_RENEWED: "Licenza rinnovata",
}


def license_turned(kind: EventType, plan: Plan, name: str) -> str:
    return f"{_LICENSE_WORDS[kind]}: {plan.title}, {name or UNNAMED}"


def limited_sale(plan: Plan, remaining: int) -> str:
    """A sale of a plan with a limit, such as the Founders Deal."""
    if remaining <= 0:
        return f"{plan.title}: esaurito!"
    return f"{plan.title}: {'solo 1 rimasto' if remaining == 1 else f'solo {remaining} rimasti'}!"
