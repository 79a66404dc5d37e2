"""Italian texts of errors: what happened, then what to do."""

from http import HTTPStatus

BACK = "Torna ai numeri"
AGAIN = "Riprova"
REASON = "Motivo tecnico (in inglese)"
SITUATION = "Collegamento: {role}."

ERRORS: dict[int | str, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: (
        "Questo indirizzo non è valido.",
        "Contiene un parametro che questa pagina non conosce, oppure la richiesta è incompleta.",
    ),
    HTTPStatus.UNAUTHORIZED: (
        "Serve il token.",
        (
            "Il browser chiede nome e password: il nome è libero, la password è il token. "
            "Lo trovi nella credenziale http-token del server."
        ),
    ),
    HTTPStatus.FORBIDDEN: (
        "Richiesta rifiutata.",
        (
            "Apri la pagina direttamente e riprova. Per poter modificare serve un token nella sezione [http] della "
            "configurazione."
        ),
    ),
    HTTPStatus.NOT_FOUND: ("Questa pagina non esiste.", "Controlla l’indirizzo, oppure riparti dai numeri di oggi."),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "Questo indirizzo non accetta la richiesta.",
        "Apri la pagina direttamente e riprova.",
    ),
    HTTPStatus.CONFLICT: (
        "Qualcun altro ha salvato mentre scrivevi.",
        "Confronta i due testi e salva quello giusto.",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("Il testo è troppo lungo.", "Accorcialo e salva di nuovo."),
    HTTPStatus.MISDIRECTED_REQUEST: (
        "Questo nome di server non è conosciuto.",
        "Usa l’indirizzo 127.0.0.1, oppure aggiungi il nome a hosts nella sezione [http] della configurazione.",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "Un valore nell’indirizzo o nel modulo non è valido.",
        "Controllalo e riprova: una data si scrive 2026-11-24.",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: ("Troppi tentativi con un token sbagliato.", "Aspetta un minuto e riprova."),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Qualcosa è andato storto.",
        "Il motivo è nel registro: journalctl -u chatello-analytics",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "La pagina non può rispondere adesso.",
        "Riprova fra qualche secondo: non si perde nulla.",
    ),
    "database": (
        "Il database non risponde",
        (
            "Adesso la pagina non riesce a leggere i numeri. Controlla che MongoDB sia acceso e raggiungibile: "
            "il sistema riprende da dov’era e non si perde nulla."
        ),
    ),
}
OTHER = ("La richiesta non è riuscita.", "Riparti dai numeri di oggi e riprova.")
"""For a status without a text of its own."""
