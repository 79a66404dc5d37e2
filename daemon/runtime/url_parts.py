"""Removal of a secret URL and all its parts from texts, such as the errors of a library that was given the URL."""

import re
from urllib.parse import unquote

SHORTEST_PART = 4
"""Characters; shorter parts occur in any text."""
HIDDEN = "***"

_SEPARATORS = re.compile(r"[/?#&=@:,;\s]+")


def url_parts(url: str) -> set[str]:
    """Return the URL and each part of it that may be secret, as written and decoded; not the scheme."""
    _scheme, _, rest = url.partition("://")
    pieces = {url, rest, *_SEPARATORS.split(rest)}
    decoded = {unquote(piece) for piece in pieces}
    return {part for part in pieces | decoded if len(part) >= SHORTEST_PART}


def without_url(text: str, url: str) -> str:
    """Return `text` without any part of the URL, in upper or lower case."""
    parts = sorted(url_parts(url), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, parts)), HIDDEN, text, flags=re.IGNORECASE) if parts else text
