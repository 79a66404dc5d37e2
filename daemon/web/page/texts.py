"""Italian texts of the page, and its formats of numbers, euros and dates.

The texts of events and notes are in `rules.settings.catalog`. Templates contain no visible text: they use these
constants.
"""

from datetime import date, datetime, tzinfo

from rules.model.ledger import MovementKind
from rules.settings import italian

BRAND = "Chatello"
TITLE = "Analytics"
SKIP = "Vai al contenuto"
SECTIONS = "Pagine"
NAVIGATION = {
    "today": ("Oggi", "/analytics"),
    "trend": ("Andamento", "/analytics/andamento"),
    "system": ("Sistema", "/analytics/sistema"),
}
"""The pages that the navigation shows, by section: name and address."""
AS_OF = "numeri delle {time}"
OPEN_TREND = "apri in Andamento"

MRR = "MRR"
ARR = "ARR"
CUSTOMERS = "Clienti totali"
PAYING = "Clienti paganti"
LICENSES = "Licenze attive"
SINCE_YESTERDAY = "da ieri"
IN_A_WEEK = "in 7 giorni"
UNCHANGED = "invariato"
NO_COMPARISON = "ancora senza confronto"
NOTE_TODAY = "La giornata finora"
NO_EVENTS_TODAY = "Finora nessun evento oggi."
NOT_STARTED_YET = "Il daemon non ha ancora preso in carico questo database: i numeri compaiono dopo il primo avvio."
TOTALS_OUTDATED = "I numeri sono fermi al {when}."

MRR_HISTORY = "MRR nel tempo"
MRR_HISTORY_EMPTY = "Il grafico compare quando la tabella ha almeno due giorni."
MRR_HISTORY_SUMMARY = "MRR dal {first} al {last}: da {start} a {end}."
MRR_HISTORY_RECONSTRUCTED = "Tratteggio: giorni ricostruiti dai documenti, prima del daemon."
MOVEMENTS = "Movimenti dell’MRR per mese"
MOVEMENTS_COUNTING = "I movimenti sono tanti e li sto ancora sommando: ricarica la pagina fra poco."
MOVEMENTS_EMPTY = "Ancora nessun movimento di MRR."
MOVEMENTS_SINCE = "Dal {day}, da quando il daemon tiene i conti."
MOVEMENTS_SUMMARY = "Movimenti dell’MRR da {first} a {last}; saldo dell’ultimo mese {net}."
SHOW_NUMBERS = "Mostra i numeri"
NUMBERS_OF = "Numeri: {title}"
MONTH = "Mese"
DAY = "Giorno"
NET = "Saldo"
KINDS = {
    MovementKind.NEW: "Nuovi",
    MovementKind.REACTIVATION: "Riattivati",
    MovementKind.EXPANSION: "Espansione",
    MovementKind.CONTRACTION: "Contrazione",
    MovementKind.CHURN: "Abbandoni",
}

TABLE = "Giorno per giorno"
TABLE_OF_MONTHS = "Mese per mese"
SHORT_COLUMNS = ("", "clienti", "paganti", "", "")
COLUMNS = ("Data", "Clienti Totali", "Clienti Paganti", "MRR", "Note")
TABLE_EMPTY = "Ancora nessuna riga in questo periodo: la prima arriva con i primi dati di oggi."
MONTHS_EMPTY = "Ancora nessun mese chiuso: la prima riga mensile arriva a inizio mese."
PERIOD = "Periodo"
PERIODS = {"7": "7 giorni", "30": "30 giorni", "60": "60 giorni", "90": "90 giorni", "tutto": "Tutto", "mesi": "Mesi"}
DOWNLOAD = "Scarica"
CSV = "CSV"
EXCEL = "Excel"
PAGES = "Pagine della tabella"
PAGE_OF = "Pagina {page} di {pages}"
NEWER = "Più recenti"
OLDER = "Più vecchie"
RUNNING = "in corso"
RECONSTRUCTED = "ricostruita"
RECONSTRUCTED_WHY = "Riga ricostruita dalle date dei documenti, non osservata in diretta"
REVISED = "rivista"
REVISED_WHY = "Numeri corretti dopo la chiusura, per fatti arrivati tardi"
AUTO = "auto"
AUTO_WHY = "Nota scritta dal daemon"
BY_HAND = "a mano"
BY_HAND_WHY = "Nota scritta da una persona: il daemon non la tocca"
BY_DASHBOARD = "dashboard"
BY_DASHBOARD_WHY = "Riga scritta dalla dashboard, prima del daemon"

