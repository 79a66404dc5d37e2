"""Names and free texts from the database, made fit to be shown: one line, bounded, no tricks.

A customer's name is hostile input. Nothing is escaped here (that is the business of whoever writes HTML,
CSV or a log); what is taken out is what no reader can see: controls, line breaks, bidi and zero-width marks.
"""

import unicodedata

MAX_NAME = 60
MAX_TEXT = 300
READ_AHEAD = 4
"""How many times its length limit of a text is looked at: a 1 MB name costs no more than a long one."""

JOINER = "\u200d"
"""The zero-width joiner holds composed emoji together; at an edge it holds nothing."""

_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by category that show as nothing: fillers of Hangul, the empty Braille cell."""

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def one_line(text: object, limit: int = MAX_TEXT) -> str:
    """`text` on one line of at most `limit` characters, without invisible characters; "" if it is no text."""
    if not isinstance(text, str):
        return ""
    start = text[: limit * READ_AHEAD]
    if not start.isprintable() or not (start.isascii() or _BLANKS.isdisjoint(start)):
        start = "".join(map(_visible, start))
    line = " ".join(start.split()).strip(JOINER + " ")
    return line if len(line) <= limit else line[: limit - 1].rstrip(JOINER + " ") + "…"


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    if char == JOINER:
        return char
    return "" if char in _BLANKS or unicodedata.category(char) in _UNSEEN else char


def customer_name(fields: object) -> str:
    """The name to show for a customer's fields: its name, else its company, else ""."""
    if not hasattr(fields, "get"):
        return ""
    return one_line(fields.get("name"), MAX_NAME) or one_line(fields.get("company"), MAX_NAME)
