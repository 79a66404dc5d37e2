"""Italian texts on the state of the system: status lines and alarms."""

STATUS = "Stato del sistema"
ALL_WELL = "Tutto in ordine"
ITEMS_TO_CHECK = ("1 cosa da controllare", "{count} cose da controllare")
WHAT_TO_DO = "Che cosa fare"

FOLLOWING = "Collegamento"
ROLES = {
    "leader": "segue il database in diretta",
    "standby": "di riserva: sta lavorando un’altra istanza, i numeri sono i suoi",
    "starting": "si sta avviando",
    "reconciling": "sta confrontando i dati con il database",
    "retrying": "il database non risponde: riprova da solo",
    "waiting": "aspetta una tua decisione: sono spariti troppi documenti",
}
ROLE_HINTS = {
    "starting": "Aspetta qualche secondo e ricarica la pagina. "
    "Se resta così, il motivo è qui: journalctl -u chatello-analytics",
    "reconciling": "Niente: quando ha finito riprende da solo. "
    "Per vedere a che punto è: journalctl -fu chatello-analytics",
    "retrying": "Controlla che MongoDB sia acceso e raggiungibile: il sistema riprende da dov’era.",
    "waiting": "Se non l’hai voluto, ripristina i documenti spariti. Se l’hai voluto: "
    "chatello-analytics reconcile --accept-deletions",
}
ROLE_UNKNOWN = "sconosciuto"
LEASE_EXPIRED = "fermo: da qualche secondo il database non accetta le sue scritture"
LEASE_HINT = "Controlla che MongoDB sia acceso e raggiungibile: il sistema riprende da dov’era e non si perde nulla."
STALLED = "Una parte è bloccata"
STALLED_HINT = (
    "Per riavviarla: systemctl restart chatello-analytics. Per sapere perché: journalctl -u chatello-analytics"
)
LAG = "Ritardo"
LAG_NONE = "nessuno"
LAG_HINT = "Controlla se il database è sovraccarico. Che cosa sta facendo il sistema: journalctl -u chatello-analytics"
ROLLUP = "Ultima chiusura"
ROLLUP_NEVER = "ancora nessun giorno chiuso"
ROLLUP_OF = "{day} (scritta {when})"
ROLLUP_MISSING = "manca la riga {del_day}"
ROLLUP_HINT = (
    "Per scriverla subito: chatello-analytics rollup --date {day}. "
    "Per sapere perché manca: journalctl -u chatello-analytics"
)
VERIFICATION = "Verifica dei conti"
VERIFICATION_PASSED = "riuscita {when}"
VERIFICATION_FAILED = ("1 numero non torna", "{count} numeri non tornano")
VERIFICATION_HINT = (
    "Per vedere che cosa non torna: chatello-analytics verify. Per ripararlo: chatello-analytics reconcile"
)
GAPS = "Interruzioni"
GAPS_NONE = "nessuna negli ultimi 30 giorni"
GAPS_CLOSED = ("1 negli ultimi 30 giorni, risolta", "{count} negli ultimi 30 giorni, risolte")
GAP_OPEN = "in corso {since}: {cause}"
GAP_CLOSED = "{since} → {until}: {cause}, {recovered}"
GAP_RECOVERED_NONE = "nessun documento da recuperare"
GAP_RECOVERED = ("recuperato 1 documento", "recuperati {count} documenti")
GAP_HINT = (
    "Si chiude da sola dopo un confronto con il database. Se resta in corso: chatello-analytics reconcile --dry-run"
)
GAP_START = "inizio"
DEAD_LETTERS = "Documenti messi da parte"
DEAD_LETTERS_NONE = "nessuno"
DEAD_LETTERS_HELD = ("1 da correggere", "{count} da correggere")
DEAD_LETTERS_HINT = (
    "Correggi il documento nel database: viene riletto da solo. "
    "Elenco completo: chatello-analytics dead-letters list. "
    "Dopo una correzione della configurazione: chatello-analytics dead-letters retry"
)
AND_MORE = ("e un altro", "e altri {count}")

DELIVERIES = "Consegne a {name}"
DELIVERIES_NOT_STARTED = "cominciano al prossimo avvio del sistema"
DELIVERY_STATES = {
    "active": "attive",
    "failing": "non riescono, il sistema riprova da solo",
    "paused": "in pausa",
    "disabled": "disattivate",
}
DELIVERIES_WAITING = ("1 novità in attesa", "{count} novità in attesa")
DELIVERIES_REFUSED = ("1 messaggio rifiutato", "{count} messaggi rifiutati")
DELIVERY_LAST = "ultima riuscita {when}"
DELIVERY_NEVER = "finora nessuna"
DELIVERY_HINTS = {
    "failing": "Per sapere perché: chatello-analytics deliveries show {name}. "
    "Per riprovare subito: chatello-analytics deliveries retry {name}",
    "disabled": "Il destinatario non accetta più messaggi. Per riprendere: chatello-analytics deliveries resume {name}",
}

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
