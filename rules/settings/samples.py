"""Sample events, which show an owner notes and page on the first day. Italian texts."""

from rules.model.events import EventType

SAMPLES = (
    (EventType.FEATURE_RELEASED, "Rilasciata una nuova integrazione (esempio)"),
    (EventType.MARKETING_CAMPAIGN, "Newsletter inviata agli iscritti (esempio)"),
    (EventType.PARTNERSHIP, "Accordo con un’agenzia partner (esempio)"),
    (EventType.MEDIA_MENTION, "Articolo su una rivista di settore (esempio)"),
    (EventType.SUPPORT_TICKET, "Richiesta di assistenza risolta in giornata (esempio)"),
    (EventType.MAINTENANCE, "Manutenzione programmata completata (esempio)"),
)
"""Types and texts. Only types of which the daemon emits no facts: a sample can neither replace a fact nor be counted as
a customer, a license or a payment."""