EDIT = "Modifica"
EDIT_OF = "Modifica la nota del {day}"
NOTE_LABEL = "Nota del {day}"
NOTE_HINT = "Lascia vuoto per tornare alla nota automatica. Al massimo {limit} caratteri."
SAVE = "Salva"
CANCEL = "Annulla"
AUTO_NOTE = "Nota automatica"
NOT_EDITABLE = "Per modificare le note serve un token: vedi [http] nella configurazione (docs/configuration.md)."
CHANGED_MEANWHILE = "La nota è cambiata mentre scrivevi: qui sotto la tua; quella salvata ora è questa:"
NO_ROW = "Non c’è una riga per questo giorno."
TOO_LONG = "La nota è troppo lunga: al massimo {limit} caratteri."
BACK = "Torna alla pagina"

FEED = "In diretta"
FEED_EMPTY = "Nessun evento negli ultimi 30 giorni."
FEED_LIVE = "collegato"
FEED_WAITING = "in attesa di collegamento"
FEED_STATIC = "ricarica la pagina per aggiornare"
FEED_PAUSED = "in pausa"
PAUSE = "Pausa"
YESTERDAY_AT = "ieri {time}"

PLANS = "Piani"
PLAN = "Piano"
ACTIVE = "Attive"
SHARE = "Quota"
ONE_TIME = "una tantum"
PLANS_EMPTY = "Ancora nessun piano."
PLAN_UNKNOWN = "piano sconosciuto"
LIMITED_SOLD = ("1 venduto", "{count} venduti")
LIMITED_OF = "{sold} su {limit}"
LIMITED_LEFT = ("1 rimasto", "{count} rimasti")
LIMITED_OVER = "esaurito"
LIMITED_INCOME = "{amount} incassati"


def percent(part: int, whole: int) -> str:
    return f"{round(100 * part / whole)}{italian.NBSP}%" if part and whole else italian.DASH


def day(value: object) -> str:
    """Return `24/11/2026`; a dash if it is not a date."""
    return f"{value:%d/%m/%Y}" if isinstance(value, date) else italian.DASH


def weekday(value: object) -> str:
    return italian.WEEKDAYS[value.weekday()] if isinstance(value, date) else ""


def long_day(value: date) -> str:
    """Return `martedì 24 novembre 2026`."""
    return f"{weekday(value)} {value.day} {italian.MONTHS[value.month - 1].lower()} {value.year}"


def month(value: object) -> str:
    """Return `novembre 2026`."""
    return f"{italian.MONTHS[value.month - 1].lower()} {value.year}" if isinstance(value, date) else italian.DASH


def short_month(value: date, *, with_year: bool = False) -> str:
    """Return `nov`; January, and with `with_year` every month, includes the year: `gen 26`."""
    name = italian.MONTHS[value.month - 1][:3].lower()
    return f"{name} {value:%y}" if with_year or value.month == 1 else name


def since(at: object, zone: tzinfo, today: date) -> str:
    """Return `dall’8 novembre alle 14:32`; a dash if it is not a time."""
    if not isinstance(at, datetime):
        return italian.DASH
    local = at.astimezone(zone)
    return f"{italian.with_article(italian.DAL, local.date(), today)} alle {local:%H:%M}"
