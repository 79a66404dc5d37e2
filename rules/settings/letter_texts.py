"""Italian texts of the letter of a month: the page, its print and its file share them."""

from collections.abc import Mapping

from rules.model.ledger import MovementKind

TITLE = "Lettera di {month}"
HEADLINE = "MRR da {start} a {end}{percent}"
PERCENT = " ({percent})"
RUNNING = "Mese in corso: numeri aggiornati {al_moment}."
PARTIAL = "I conti partono {dal_day}: questa lettera racconta solo una parte del mese."
RECONSTRUCTED = "Mese ricostruito dalle date dei documenti: i movimenti dell’MRR non si conoscono."
FROM_DAYS = (
    "Mese ricavato dalle righe dei giorni, di prima che il sistema tenesse i conti: i movimenti non si conoscono."
)

WATERFALL = "Da dove viene l’MRR"
STEP, AMOUNT = "Voce", "Importo"
ENDS = {"start": "inizio", "end": "fine"}
START_OF_LEDGER = "inizio dei conti"
MOVEMENTS: Mapping[MovementKind, str] = {
    MovementKind.NEW: "nuovi",
    MovementKind.REACTIVATION: "ritorni",
    MovementKind.EXPANSION: "espansioni",
    MovementKind.CONTRACTION: "contrazioni",
    MovementKind.CHURN: "abbandoni",
}
"""The steps between start and end, in their order."""
CHANGES = {**{str(kind): name for kind, name in MOVEMENTS.items()}, "change": "variazione"}
CUT_AXIS = "Le barre non partono da zero."

OPENING: Mapping[str, str] = {
    "best": "{Month} è stato il mese migliore finora: MRR a {mrr} ({change} rispetto a fine {previous}).",
    "up": "{Month} si chiude in crescita: MRR a {mrr} ({change} rispetto a fine {previous}).",
    "level": "{Month} si chiude alla pari: MRR a {mrr}, come a fine {previous}.",
    "down": "{Month} si chiude in calo: MRR a {mrr} ({change} rispetto a fine {previous}).",
    "first": "{Month} è il primo mese con i conti: MRR a {mrr}.",
    "running": "{Month} è in corso: MRR a {mrr} ({change} rispetto a fine {previous}).",
    "unknown": "{Month}: MRR a {mrr}.",
}
IN = "È entrato {won}: nuovi {new}, espansioni {expansion}, ritorni {reactivation}."
NOTHING_IN = "Non è entrato nulla."
OUT = "È uscito {lost}: contrazioni {contraction}, abbandoni {churn}."
NOTHING_OUT = "Non è uscito nulla: nessun abbandono e nessuna contrazione."
NEW = ("Nessun nuovo cliente.", "È arrivato {count} nuovo cliente.", "Sono arrivati {count} nuovi clienti.")
LOST = (
    "Nessun cliente perso.",
    "{count} cliente se n’è andato (churn {rate}{fraction}).",
    "{count} clienti se ne sono andati (churn {rate}{fraction}).",
)
LOST_WITHOUT_RATE = ("", "{count} cliente se n’è andato.", "{count} clienti se ne sono andati.")
PART_OF = "{part} su {whole}"
FRACTION = ", {fraction}"
"""After a percentage; of few subscribers the fraction stands in its place."""
BACK = ("", "{count} cliente è tornato.", "{count} clienti sono tornati.")
TOTALS = "Clienti totali {customers}, paganti {paying}, licenze attive {licenses}."
TOTALS_WITH_CHANGES = (
    "Clienti totali {customers} ({customers_change}), paganti {paying} ({paying_change}), "
    "licenze attive {licenses} ({licenses_change})."
)
UNCHANGED = "="
PLAN = "Il piano che porta di più è {plan}: {amount} di MRR, {share} del totale."
LIMITED = "{plan}: {sold}, {left}."
LIMITED_SOLD = ("1 venduto", "{count} venduti")
LIMITED_LEFT, LIMITED_OVER = ("ne resta uno", "ne restano {count}"), "ora è esaurito"
ONE_TIME = "Vendite una tantum: {amount}."
RETENTION: Mapping[str, str] = {
    "above": "Retention netta (NRR) {rate}{fraction}: chi c’era già oggi paga più di prima.",
    "even": "Retention netta (NRR) {rate}{fraction}: chi c’era già paga quanto prima.",
    "below": "Retention netta (NRR) {rate}{fraction}: tra abbandoni e contrazioni, chi c’era già paga meno di prima.",
}
QUICK = "Quick ratio {value}: è il rapporto tra quanto è entrato e quanto è uscito."

BEST_DAYS, WORST_DAYS = "Giorni migliori", "Giorni peggiori"
NO_DAYS = "Nessuno."
"""Also for milestones, which are masculine."""
DAY_NEW = ("1 nuovo cliente", "{count} nuovi clienti")
DAY_LOST = ("1 perso", "{count} persi")
MILESTONES = "Traguardi"
MARKS = "Iniziative"
CORRECTIONS = "Rettifiche dall’ultima lettera"
GAPS = "Interruzioni"
NONE = "Nessuna."
MORE = "… e ancora {count}"
PROOF = "Conti verificati {il_moment}: registro, totali e database dicono lo stesso."
PROOF_FAILED = ("Verifica dei conti: 1 numero non torna.", "Verifica dei conti: {count} numeri non tornano.")
PROOF_MISSING = "Verifica dei conti: non ancora fatta."
SIGNED = "Il tuo sistema di analytics"
