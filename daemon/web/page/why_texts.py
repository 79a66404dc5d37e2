"""Italian texts of the pages that explain a number or a fact of a note."""

from rules.model.ledger import MovementKind, Reason

TITLE = "{name}: perché {value}?"
FORMULA = "Formula"
AT_LINE = "{moment}, fino al movimento n. {line} del registro"
BEGAN = "All’inizio di {day}"
SKIPPED = "Movimenti precedenti di questo giorno"
REST = ("{day}: un altro movimento", "{day}: altri {count} movimenti")
IN_ALL = "Totale"
NONE = "Nessun movimento in questo periodo."
PART_OF = "{part} su {whole}"

HOLDS = "✓ torna"
HOLDS_WHY = "La somma dei movimenti, il numero rifatto dal registro e quello salvato sono uguali."
HOLDS_ALONE = "La somma dei movimenti e il numero rifatto dal registro sono uguali."
FAILS = "✗ non torna"
FAILS_WHY = "La tabella dice {stored}, i movimenti danno {made}."
FAILS_ACTION = "Per vedere le differenze:"
FAILS_COMMAND = "chatello-analytics rollup --check"
FAILS_LIVE_COMMAND = "chatello-analytics verify"
CORRECTED = "rettificata"
CORRECTED_FROM = "La riga è stata rettificata: prima {before}, ora {after}."

TOO_EARLY = "Non disponibile: i conti partono {dal_day}."
TOO_EARLY_FOR_RATE = "Non disponibile: servirebbero giorni prima dell’inizio dei conti."
NO_MRR = "Non disponibile: all’inizio del periodo non c’era MRR."
NO_SUBSCRIBERS = "Non disponibile: nessun abbonato."
NOTHING_LOST = "Non disponibile: non è uscito nulla."
TOO_FEW = "Meno di dieci abbonati all’inizio: una percentuale direbbe poco."
FUTURE = "Questo giorno deve ancora venire."
RECONSTRUCTED = "Riga ricostruita dalle date dei documenti: i singoli movimenti non ci sono."
NO_LEDGER = "I conti non sono ancora partiti."
UNKNOWN = "Questo numero non esiste."

NOTE_TITLE = "Da dove viene questa frase"
NOTE_FROM_EVENTS = ("Questa frase viene da 1 evento.", "Questa frase viene da {count} eventi.")
NOTE_NOT_FOUND = "Nella nota di questo giorno non c’è questa frase."
MORE_EVENTS = ("… e un altro evento", "… e altri {count} eventi")
BACK_TO_DAY = "Torna al giorno"
DOWNLOAD = "Scarica queste righe"
FILE_COLUMNS = ("Conto", "Quando", "Che cosa", "Cliente", "Piano", "Importo")
SAME_BY_API = "La stessa cosa via API"
ALL_OF_DAY = "Tutto il giorno"

NAMES = {
    "mrr": "MRR",
    "arr": "ARR",
    "arpa": "Ricavo medio per abbonato (ARPA)",
    "total_customers": "Clienti totali",
    "paying_customers": "Clienti paganti",
    "subscribers": "Abbonati",
    "active_licenses": "Licenze attive",
    "new_customers": "Nuovi clienti",
    "churned_customers": "Clienti persi",
    "reactivated_customers": "Clienti tornati",
    "one_time_revenue": "Vendite una tantum",
    "customer_churn_rate": "Churn dei clienti",
    "revenue_churn_rate": "Churn dei ricavi",
    "net_revenue_retention": "Retention netta (NRR)",
    "gross_revenue_retention": "Retention lorda (GRR)",
    "quick_ratio": "Quick ratio",
    "sales": "Nuove licenze vendute",
    "cancellations": "Licenze cancellate",
    "mrr_lost": "MRR uscito (contrazioni e abbandoni)",
    "mrr_won": "MRR entrato (nuovi, espansioni, ritorni)",
    "mrr_won_back": "MRR ripreso (espansioni e ritorni)",
    "mrr at the start": "MRR all’inizio",
    "subscribers at the start": "Abbonati all’inizio",
}
"""Names of fields and of the accounts of a formula."""
MOVEMENTS_OF = "Movimenti dell’MRR: {kind}"
NUMBER_OF_MOVEMENTS = "Numero di movimenti: {kind}"
PLAN_REVENUE = "Ricavi del piano {plan}"
PLAN_LICENSES = "Licenze attive del piano {plan}"

FORMULAS = {
    "arr": "MRR × 12",
    "arpa": "MRR ÷ abbonati",
    "customer_churn_rate": "clienti persi ÷ abbonati all’inizio",
    "revenue_churn_rate": "(abbandoni + contrazioni) ÷ MRR all’inizio",
    "net_revenue_retention": "(MRR all’inizio + espansioni + ritorni − contrazioni − abbandoni) ÷ MRR all’inizio",
    "gross_revenue_retention": "(MRR all’inizio − contrazioni − abbandoni) ÷ MRR all’inizio",
    "quick_ratio": "(nuovi + espansioni + ritorni) ÷ (contrazioni + abbandoni)",
}
SUMS = {
    "mrr": "Somma dei prezzi mensili delle licenze attive.",
    "total_customers": "Clienti registrati nel database.",
    "paying_customers": "Clienti con almeno una licenza attiva a pagamento.",
    "subscribers": "Clienti con MRR: chi ha solo licenze a vita non conta.",
    "active_licenses": "Licenze attive e non scadute.",
    "new_customers": "Clienti comparsi per la prima volta.",
    "churned_customers": "Clienti che hanno iniziato un giorno con MRR e l’hanno finito senza.",
    "reactivated_customers": "Clienti tornati ad avere MRR dopo averlo perso.",
    "one_time_revenue": "Licenze a vita vendute.",
}
"""What a number without a formula adds up."""

KINDS = {
    MovementKind.NEW: "Nuovo",
    MovementKind.REACTIVATION: "Ritorno",
    MovementKind.EXPANSION: "Espansione",
    MovementKind.CONTRACTION: "Contrazione",
    MovementKind.CHURN: "Abbandono",
    MovementKind.NEUTRAL: "Senza effetto sull’MRR",
    MovementKind.OPENING: "Saldo iniziale",
}
"""Names of one movement."""
REASONS = {
    Reason.CUSTOMER_CREATED: "cliente registrato",
    Reason.CUSTOMER_RETURNED: "cliente ricomparso",
    Reason.CUSTOMER_DELETED: "cliente eliminato",
    Reason.LICENSE_CREATED: "licenza creata",
    Reason.LICENSE_RETURNED: "licenza ricomparsa",
    Reason.LICENSE_DELETED: "licenza eliminata",
    Reason.LICENSE_MOVED: "licenza passata a un altro cliente",
    Reason.ACTIVATED: "licenza riattivata",
    Reason.CANCELLED: "licenza cancellata",
    Reason.SUSPENDED: "licenza sospesa",
    Reason.EXPIRED: "licenza scaduta",
    Reason.PLAN_CHANGED: "cambio di piano",
    Reason.REPRICE: "prezzo del piano cambiato",
    Reason.BOOTSTRAP: "saldo del primo avvio",
    Reason.RETENTION: "saldo dei mesi archiviati",
}
UNNAMED = "cliente senza nome"
