"""Italian headings, sheet names and file names, for the formats that people open: XLSX and the CSV style `excel-it`."""

from collections.abc import Iterator, Mapping

SHEETS: Mapping[str, str] = {"rows": "Giorni e mesi", "events": "Eventi", "movements": "Movimenti"}
FILES: Mapping[str, str] = {"rows": "righe", "events": "eventi", "movements": "movimenti"}

MRR_KINDS: Mapping[str, tuple[str, str]] = {
    "new": ("nuovo", "Nuovi"),
    "expansion": ("espansioni", "Espansioni"),
    "contraction": ("contrazioni", "Contrazioni"),
    "churn": ("abbandoni", "Abbandoni"),
    "reactivation": ("ritorni", "Ritorni"),
    "opening": ("saldo iniziale", "Saldi iniziali"),
}

_NAMES: Mapping[str, str] = {
    "date": "Data",
    "period_type": "Periodo (giorno, mese)",
    "total_customers": "Clienti totali",
    "paying_customers": "Clienti paganti",
    "active_licenses": "Licenze attive",
    "mrr": "MRR",
    "arr": "ARR",
    "one_time_revenue": "Vendite una tantum",
    "new_customers": "Nuovi clienti",
    "churned_customers": "Clienti persi",
    "reactivated_customers": "Clienti tornati",
    "subscribers": "Abbonati",
    "arpa": "ARPA",
    "customer_churn_rate": "Churn dei clienti",
    "revenue_churn_rate": "Churn dei ricavi",
    "net_revenue_retention": "NRR",
    "quick_ratio": "Quick ratio",
    "rates_days": "Giorni dei tassi",
    "revenue_by_plan": "Ricavi per piano",
    "notes": "Note",
    "auto_notes": "Note automatiche",
    "state": "Stato",
    "final": "Chiusa",
    "revision": "Rettifiche",
    "zone": "Fuso orario",
    "measured_from": "Conti dal",
    "created_at": "Creata il",
    "updated_at": "Aggiornata il",
    "event_date": "Data e ora",
    "event_type": "Tipo",
    "description": "Descrizione",
    "plan_name": "Piano",
    "amount": "Importo",
    "currency": "Valuta",
    "customer_name": "Cliente",
    "customer_id": "ID cliente",
    "license_id": "ID licenza",
    "source": "Scritto da",
    "auto_generated": "Automatico",
    "processed": "Elaborato",
    "metadata": "Dettagli",
    "id": "ID",
    "seq": "N.",
    "at": "Data e ora",
    "day": "Giorno",
    "kind": "Movimento",
    "reason": "Motivo",
    "count": "Quantità",
    "mrr_cents": "MRR (centesimi)",
    "one_time_cents": "Una tantum (centesimi)",
    "plan_id": "ID piano",
    "customers": "Clienti (variazione)",
    "licenses": "Licenze (variazione)",
    "active": "Attiva",
    "paid": "Pagante",
    "customer_mrr": "MRR del cliente",
    "cause": "Causa",
}


def _all_names() -> Iterator[tuple[str, str]]:
    yield from _NAMES.items()
    for kind, (amount, count) in MRR_KINDS.items():
        yield f"mrr_{kind}", f"MRR {amount}"
        yield f"mrr_{kind}_count", f"{count} (n.)"
    for side, word in (("before", "prima"), ("after", "dopo")):
        for name in ("plan_id", "active", "mrr_cents", "paid"):
            yield f"{side}_{name}", f"{_NAMES[name]} {word}"


HEADINGS: Mapping[str, str] = dict(_all_names())
"""Heading of a column by its name; a field that another writer added has none and keeps its name."""


def heading(name: str) -> str:
    return HEADINGS.get(name, name)
