"""The environment of the templates: everything is escaped."""

from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import jinja2

from daemon.web.page import (
    addresses,
    assets,
    customer_texts,
    error_texts,
    event_texts,
    month_texts,
    system_texts,
    texts,
    trend_texts,
    why_texts,
)
from rules.settings import italian, letter_texts

ASSETS = ("page.css", "letter.css", "page.js", "icon.svg")
HERE = Path(__file__).parent


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["texts"] = texts
    made.globals["system_texts"] = system_texts
    made.globals["error_texts"] = error_texts
    made.globals["why_texts"] = why_texts
    made.globals["trend_texts"] = trend_texts
    made.globals["event_texts"] = event_texts
    made.globals["customer_texts"] = customer_texts
    made.globals["month_texts"] = month_texts
    made.globals["letter_texts"] = letter_texts
    made.globals["addresses"] = addresses
    made.globals["italian"] = italian
    made.globals["page_url"] = page_url
    made.globals["assets"] = {name: assets.asset_url(name) for name in ASSETS}
    return made


def page_url(path: str, anchor: str = "", **parameters: object) -> str:
    """Return an address; parameters that are None are left out."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{path}{'?' + query if query else ''}{'#' + anchor if anchor else ''}"
