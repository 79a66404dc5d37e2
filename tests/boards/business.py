"""The owner's dashboard, in Italian: MRR, customers, licenses, movements, verification."""

from collections.abc import Iterable

from grafana_foundation_sdk.builders import dashboard

from rules.model.ledger import MovementKind
from tests.boards import panels
from tests.boards.panels import BLUE, GREEN, ORANGE, PURPLE, RED, YELLOW, led, of

EURO = "currencyEUR"
GAINS = {MovementKind.NEW: "nuovo", MovementKind.EXPANSION: "espansione", MovementKind.REACTIVATION: "riattivazione"}
LOSSES = {MovementKind.CONTRACTION: "contrazione", MovementKind.CHURN: "abbandono"}
COLORS = {
    "nuovo": GREEN,
    "espansione": BLUE,
    "riattivazione": PURPLE,
    "contrazione": YELLOW,
    "abbandono": RED,
}


def board() -> dashboard.Dashboard:
    made = panels.board(
        "Chatello · Business",
        "chatello-analytics-business",
        "Clienti, licenze e ricavi ricorrenti come il demone li ha registrati, e se i conti tornano.",
        "now-30d",
        "5m",
    )
    for panel in (*_today(), *_revenue(), *_movements(), *_events(), *_rates()):
        made.with_panel(panel)
    made.with_row(dashboard.Row("Ci si può fidare di questi numeri?"))
    for panel in _trust():
        made.with_panel(panel)
    return made


def _shop(name: str) -> str:
    """Return the query of a business metric, exported by the leader only."""
    return f"max by (job) ({of(name)})"


def _moved(kinds: Iterable[str]) -> str:
    """Return the query of the MRR moved by movements of these kinds in the dashboard's time range."""
    return f"sum by (job) (increase({of('mrr_moved_euros_total', kind='|'.join(kinds))}[$__range]))"


def _today() -> list[panels.Panel]:
    left = ((None, RED), (1, ORANGE), (50, GREEN))
    return [
        panels.number("MRR", "Ricavi ricorrenti al mese, adesso.", EURO, (_shop("mrr_euros"), ""), graph=True),
        panels.number(
            "MRR netto nel periodo",
            "Quanto MRR è entrato meno quanto è uscito nell'intervallo scelto in alto.",
            EURO,
            (f"{_moved(GAINS)} - {_moved(LOSSES)}", ""),
            steps=((None, RED), (0, GREEN)),
            decimals=2,
        ),
        panels.number("Clienti", "Tutti i clienti registrati, adesso.", "short", (_shop("customers"), ""), graph=True),
        panels.number(
            "Clienti paganti",
            "Clienti con almeno una licenza attiva che costa qualcosa (anche a vita).",
            "short",
            (_shop("paying_customers"), ""),
            graph=True,
        ),
        panels.number(
            "Licenze attive",
            "Licenze attive e non scadute, adesso.",
            "short",
            (_shop("active_licenses"), ""),
            graph=True,
        ),
        panels.number(
            "Licenze rimaste",
            "Quante ne restano da vendere dei piani limitati, come Founders.",
            "short",
            (f"min by (job, plan) ({of('plan_licenses_left')})", "{{plan}}"),
            steps=left,
        ),
    ]


def _revenue() -> list[panels.Panel]:
    return [
        panels.lines(
            "MRR nel tempo",
            "Ricavi ricorrenti al mese, per piano, uno sull'altro: il bordo superiore è il totale.",
            EURO,
            (f"max by (plan) ({of('plan_mrr_euros')})", "{{plan}}"),
            size=(16, 9),
            stacked=True,
            fill=40,
        ),
        panels.shares(
            "MRR per piano",
            "Da quali piani viene l'MRR di adesso.",
            EURO,
            (f"max by (plan) ({of('plan_mrr_euros')})", "{{plan}}"),
        ),
    ]


def _movements() -> list[panels.Panel]:
    moved = "mrr_moved_euros_total"
    queries = [
        (f"{sign}sum by (job) (increase({of(moved, kind=kind)}[$__rate_interval]))", word)
        for sign, kinds in (("", GAINS), ("-", LOSSES))
        for kind, word in kinds.items()
    ]
    return [
        panels.lines(
            "Movimenti dell'MRR",
            "Sopra lo zero ciò che entra (nuovo, espansione, riattivazione), sotto ciò che esce.",
            EURO,
            *queries,
            stacked=True,
            columns=True,
            every="6h",
            colors=COLORS,
            low=None,
        ),
        panels.lines(
            "Clienti e licenze",
            "Clienti, quanti di loro pagano (anche a vita), quanti ogni mese (abbonati), e licenze attive.",
            "short",
            (_shop("customers"), "clienti"),
            (_shop("paying_customers"), "paganti"),
            (_shop("subscribers"), "abbonati"),
            (_shop("active_licenses"), "licenze attive"),
        ),
    ]


