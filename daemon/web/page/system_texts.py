"""Italian texts on the state of the system: status lines and alarms."""

STATUS = "Stato del daemon"
ALL_WELL = "Tutto in ordine"
ITEMS_TO_CHECK = ("1 cosa da guardare", "{count} cose da guardare")
WHAT_TO_DO = "Che cosa fare"

FOLLOWING = "Flusso"
ROLES = {
    "leader": "segue il database in diretta",
    "standby": "di riserva: un altro daemon lavora, i numeri sono i suoi",
    "starting": "si sta avviando",
    "reconciling": "sta confrontando i dati con il database",
    "retrying": "il database non risponde: riprova da solo",
    "waiting": "aspetta una decisione: sono spariti troppi documenti",
}
ROLE_HINTS = {
    "starting": "Aspetta qualche secondo e ricarica la pagina. Se resta così: journalctl -u chatello-analytics",
    "reconciling": "Niente: quando ha finito riprende da solo. journalctl -fu chatello-analytics mostra a che punto è.",
    "retrying": "Controlla che MongoDB sia acceso e raggiungibile; il daemon riprende da dove era.",
    "waiting": "Ripristina i documenti spariti, oppure, se la cancellazione è voluta: "
    "chatello-analytics reconcile --accept-deletions",
}
ROLE_UNKNOWN = "sconosciuto"
LEASE_EXPIRED = "fermo: da qualche secondo il database non accetta le sue scritture"
LEASE_HINT = "Controlla che MongoDB sia acceso e raggiungibile; il daemon riprende da dove era, nulla va perso."
STALLED = "Una parte non va avanti"
STALLED_HINT = "systemctl restart chatello-analytics; poi journalctl -u chatello-analytics dice perché."
LAG = "Ritardo"
LAG_NONE = "nessuno"
LAG_HINT = "Guarda se il database è sotto sforzo; journalctl -u chatello-analytics dice che cosa il daemon sta facendo."
ROLLUP = "Ultima chiusura"
ROLLUP_NEVER = "nessun giorno ancora chiuso"
ROLLUP_OF = "{day}, scritta il {when}"
ROLLUP_MISSING = "manca la riga del {day}"
ROLLUP_HINT = (
    "chatello-analytics rollup --date {day} la scrive a mano; journalctl -u chatello-analytics dice perché manca."
)
VERIFICATION = "Prova dei conti"
VERIFICATION_PASSED = "riuscita il {when}"
VERIFICATION_FAILED = ("1 numero non torna", "{count} numeri non tornano")
VERIFICATION_HINT = "chatello-analytics verify mostra che cosa non torna, poi chatello-analytics reconcile lo ripara."
GAPS = "Interruzioni"
GAPS_NONE = "nessuna negli ultimi 30 giorni"
GAPS_CLOSED = ("1 negli ultimi 30 giorni, chiusa", "{count} negli ultimi 30 giorni, chiuse")
GAP_OPEN = "aperta il {when}: {cause}"
GAP_CLOSED = "{since} → {until}: {cause}, {recovered}"
GAP_RECOVERED = ("recuperato 1 documento", "recuperati {count} documenti")
GAP_HINT = (
    "Il daemon la chiude da solo con una riconciliazione. Se resta aperta: chatello-analytics reconcile --dry-run"
)
GAP_START = "inizio"
CAUSES = {
    "first_start": "primo avvio",
    "upgrade": "aggiornamento a una nuova versione",
    "filter_change": "sono cambiati i campi seguiti",
    "history_lost": "la cronologia del database non arrivava abbastanza indietro",
    "fatal": "il flusso è finito con un errore definitivo",
    "bad_token": "la posizione salvata non valeva più",
    "future_token": "la posizione salvata era nel futuro",
    "drop": "una collezione è stata eliminata",
    "rename": "una collezione è stata rinominata",
    "dropDatabase": "il database è stato eliminato",
    "invalidate": "il flusso è stato invalidato",
    "event_too_large": "una modifica era troppo grande per il flusso",
    "mass_deletion": "troppi documenti eliminati in pochi minuti",
    "requested": "chiesta da una persona",
    "retry": "documenti messi da parte riprovati",
}
DEAD_LETTERS = "Documenti messi da parte"
DEAD_LETTERS_NONE = "nessuno"
DEAD_LETTERS_HELD = ("1 non si capisce", "{count} non si capiscono")
DEAD_LETTERS_HINT = (
    "Correggi il documento nel database: la versione buona viene ripresa da sola. "
    "chatello-analytics dead-letters list li elenca tutti; dopo una correzione della configurazione: dead-letters retry"
)
AND_MORE = ("e 1 altro", "e altri {count}")

FOR_A_TECHNICIAN = "Per il tecnico"
REASON = "Motivo tecnico (in inglese):"
ALARMS = {
    "offline": (
        "Numeri fermi",
        "⏳ Numeri fermi: ultimo aggiornamento {since}",
        "La pagina ha perso il collegamento: quello che succede adesso non si vede ancora. Non va perso.",
        "Si ricollega da sola. Se non succede, controlla il tunnel SSH e che il sistema sia acceso.",
    ),
    "database": (
        "Il database non risponde",
        "🔌 Il database non risponde: ultimo aggiornamento {since}",
        "Quello che succede adesso non si vede ancora. Il sistema riprova da solo e riprende da dov’era.",
        "Controlla che MongoDB sia acceso e raggiungibile.",
    ),
    "not_following": (
        "Numeri fermi",
        "⏳ Numeri fermi: ultimo aggiornamento {since}",
        "Il sistema non segue il database: quello che succede adesso non si vede ancora. Non va perso.",
        "Aspetta un minuto. Se resta così, guarda lo stato del sistema nella pagina Sistema.",
    ),
    "decision": (
        "Serve una decisione",
        "🚨 Serve una tua decisione {since}: sono spariti troppi documenti",
        "Il sistema non ha tolto nulla dai numeri e aspetta.",
        "Se non l’hai voluto, ripristina i documenti spariti. Se l’hai voluto, approva la cancellazione.",
    ),
    "gap": (
        "Interruzione in corso",
        "🔌 Interruzione in corso {since}",
        "I numeri possono essere incompleti finché non finisce il confronto con il database.",
        "Si chiude da sola dopo il confronto. Se resta in corso, guarda lo stato del sistema nella pagina Sistema.",
    ),
    "day": (
        "Giorno non chiuso",
        "⏳ Giorno non chiuso: manca la riga {since}",
        "I numeri di oggi sono giusti; la riga di quel giorno non è ancora definitiva.",
        "Il sistema riprova da solo. Se resta così, scrivi la riga con il comando qui sotto.",
    ),
}
"""By kind, worst first: the word of the pill, the title, what it means, what to do."""
ALARM_COMMANDS = {
    "offline": ("systemctl status chatello-analytics",),
    "database": ("systemctl status mongod", "journalctl -u chatello-analytics"),
    "not_following": ("systemctl status chatello-analytics", "journalctl -u chatello-analytics"),
    "decision": ("chatello-analytics reconcile --accept-deletions",),
    "gap": ("chatello-analytics reconcile --dry-run",),
    "day": ("chatello-analytics rollup --date {day}", "journalctl -u chatello-analytics"),
}
