"""Italian texts of messages to people: mail, Telegram and all other channels share them."""

from collections.abc import Mapping

from rules.model.events import EventType

NUMBERS: Mapping[str, str] = {
    "mrr_cents": "MRR",
    "total_customers": "Clienti totali",
    "paying_customers": "Clienti paganti",
    "subscribers": "Abbonati",
    "active_licenses": "Licenze attive",
}
"""The numbers of a message, by field of the row."""

MONEY = frozenset(("mrr_cents",))
"""Those of them that are cents of a euro."""

SUBJECT_DAY = "{short_day}: MRR {mrr} ({change})"
SUBJECT_DAY_QUIET = "{short_day}: giornata tranquilla, MRR {mrr}"
SUBJECT_DAYS = "{short_range}: MRR {mrr} ({change})"
SUBJECT_NEW_CUSTOMERS = ("1 nuovo cliente", "{count} nuovi clienti")
SUBJECT_CORRECTION = "✏️ Rettifica {of_period}: {name} {before} → {after}"
SUBJECT_CORRECTIONS = "✏️ Rettifica di {periods}"
SUBJECT_CORRECTED_DAYS = ("1 giorno", "{count} giorni")
SUBJECT_CORRECTED_MONTHS = ("1 mese", "{count} mesi")
SUBJECT_NOW = ("1 novità", "{count} novità")

UNCHANGED = "="
NUMBER = "{name}: {value} ({change})"
NUMBER_ALONE = "{name}: {value}"

DAY = "📅 {Weekday} {day}"
WEEK = "📅 Settimana {range}"
MONTH = "📅 {Month}"
QUIET_DAY = "Giornata tranquilla: nessun evento."
DAY_LINE = "📅 {short_day}: MRR {mrr} ({change})"
MORE_DAYS = ("… e il giorno precedente", "… e altri {count} giorni precedenti")
MORE_WEEKS = ("… e la settimana precedente", "… e altre {count} settimane precedenti")
MORE_MONTHS = ("… e il mese precedente", "… e altri {count} mesi precedenti")
INCOMPLETE = "⚠️ Numeri forse incompleti: c’è stata un’interruzione di {duration}."

CORRECTION = "✏️ Rettifica {del_day}: {differences}"
CORRECTION_RUN = "✏️ Rettifica {dal_day} {al_day}: {differences} (per esempio {il_day} {example})"
CORRECTION_DIFFERENCE = "{name} {before} → {after}"
CORRECTION_STEP = "{name} {step}"
CORRECTION_MONTH = "✏️ Rettifica di {month}: {differences}"
MORE_CORRECTIONS = ("… e un’altra rettifica", "… e altre {count} rettifiche")
CORRECTION_WHY = "Motivo: {reason}"
LATE_FACTS = ("1 evento arrivato in ritardo", "{count} eventi arrivati in ritardo")
RECOVERED_FACTS = ("1 evento recuperato dopo un’interruzione", "{count} eventi recuperati dopo un’interruzione")
WITHDRAWN_FACTS = ("1 evento annullato", "{count} eventi annullati")

WITHDRAWN = "↩️ Non è più così: {text}"
MORE_FACTS = "… e altri {count} ({kinds})"
ONE_MORE_FACT = "… e un altro evento"
TEXT_REMOVED = "(testo rimosso)"

CAUSES: Mapping[str, str] = {
    "first_start": "primo avvio",
    "upgrade": "aggiornamento a una nuova versione",
    "filter_change": "sono cambiati i campi seguiti",
    "history_lost": "la cronologia del database non arrivava abbastanza indietro",
    "fatal": "il collegamento si è chiuso con un errore definitivo",
    "bad_token": "la posizione salvata non valeva più",
    "future_token": "la posizione salvata era nel futuro",
    "drop": "una collezione è stata eliminata",
    "rename": "una collezione è stata rinominata",
    "dropDatabase": "il database è stato eliminato",
    "invalidate": "il database ha chiuso il collegamento",
    "event_too_large": "una modifica era troppo grande per essere letta",
    "mass_deletion": "troppi documenti eliminati in pochi minuti",
    "requested": "confronto chiesto a mano",
    "retry": "nuovo tentativo sui documenti messi da parte",
}
"""Why the stream could not be followed, by cause of the gap."""
INTERRUPTION_OPEN = "🔌 Interruzione in corso {dal_moment}: {cause}"
INTERRUPTION_OPEN_MEANWHILE = "I numeri possono essere incompleti. Il sistema recupera da solo."
INTERRUPTION_SAME_DAY = "🔌 Interruzione {del_day} dalle {since} alle {until}, {recovered}"
INTERRUPTION = "🔌 Interruzione {dal_moment} {al_moment}, {recovered}"
RECOVERED = ("nessun documento da recuperare", "recuperato 1 documento", "recuperati {count} documenti")
APPROVAL = "🚨 Serve una decisione: dal database {missing}"
MISSING: Mapping[str, tuple[str, str]] = {
    "customers": ("è sparito 1 cliente", "sono spariti {count} clienti"),
    "licenses": ("è sparita 1 licenza", "sono sparite {count} licenze"),
    "plans": ("è sparito 1 piano", "sono spariti {count} piani"),
    "payments": ("è sparito 1 pagamento", "sono spariti {count} pagamenti"),
}
APPROVAL_WHAT_TO_DO = (
    "Ripristina i documenti spariti o, se la cancellazione è voluta: chatello-analytics reconcile --accept-deletions"
)

TEST = "👋 Messaggio di prova da chatello-analytics."

KINDS: Mapping[EventType, tuple[str, str]] = {
    EventType.NEW_CUSTOMER: ("1 cliente", "{count} clienti"),
    EventType.LICENSE_CREATED: ("1 licenza", "{count} licenze"),
    EventType.LICENSE_ACTIVATED: ("1 riattivazione", "{count} riattivazioni"),
    EventType.LICENSE_CANCELLED: ("1 cancellazione", "{count} cancellazioni"),
    EventType.LICENSE_SUSPENDED: ("1 sospensione", "{count} sospensioni"),
    EventType.LICENSE_EXPIRED: ("1 scadenza", "{count} scadenze"),
    EventType.LICENSE_RENEWED: ("1 rinnovo", "{count} rinnovi"),
    EventType.PAYMENT_COMPLETED: ("1 pagamento", "{count} pagamenti"),
    EventType.PAYMENT_FAILED: ("1 pagamento fallito", "{count} pagamenti falliti"),
    EventType.PAYMENT_REFUNDED: ("1 rimborso", "{count} rimborsi"),
    EventType.PLAN_UPGRADED: ("1 upgrade", "{count} upgrade"),
    EventType.PLAN_DOWNGRADED: ("1 downgrade", "{count} downgrade"),
    EventType.MILESTONE_REACHED: ("1 traguardo", "{count} traguardi"),
    EventType.SUPPORT_TICKET: ("1 ticket", "{count} ticket"),
}
OTHER_KIND = ("1 evento", "{count} eventi")
"""Events of all other types, in a count by kind."""
