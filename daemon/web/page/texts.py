"""Italian texts of the page, and its formats of numbers, euros and dates.

The texts of events and notes are in `rules.settings.catalog`. Templates contain no visible text: they use these
constants.
"""

from datetime import date, datetime

from rules.model.ledger import MovementKind
from rules.settings import italian

BRAND = "Chatello"
TITLE = "Analytics"
SKIP = "Vai al contenuto"
SECTIONS = "Pagine"
NAVIGATION = {
    "today": ("Oggi", "/analytics"),
    "trend": ("Andamento", "/analytics/andamento"),
    "customers": ("Clienti", "/analytics/clienti"),
    "events": ("Eventi", "/analytics/eventi"),
    "months": ("Mesi", "/analytics/mesi"),
    "system": ("Sistema", "/analytics/sistema"),
}
"""The pages that the navigation shows, by section: name and address."""
NOW = "adesso"
"""What addresses call the current totals."""
AS_OF = "numeri delle {time}"
OPEN_TREND = "apri in Andamento"

MRR = "MRR"
ARR = "ARR"
CUSTOMERS = "Clienti totali"
PAYING = "Clienti paganti"
LICENSES = "Licenze attive"
RATES_TITLE = "Ultimi {days} giorni"
RATES = {
    "arpa": "ARPA",
    "churn-clienti": "Clienti persi",
    "churn-ricavi": "Ricavi persi",
    "retention": "Retention netta",
    "retention-lorda": "Retention lorda",
    "quick-ratio": "Quick ratio",
}
"""The rates by their names in addresses."""
PART_OF = "{part} su {whole}"
WON_AND_LOST = "{won} entrati, {lost} usciti"
UNKNOWN_TOO_EARLY = "Non disponibile: giorni di conti {known} su {needed}."
UNKNOWN_NO_MRR = "Non disponibile: all’inizio del periodo non c’era MRR."
UNKNOWN_NO_SUBSCRIBERS = "Non disponibile: nessun abbonato."
UNKNOWN_NO_SUBSCRIBERS_THEN = "Non disponibile: all’inizio del periodo non c’era nessun abbonato."
UNKNOWN_NOTHING_LOST = "Non disponibile: non è uscito nulla."

SINCE_YESTERDAY = "da ieri"
IN_A_WEEK = "in 7 giorni"
UNCHANGED = "nessuna variazione"
NO_COMPARISON = "confronto non ancora disponibile"
COMPARE_TOMORROW = "confronto da domani"
FACTS_SHOWN = 3
"""Facts of a note that are shown at once; the others are folded."""
NOTE_TODAY = "La giornata finora"
NO_EVENTS_TODAY = "Oggi ancora nessun evento."
NOT_STARTED_YET = "Il sistema non conosce ancora questo database: i numeri compaiono alla fine del primo avvio."

MRR_HISTORY_EMPTY = "Il grafico compare appena la tabella ha due giorni."
MRR_HISTORY_RECONSTRUCTED = "Linea tratteggiata: giorni ricostruiti dalle date dei documenti."
MOVEMENTS = "Movimenti dell’MRR per mese"
MOVEMENTS_COUNTING = "I movimenti sono tanti e la somma non è finita: ricarica la pagina fra poco."
COUNTING = MOVEMENTS_COUNTING
MOVEMENTS_EMPTY = "Ancora nessun movimento di MRR."
MOVEMENTS_SINCE = "I conti partono {day}: prima non si sa."
MOVEMENTS_SUMMARY = "Movimenti dell’MRR da {first} a {last}; saldo dell’ultimo mese {net}."
SHOW_NUMBERS = "Mostra i numeri"
NUMBERS_OF = "Numeri: {title}"
MONTH = "Mese"
DAY = "Giorno"
NET = "Saldo"
KINDS = {
    MovementKind.NEW: "Nuovi",
    MovementKind.REACTIVATION: "Ritorni",
    MovementKind.EXPANSION: "Espansioni",
    MovementKind.CONTRACTION: "Contrazioni",
    MovementKind.CHURN: "Abbandoni",
}

TABLE = "Giorno per giorno"
TABLE_OF_MONTHS = "Mese per mese"
SHORT_COLUMNS = ("", "clienti", "paganti", "", "")
COLUMNS = ("Data", "Clienti totali", "Clienti paganti", "MRR", "Note")
TABLE_EMPTY = "Nessuna riga in questo periodo. La riga di oggi compare appena arrivano i primi dati."
MONTHS_EMPTY = "Ancora nessun mese chiuso. La prima riga arriva il 1º {month}."
PERIOD = "Periodo"
PERIODS = {
    "7": "7 giorni",
    "30": "30 giorni",
    "60": "60 giorni",
    "90": "90 giorni",
    "365": "12 mesi",
    "tutto": "Tutto",
    "mesi": "Mesi",
}
DOWNLOAD = "Scarica"
DOWNLOAD_AS = "Scarica la tabella in {name}"
FORMATS = {"csv": "CSV", "xlsx": "Excel"}
PAGES = "Pagine della tabella"
PAGE_OF = "Pagina {page} di {pages}"
NEWER = "Più recenti"
OLDER = "Meno recenti"
RUNNING = "in corso"
RECONSTRUCTED = "ricostruita"
RECONSTRUCTED_WHY = "Riga ricostruita dalle date dei documenti: il sistema non c’era ancora"
REVISED = "rettificata"
REVISED_NOTE_WHY = "È cambiata solo la nota: i numeri sono gli stessi."
REVISED_WHY = "Numeri rettificati dopo la chiusura: alcuni fatti sono arrivati in ritardo"
AUTO = "automatica"
AUTO_WHY = "Nota scritta dal sistema"
BY_HAND = "a mano"
BY_HAND_WHY = "Nota scritta a mano: il sistema non la tocca"
BY_DASHBOARD = "dashboard"
BY_DASHBOARD_WHY = "Riga scritta dalla dashboard"
NOT_EDITABLE = "Per modificare le note serve un token: si imposta nella sezione [http] della configurazione."

FEED = "Ultimi eventi"
FEED_ALL = "tutti"
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
LIMITED_INCOME = "{amount} di vendite, senza le licenze inserite a mano"


def percent(part: int, whole: int) -> str:
    return italian.percent(part / whole, 0) if part and whole else italian.DASH


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
    """Return `nov`; January, and with `with_year` every month, includes the year: `gen ’26`."""
    name = italian.MONTHS[value.month - 1][:3].lower()
    return f"{name} ’{value:%y}" if with_year or value.month == 1 else name


def day_and_time(article: tuple[str, str], at: object, now: datetime) -> str:
    """Return `dall’8 novembre alle 14:32`, in the time zone of `now`; a dash if it is not a time."""
    if not isinstance(at, datetime):
        return italian.DASH
    local = at.astimezone(now.tzinfo)
    return f"{italian.with_article(article, local.date(), now.date())} alle {local:%H:%M}"


def of_day(day: date, today: date) -> str:
    """Return `dell’8 novembre`."""
    return italian.with_article(italian.DEL, day, today)
