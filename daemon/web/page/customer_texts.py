"""Italian texts of customers: list, one customer, what to do today."""

from daemon.diagnostics.customers import Standing
from rules.insights.todo import TodoKind

TITLE = "Clienti"
SEARCH = "Cerca per nome"
STATE = "Stato"
PLAN = "Piano"
ORDER = "Ordina"
SHOW = "Mostra"
CLEAR = "Togli i filtri"
STATES = {
    "": "Tutti",
    "paganti": "Paganti",
    "a-vita": "Solo a vita",
    "senza": "Senza licenza attiva",
    "persi": "Persi",
    "tornati": "Tornati",
    "in-scadenza": "In scadenza",
}
ALL_PLANS = "Tutti i piani"
ORDERS = {"mrr": "MRR più alto", "nome": "Nome", "data": "Più recenti"}
COLUMNS = ("Cliente", "Piano", "MRR", "Cliente dal", "Pagato", "Scade")
FILE_COLUMNS = ("Cliente", "Stato", "Piano", "MRR", "Cliente dal", "Pagato", "Scade")
SUM = "MRR di tutti i clienti"
CUSTOMERS = ("1 cliente in tutto", "{count} clienti in tutto")
EMPTY = "Ancora nessun cliente. Il primo compare qui appena si registra."
NOT_FOUND = "Nessun cliente con questi filtri. Controlla come è scritto il nome o togli i filtri."
TOO_MANY = "Troppi risultati: scrivi qualche lettera in più."
ORDERED_BY_NAME = (
    "I clienti di un piano con più di {few} licenze sono in ordine di nome: il prezzo è lo stesso per tutti."
)
NEXT, PREVIOUS = "Pagina seguente", "Pagina precedente"
PAGES = "Pagine dei clienti"
DOWNLOAD = "Scarica questi clienti"
AND = ", "
LEDGER_LINE = "n. {line}"
NO_PAYMENTS = "Il negozio non registra pagamenti."

UNNAMED = "Cliente senza nome"
PLACEHOLDER = "Licenze inserite a mano"
REMOVED = "cliente rimosso"
REMOVED_WHY = "Cliente rimosso su richiesta: nome ed email non sono più conservati."
STANDINGS = {
    Standing.PAYING: "pagante",
    Standing.LIFETIME: "licenza a vita",
    Standing.FREE: "licenza gratuita",
    Standing.LOST: "perso",
    Standing.ENDED: "senza licenza attiva",
    Standing.WITHOUT: "senza licenza",
}
SINCE = "Cliente {dal_day}"
SINCE_UNKNOWN = "Data di registrazione sconosciuta"
MRR = "MRR"
PAID = "Pagato"
EXPIRES = "Scade"
EXPIRES_DAYS = ("oggi", "domani", "fra {count} giorni")
NO_EXPIRY = "non scade"
LICENSES = "Licenze"
NO_LICENSES = "Nessuna licenza."
LICENSE_COLUMNS = ("Piano", "Stato", "MRR", "Scade")
LICENSE_STATES = {
    "active": "attiva",
    "inactive": "non attiva",
    "suspended": "sospesa",
    "expired": "scaduta",
    "cancelled": "cancellata",
    "unknown": "non leggibile",
}
STORY = "La storia"
STORY_EMPTY = "Ancora nessun evento per questo cliente."
STORY_COLUMNS = ("Quando", "Che cosa", "Variazione", "MRR")
REGISTERED = "Registrato"
BEFORE = "Prima di questi passi"
BEFORE_WHY = "Prima {del_day} i conti non c’erano: si conoscono solo la data di registrazione e l’MRR di partenza."
CHART = "MRR nel tempo, a gradini."
CHART_LABEL = "MRR nel tempo, a gradini. Alla fine: {mrr}."
READING = "Grafico: MRR del cliente. Frecce per scorrere i passi, Invio per il giorno."
OLDER, NEWEST = "Passi precedenti", "Passi più recenti"
STORY_PAGES = "Pagine della storia"
ALL_EVENTS = "Tutti gli eventi di questo cliente"
CORRECTION = "Rettifica del registro: {reason}"
NO_EMAIL = "Qui non compaiono email né chiavi di licenza: le trovi nella dashboard."
BACK = "Tutti i clienti"
SAME_AS_JSON = "La stessa cosa via API"

TODO = "Da fare oggi"
TODO_TITLES = {
    TodoKind.PAYMENT_FAILED: (
        "❌ 1 pagamento fallito e non recuperato",
        "❌ {count} pagamenti falliti e non recuperati",
    ),
    TodoKind.EXPIRING: ("⌛ 1 scadenza entro 14 giorni", "⌛ {count} scadenze entro 14 giorni"),
    TodoKind.LOST: ("😞 1 cliente perso negli ultimi 7 giorni", "😞 {count} clienti persi negli ultimi 7 giorni"),
    TodoKind.WITHOUT_LICENSE: (
        "👋 1 cliente registrato da più di 7 giorni senza licenza",
        "👋 {count} clienti registrati da più di 7 giorni senza licenza",
    ),
}
TODO_AMOUNTS = {
    TodoKind.PAYMENT_FAILED: "{amount} da recuperare",
    TodoKind.EXPIRING: "{amount} di MRR in gioco",
    TodoKind.LOST: "{amount} di MRR in meno",
}
TODO_WHY = {
    TodoKind.PAYMENT_FAILED: "Spesso è solo una carta scaduta: scrivi prima che scada la licenza.",
    TodoKind.EXPIRING: "Le prime a scadere; quelle rinnovate almeno due volte sono contate a parte.",
    TodoKind.LOST: "Guarda se hanno qualcosa in comune: piano, data di inizio, ultimo evento.",
    TodoKind.WITHOUT_LICENSE: "Un messaggio di benvenuto costa poco.",
}
TODO_OTHERS = ("e un altro", "e altri {count}")
TODO_OTHER_LICENSES = ("e un’altra", "e altre {count}")
TODO_HABITUAL = ("1 si rinnova di solito", "{count} si rinnovano di solito")
TODO_MORE_THAN = "oltre {count}"
TODO_UNREAD = (
    "Distinte solo le prime {read} a scadere: l’altra può essere una che si rinnova di solito.",
    "Distinte solo le prime {read} a scadere: fra le altre {count} ci sono anche quelle che si rinnovano di solito.",
)
TODO_ALL = {TodoKind.EXPIRING: ("elenco", "in-scadenza"), TodoKind.LOST: ("elenco dei persi", "persi")}
"""The list of customers that contains all of a kind: the text of the link, and the filter."""
