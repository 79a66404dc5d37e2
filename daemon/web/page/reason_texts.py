"""Italian texts of technical reasons: documents put aside, documents that disappeared, components without progress."""

HELD_LINE = "{what} {id}, {reason}"
HELD_WHAT = {"customers": "Cliente", "licenses": "Licenza", "plans": "Piano", "payments": "Pagamento"}
HELD_REASONS = (
    (r"(?P<field>\w+) must be a date\b.*?, got (?:\w+ )?(?P<value>.*)", "campo {field}: non è una data ({value})"),
    (r"(?P<field>\w+) must be a number, got (?:\w+ )?(?P<value>.*)", "campo {field}: non è un numero ({value})"),
    (
        r"(?P<field>\w+) must be (?:a finite amount|between .*), got (?:\w+ )?(?P<value>.*)",
        "campo {field}: importo non valido ({value})",
    ),
    (
        r"(?P<field>\w+) must be true or false, got (?:\w+ )?(?P<value>.*)",
        "campo {field}: serve true o false ({value})",
    ),
    (r"(?P<field>\w+) must be a text, got .*", "campo {field}: manca il testo"),
    (
        r"(?P<field>currency) must be EUR .*, got (?:\w+ )?(?P<value>.*)",
        "campo {field}: manca il cambio per {value}, va aggiunto a rates nella configurazione",
    ),
    (
        r"(?P<field>billing_period) must be .*, got (?:\w+ )?(?P<value>.*)",
        "campo {field}: durata non prevista ({value})",
    ),
    (r"(?P<field>\w+) must be an id, got (?:\w+ )?(?P<value>.*)", "campo {field}: non è un identificativo ({value})"),
    (
        r"(?P<field>plan_id) must be the id of an existing plan, got (?:\w+ )?(?P<value>.*)",
        "campo {field}: il piano non esiste ({value})",
    ),
    (
        r"(?P<field>plan_id) refers to plan (?P<value>.*), which is held: .*",
        "campo {field}: anche il suo piano è da correggere ({value})",
    ),
    (
        r"(?P<field>plan_id) refers to plan (?P<value>.*), which was deleted",
        "campo {field}: il piano è stato eliminato ({value})",
    ),
    (r"(?P<field>\w+) must be .*, got (?:\w+ )?(?P<value>.*)", "campo {field}: valore non previsto ({value})"),
)
"""A pattern of the reason that the log has, and the sentence for readers; the first that matches."""
TECHNICAL = "motivo tecnico (in inglese): {reason}"

DISAPPEARED = {
    "customers": (
        "1 cliente su {known} è sparito dal database.",
        "{count} clienti su {known} sono spariti dal database.",
    ),
    "licenses": (
        "1 licenza su {known} è sparita dal database.",
        "{count} licenze su {known} sono sparite dal database.",
    ),
    "plans": (
        "1 piano su {known} è sparito dal database.",
        "{count} piani su {known} sono spariti dal database.",
    ),
}
DISAPPEARED_MEANWHILE = "Il sistema non ha tolto nulla dai numeri e ricontrolla ogni minuto."

STALLED = r"(?P<component>\w+) made no progress for (?P<seconds>\d+) seconds"
STALLED_PARTS = {
    "stream": "Il collegamento al database è fermo da {duration}.",
    "pipeline": "La scrittura dei dati è ferma da {duration}.",
    "scheduler": "Il calendario dei lavori è fermo da {duration}.",
}
LEASE = r"the lease expired (?P<seconds>\d+) seconds ago and could not be renewed"
LEASE_EXPIRED = "Da {duration} il database non accetta le scritture del sistema."
