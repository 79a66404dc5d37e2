"""Texts of former versions and of the dashboard, for finding a customer's name in stored sentences.

Stored events and final rows keep the words with which they were written. Add a text that changes in the catalog here.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from rules.settings.catalog import TEXTS, Texts, split_fields

FORMER_TEXTS = (
    "Licenza riattivata: {plan}, {name}",
    "Licenza rinnovata: {plan}, {name}",
    "Licenza cancellata: {plan}, {name}",
    "Licenza scaduta: {plan}, {name}",
    "Licenza sospesa: {plan}, {name}",
    "Pagamento fallito: {amount} da {name}",
    "Upgrade: {before} → {after}, {name}",
    "Downgrade: {before} → {after}, {name}",
)
DASHBOARD_TEXTS = (
    "Nuovo cliente registrato: {name} ({email})",
    "Nuovo cliente registrato: {name}",
    "Nuova licenza {plan} per {name}",
)


def name_in_text(texts: Texts, text: str) -> str | None:
    """Return the customer's name in a stored text of this or a former version or of the dashboard; else None."""
    for template in (*DASHBOARD_TEXTS, *FORMER_TEXTS, *_current_templates(texts)):
        if found := _name_in(template).fullmatch(text):
            return found["name"]
    return None


def _current_templates(texts: Texts) -> Iterator[str]:
    """Yield the configured and the default texts that name a customer."""
    for key, default in TEXTS.items():
        if "{name}" in default and key != "holiday":
            yield from {text for text in (texts.get(key), default) if text and "{name}" in text}


@lru_cache(maxsize=200)
def _name_in(template: str) -> re.Pattern[str]:
    """Return the pattern of the rendered texts of a template, with the group `name`."""
    parts = list(split_fields(template))
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = ["(?P<name>.+)" if name == "name" else ".+?" for name in parts[1::2]]
    return re.compile("".join(parts))
