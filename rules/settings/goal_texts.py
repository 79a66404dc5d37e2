"""Catalog of Italian texts: a goal that was reached, in an event and a note."""

from collections.abc import Mapping

from rules.settings.catalog import TEXTS, Texts, render
from rules.settings.italian import euros_in_words

METRICS: Mapping[str, str] = {
    "mrr": "MRR",
    "customers": "clienti totali",
    "paying": "clienti paganti",
    "licenses": "licenze attive",
}
"""The metrics of goals inside a text."""


def goal_reached(metric: str, value: int, texts: Texts = TEXTS) -> str:
    """Return the text of a reached goal; `value` is in whole euros for "mrr"."""
    amount = euros_in_words(value) if metric == "mrr" else str(value)
    return render(texts, "goal_reached", metric=METRICS[metric], value=amount)