def _events() -> list[panels.Panel]:
    return [
        panels.lines(
            "Eventi",
            "Quanti eventi di ogni tipo il demone ha scritto; gli stessi che compaiono nella nota del giorno.",
            "short",
            (f"sum by (type) (increase({of('events_total')}[$__rate_interval])) > 0", "{{type}}"),
            size=(12, 8),
            stacked=True,
            columns=True,
            every="6h",
        ),
        panels.gauges(
            "Licenze per piano",
            "Licenze attive di ogni piano, adesso.",
            "short",
            (f"max by (plan) ({of('plan_active_licenses')})", "{{plan}}"),
            size=(6, 8),
        ),
        panels.gauges(
            "Licenze emesse per piano",
            "Licenze di ogni piano in qualsiasi stato, anche cancellate o scadute.",
            "short",
            (f"max by (plan) ({of('plan_licenses')})", "{{plan}}"),
            size=(6, 8),
        ),
        panels.lines(
            "Movimenti dei clienti",
            "Quante righe del registro per tipo: quanti clienti sono entrati, cresciuti, calati, usciti, tornati.",
            "short",
            (f"sum by (kind) (increase({of('movements_total')}[$__rate_interval])) > 0", "{{kind}}"),
            stacked=True,
            columns=True,
            every="6h",
            size=(8, 8),
        ),
        panels.lines(
            "Ricavo medio",
            "MRR per abbonato (ARPA): quanto paga in media al mese chi paga ogni mese.",
            EURO,
            (_shop("arpa_euros"), "al mese"),
            size=(8, 8),
        ),
        panels.lines(
            "Vendite una tantum",
            "Licenze a vita vendute da quando il registro esiste: non sono MRR.",
            EURO,
            (_shop("one_time_revenue_euros"), "totale"),
            size=(8, 8),
        ),
    ]


def _rates() -> list[panels.Panel]:
    days = "negli ultimi 30 giorni; manca finché i conti sono più recenti"
    return [
        panels.lines(
            "Churn",
            f"Quota di abbonati persi e di MRR perso (abbandoni e contrazioni) {days}.",
            "percentunit",
            (_shop("customer_churn_ratio"), "clienti"),
            (_shop("revenue_churn_ratio"), "ricavi"),
            size=(8, 8),
        ),
        panels.lines(
            "Retention",
            f"Quota di MRR rimasta {days}: netta con espansioni e ritorni, lorda senza.",
            "percentunit",
            (_shop("net_revenue_retention_ratio"), "netta (NRR)"),
            (_shop("gross_revenue_retention_ratio"), "lorda (GRR)"),
            size=(8, 8),
            low=None,
        ),
        panels.lines(
            "Quick ratio",
            f"MRR guadagnato diviso MRR perso {days} o se non si è perso nulla.",
            "short",
            (_shop("quick_ratio"), "guadagnato / perso"),
            size=(8, 8),
        ),
    ]


def _trust() -> list[panels.Panel]:
    verified = of("verification_success_timestamp_seconds")
    return [
        panels.number(
            "I conti",
            "Se registro, totali e archivio dicevano lo stesso all'ultima prova; altrimenti quanti numeri differivano.",
            "short",
            (led(of("verification_mismatches")), ""),
            steps=((None, GREEN), (1, RED)),
            texts={0: ("tornano", GREEN)},
            size=(6, 4),
        ),
        panels.number(
            "Ultima prova riuscita",
            "Quando i conti sono tornati l'ultima volta; si fa ogni notte dopo la chiusura del giorno.",
            "dateTimeFromNow",
            (f"max by (job) ({verified} > 0) * 1000 or max by (job) ({verified})", ""),
            texts={0: ("non ancora", YELLOW)},
            size=(6, 4),
        ),
        panels.number(
            "Righe non definitive",
            "Giorni e mesi passati la cui riga nella tabella non è ancora definitiva.",
            "short",
            (led(of("rows_missing")), ""),
            steps=((None, GREEN), (1, RED)),
            size=(6, 4),
        ),
        panels.number(
            "Documenti non compresi",
            "Clienti, licenze o piani che contano come l'ultima volta che erano comprensibili.",
            "short",
            (led(of("dead_letters")), ""),
            steps=((None, GREEN), (1, ORANGE)),
            size=(6, 4),
        ),
    ]
