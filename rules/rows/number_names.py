"""Names by which the page and the API ask for numbers, and the fields of the row they stand for."""

from collections.abc import Mapping

from rules.model.ledger import MovementKind

FIELDS: Mapping[str, str] = {
    "mrr": "mrr",
    "arr": "arr",
    "clienti": "total_customers",
    "paganti": "paying_customers",
    "abbonati": "subscribers",
    "licenze": "active_licenses",
    "nuovi": "new_customers",
    "persi": "churned_customers",
    "tornati": "reactivated_customers",
    "una-tantum": "one_time_revenue",
    "arpa": "arpa",
    "churn-clienti": "customer_churn_rate",
    "churn-ricavi": "revenue_churn_rate",
    "retention": "net_revenue_retention",
    "retention-lorda": "gross_revenue_retention",
    "quick-ratio": "quick_ratio",
    "vendite": "sales",
    "cancellazioni": "cancellations",
    "movimenti.usciti": "mrr_lost",
    "movimenti.entrati": "mrr_won",
    "movimenti.ripresi": "mrr_won_back",
}
KINDS: Mapping[str, MovementKind] = {
    "nuovo": MovementKind.NEW,
    "ritorno": MovementKind.REACTIVATION,
    "espansione": MovementKind.EXPANSION,
    "contrazione": MovementKind.CONTRACTION,
    "abbandono": MovementKind.CHURN,
    "apertura": MovementKind.OPENING,
}
COUNT, LICENSES = ".numero", ".licenze"
"""Endings of the names of counts: of the movements of a kind, and of the active licenses of a plan."""

_NAMES = {field: name for name, field in FIELDS.items()}
_KIND_NAMES = {kind.value: name for name, kind in KINDS.items()}


def field_of(number: str) -> str | None:
    """Return the field, or the part of one, that a number stands for; None for an unknown name.

    The name of a plan is not checked.
    """
    if number in FIELDS:
        return FIELDS[number]
    whole, _, part = number.partition(".")
    if whole == "movimenti" and part.removesuffix(COUNT) in KINDS:
        measure = ".count" if part.endswith(COUNT) else ".amount"
        return f"mrr_movements.{KINDS[part.removesuffix(COUNT)]}{measure}"
    if whole == "piano" and part:
        return f"revenue_by_plan.{part.removesuffix(LICENSES)}{'.count' if part.endswith(LICENSES) else '.revenue'}"
    return None


def name_of(field: str) -> str:
    """Return the name of a field or a part of one; "" if it has none."""
    whole, _, rest = field.partition(".")
    if not rest:
        return _NAMES.get(field, "")
    part, is_count = rest.removesuffix(".count"), rest.endswith(".count")
    if whole == "mrr_movements":
        return f"movimenti.{_KIND_NAMES[part.removesuffix('.amount')]}{COUNT if is_count else ''}"
    return f"piano.{part.removesuffix('.revenue')}{LICENSES if is_count else ''}"
