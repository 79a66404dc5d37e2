"""Names compared and sorted: in the displayed form, without case, in any Unicode form."""

import re
import unicodedata

_APOSTROPHES = str.maketrans(dict.fromkeys("‘’`´", "'"))

_GAP = r"[^\x21-\x7e]*"
"""What may stand between two characters of a stored name: spaces, invisible characters, letters with an accent."""

_FOLDED_FROM_OTHERS = frozenset("afiklnst;'")
"""ASCII characters of a folded name that stand for other ones: ß is ss, ﬁ is fi, the Kelvin sign is k."""


def folded(text: str) -> str:
    """Return a text in the form in which names are compared."""
    plain = unicodedata.normalize("NFC", text).translate(_APOSTROPHES).casefold()
    return unicodedata.normalize("NFC", plain)


def sort_key(name: str) -> str:
    """Return the key that names are sorted by: also without accents, so that à comes with a."""
    plain = unicodedata.normalize("NFKD", folded(name))
    return plain if plain.isascii() else "".join(char for char in plain if not unicodedata.combining(char))


def candidates_pattern(wanted: str) -> str:
    """Return a regular expression (without case) that finds at least every stored name that contains `wanted`, folded.

    The database cannot fold names as `folded` does; this only excludes most of the others.
    """
    return _GAP.join(filter(None, map(_possible, wanted)))


def _possible(char: str) -> str:
    if char.isspace():
        return ""
    if not char.isascii():
        return "[!-~]?"
    literal = re.escape(char)
    return f"{literal}?" if char in _FOLDED_FROM_OTHERS else literal
