"""Italian texts of the pages of months and of their downloads; those of the letter: `rules.settings.letter_texts`."""

TITLE = "Mesi"
EMPTY = "Ancora nessun mese. La prima riga arriva il primo giorno del mese prossimo."
COLUMNS = ("Mese", "MRR a fine mese", "Variazione", "Clienti", "Nuovi", "Persi")
SHORT_COLUMNS = ("", "MRR", "variazione", "clienti", "nuovi", "persi")
DOWNLOAD, CSV, EXCEL = "Scarica i mesi", "CSV", "Excel"
DOWNLOAD_LETTER = "Scarica la lettera come un solo file"
PRINT = "Stampa o salva in PDF dal menu del browser: al massimo due pagine."
PREVIOUS, NEXT = "← {month}", "{month} →"
OTHER_MONTHS = "Altri mesi"
STATES = {
    "closed": "",
    "open": "in corso",
    "due": "non ancora chiuso",
    "reconstructed": "ricostruito",
    "days": "dalle righe dei giorni",
}
STATES_WHY = {
    "closed": "",
    "open": "Numeri aggiornati a questo momento",
    "due": "La riga del mese arriva con la chiusura delle 06:00",
    "reconstructed": "Riga ricostruita dalle date dei documenti, non osservata in diretta",
    "days": "Mese senza una riga propria: ricavato dalle righe dei giorni, di prima dei conti del sistema",
}
PARTIAL = "parziale"
PARTIAL_WHY = "I conti partono {dal_day}"
CLOSED = "chiuso"
"""The state of a closed month in a download."""

BACKFILL = "La tabella comincia {dal_day}, ma il negozio c’era già."
BACKFILL_HOW = "Per aggiungere i giorni e i mesi di prima, ricostruiti dalle date dei documenti:"
BACKFILL_COMMAND = "chatello-analytics backfill"
