"""Italian texts of Andamento: the chart of a number, marks of events, bands of gaps, goals and their pace."""

from daemon.web.page import texts

METRIC = "Numero"
METRICS = {"mrr": texts.MRR, "clienti": texts.CUSTOMERS, "paganti": texts.PAYING, "licenze": texts.LICENSES}
"""The numbers that a chart can show, by their names in addresses."""
HISTORY = "{metric} nel tempo"
SUMMARY = "{metric} {first} {last}: da {start} a {end}."
READING = "Grafico: {metric}. Frecce per scorrere i giorni, Invio per il perché."
READING_MONTHS = "Grafico: {title}. Frecce per scorrere i mesi, Invio per il perché."
PREVIOUS = "Periodo prima"
PREVIOUS_KEY = "Linea a punti: il periodo prima."
DASHBOARD_KEY = "Tratti lunghi: giorni contati dalla dashboard, in un altro modo."
COMPARE = "Confronta con il periodo prima"
COMPARED = "Togli il confronto"
NOT_FROM_ZERO = "asse non da zero"
BANDS_KEY = "Fasce: interruzioni, in cui i numeri possono mancare."
BANDS_LINK = "Quali giorni"
GAP = "Interruzione: {days}"
GAP_OPEN = "Interruzione in corso {since}"

MARKS_TITLE = "Che cosa è successo"
AFTER = "{after} nei {days} giorni dopo ({before} nei {days} prima), non per forza per questo"
CUSTOMERS = ("{sign}1 cliente", "{sign}{count} clienti")
NO_CUSTOMERS = "nessun cliente in più"
TOO_EARLY = "Troppo presto per un confronto: giorni passati {count} su {days}."

GOALS_TITLE = "Obiettivi"
GOAL_LINE = "obiettivo {target}"
GOAL_NAME = "{metric} a {target} entro {il_day}"
GOAL_PROGRESS = "{value} su {target} ({percent})"
GOAL_LEFT = ("ultimo giorno", "manca 1 giorno", "mancano {count} giorni")
GOAL_REACHED = "🎯 Obiettivo raggiunto!"
GOAL_REACHED_EARLY = (
    "🎯 Obiettivo raggiunto {il_reached}, con 1 giorno di anticipo!",
    "🎯 Obiettivo raggiunto {il_reached}, con {count} giorni di anticipo!",
)
GOAL_REACHED_IN_TIME = "🎯 Obiettivo raggiunto {il_reached}, giusto in tempo!"
GOAL_REACHED_LATE = "🎯 Obiettivo raggiunto {il_reached}."
GOAL_PACE = {
    "slipped": "Obiettivo raggiunto {il_reached}, ma ora il numero è sceso a {value}.",
    "ahead": "A questo ritmo ci arrivi {when}: prima della scadenza.",
    "on_pace": "A questo ritmo ci arrivi {when}: la scadenza è {il_by}.",
    "behind": "A questo ritmo ci arrivi {when}: dopo la scadenza. Ritmo che serve: {needed} al mese.",
    "too_far": "A questo ritmo servono più di dieci anni. Ritmo che serve: {needed} al mese.",
    "flat": "Nessuna crescita negli ultimi {days} giorni: a questo ritmo l’obiettivo non si raggiunge. "
    "Ritmo che serve: {needed} al mese.",
    "falling": "Negli ultimi {days} giorni il numero è sceso ({change}). Ritmo che serve: {needed} al mese.",
    "missed": "Scadenza passata: {value} su {target} ({percent}).",
    "insufficient": "Troppo presto per una stima: giorni di dati {count} su {least}.",
}
BETWEEN = "tra {il_soonest} e {il_latest}"
NOT_BEFORE = "non prima {del_soonest}"
WHY = "Come si calcola"
GOAL_PACE_WHY = (
    "Ritmo: quanto è cresciuto il numero in ciascuno degli ultimi periodi di 30 giorni, dal più recente: {gains}. "
    "La prima data usa il periodo migliore, l’ultima il peggiore. È un calcolo, non una promessa."
)
