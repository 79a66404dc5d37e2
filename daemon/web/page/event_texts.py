"""Italian texts of events: the list, its filters, the form for a new one, and the page of a day."""

from rules.model.events import EventType

TITLE = "Eventi"
FOUND_NONE = "Nessun evento con questi filtri."
EMPTY = "Ancora nessun evento."
TOO_SHORT = "Scrivi almeno due lettere."
SEARCHED = "Cercato dagli eventi più recenti fino {al_day}."
SEARCH_ON = "Cerca negli eventi più vecchi"
FILTER_TYPE = "Tipo"
FILTER_DAY = "Giorno"
FILTER_CUSTOMER = "Cliente (id)"
FILTER_WORDS = "Parole"
ALL_TYPES = "Tutti i tipi"
FILTER = "Filtra"
NO_FILTERS = "Togli i filtri"
OLDER = "Più vecchi"
NEWEST = "I più recenti"
PAGES = "Pagine degli eventi"
WITHDRAWN = (
    "Un evento del sistema viene ritirato quando la dashboard racconta lo stesso fatto: resta il suo, con la scritta "
    "«dashboard»."
)

SOURCES = {"own": "sistema", "dashboard": "dashboard", "api": "a mano", "sample": "esempio"}
BY_RULE = "regola"
OF_CUSTOMER = "scheda del cliente"
RECOVERED = "recuperato"
RECOVERED_WHY = "Trovato dopo un’interruzione: l’ora è quella del recupero"

ADD = "Aggiungi un evento"
ADD_HINT = "Per ciò che il sistema non può sapere: un rilascio, una campagna, un articolo."
TYPE_LABEL = "Che cosa è successo"
TEXT_LABEL = "Testo"
TEXT_HINT = "Una riga, senza emoji: la mette il sistema. Al massimo {limit} caratteri."
DAY_LABEL = "Quando"
DAY_HINT = "Il giorno in cui è successo: oggi o prima."
SAVE = "Aggiungi"
ADDED = "Aggiunto: lo trovi nella nota {del_day}."
ADDED_LATE = "Aggiunto. Il giorno è già chiuso: la sua nota viene rettificata."
NOT_TEXT = "Scrivi almeno una parola, e al massimo {limit} caratteri."
NOT_TYPE = "Scegli che cosa è successo."
NOT_DAY = "Questo giorno deve ancora venire, o non esiste."
NOT_KEY = "Il modulo non è più valido: ricarica la pagina e riprova."
USED_KEY = "Questo modulo ha già aggiunto un altro evento: ricaricalo per aggiungerne uno nuovo."
READ_ONLY = "Qui si può solo leggere: per aggiungere eventi serve un token nella sezione [http] della configurazione."

TYPES = {
    EventType.NEW_CUSTOMER: "Nuovo cliente",
    EventType.LICENSE_CREATED: "Nuova licenza",
    EventType.LICENSE_ACTIVATED: "Licenza riattivata",
    EventType.LICENSE_RENEWED: "Licenza rinnovata",
    EventType.LICENSE_CANCELLED: "Licenza cancellata",
    EventType.LICENSE_EXPIRED: "Licenza scaduta",
    EventType.LICENSE_SUSPENDED: "Licenza sospesa",
    EventType.PAYMENT_COMPLETED: "Pagamento ricevuto",
    EventType.PAYMENT_FAILED: "Pagamento fallito",
    EventType.PAYMENT_REFUNDED: "Pagamento rimborsato",
    EventType.PLAN_UPGRADED: "Upgrade",
    EventType.PLAN_DOWNGRADED: "Downgrade",
    EventType.MILESTONE_REACHED: "Traguardo",
    EventType.MARKETING_CAMPAIGN: "Campagna",
    EventType.FEATURE_RELEASED: "Rilascio",
    EventType.PARTNERSHIP: "Partnership",
    EventType.MEDIA_MENTION: "Menzione sui media",
    EventType.SUPPORT_TICKET: "Ticket di assistenza",
    EventType.SERVER_ISSUE: "Problema al server",
    EventType.MAINTENANCE: "Manutenzione",
}
"""Names of the types: filters, lists and forms use the same word."""

DAY_NUMBERS = "I numeri"
DAY_NOTE = "La nota"
DAY_NO_NOTE = "Nessun evento: la nota è vuota."
DAY_MOVEMENTS = "Movimenti"
OLDER_MOVEMENTS = "Altri movimenti di questo giorno"
DAY_NO_EVENTS = "Nessun evento in questo giorno."
DAY_NO_MOVEMENTS = "Nessun movimento in questo giorno."
DAY_RATES = "{days} giorni fino a questa data"
DAY_NO_ROW = "Per questo giorno non c’è nessuna riga."
DAY_BEFORE, DAY_AFTER = "giorno prima", "giorno dopo"
DAY_ALL_EVENTS = "Tutti gli eventi del giorno"
CORRECTION_FIRST = "Rettificata: nella colonna di destra la prima versione, del {moment}."
CORRECTION_FIRST_NOTE = "Prima versione, {moment}:"
CORRECTION_FIRST_EMPTY = "nessun evento."

COMMENT = "Commento"
COMMENT_LABEL = "Commento alla giornata {del_day}"
COMMENT_HINT = "Resta accanto alla nota automatica, che continua ad aggiornarsi. Al massimo {limit} caratteri."
COMMENT_PLACEHOLDER = "Per esempio: chiamata con WP Engine, aspettiamo il contratto"
COMMENT_SAVED = "Commento salvato."
COMMENT_DELETED = "Commento eliminato."
COMMENT_RESTORED = "È tornato il commento di prima."
COMMENT_KEPT = "Il testo resta com’era: in questa riga non c’è una nota automatica al suo posto."
COMMENT_SAVE = "Salva"
COMMENT_UNDO = "Annulla"
COMMENT_UNDO_WHY = "Torna al testo di prima: «{text}»"
COMMENT_UNDO_EMPTY = "Torna a nessun commento"
COMMENT_BY = "a mano"
COMMENT_TOO_LONG = "Il testo è troppo lungo: {count} caratteri su {limit}."
COMMENT_CONFLICT = "Qualcun altro ha salvato mentre scrivevi. Confronta i due testi e salva quello giusto. Ora c’è:"
COMMENT_NOTHING = "(nessun commento)"
WHOLE_NOTE = "Nota scritta a mano"
DASHBOARD_NOTE = "Nota della dashboard"
WHOLE_NOTE_HINT = (
    "Questa nota l’ha scritta una persona, e il sistema non la cambia. Se la svuoti torna quella automatica, se c’è. "
    "Al massimo {limit} caratteri."
)
