"""Normalization of names and free texts from the database: one line, bounded length, visible characters only.

A customer's name is untrusted input. These functions remove invisible characters (control characters, line breaks,
bidirectional and zero-width marks). `one_line` and `customer_name` do not escape: the code that writes HTML, CSV or a
log line does. `note_text` and `name_text` are for texts that the dashboard shows: it passes a note inside a
single-quoted JavaScript string of an HTML attribute, and it composes notes from the descriptions of events.
"""

import re
import unicodedata

MAX_NAME = 60
MAX_TEXT = 300
READ_AHEAD = 4
"""Only the first `limit * READ_AHEAD` characters of a text are read, so that a 1 MB name is cheap."""

JOINER = "\u200d"
"""The zero-width joiner of composed emoji; kept inside a text, removed at its start and end."""

_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols (by Unicode category) that are rendered blank: Hangul fillers, the empty Braille cell."""

_PRIVATE = re.compile(r"(?<![^\s@＠﹫])[^\s@＠﹫]+(?:[@＠﹫][^\s@＠﹫]*)+|CHA-[0-9a-f]{8}[0-9a-f-]*…?", re.IGNORECASE)
"""An e-mail address with all characters that touch it, or a license key; also if it was cut off."""
_OPENING, _CLOSING = ":;,([«“-", ")]»”"

_NEEDS_CARE = re.compile(r"['\\<>\"`&•@＠﹫]|CHA-", re.IGNORECASE)
"""Finds the texts that `note_text` changes; most have none of these characters."""
_REPLACED = str.maketrans({"'": "’", "`": "’", "\\": "/", "<": "‹", ">": "›", "•": "·"})
_ENTITY = re.compile(r"&(?=[#\w])")
"""An ampersand that HTML could read as the start of a character reference, such as &#39; or &lt."""
_OPENING_QUOTE = re.compile(r"(?<![^\s(\[‹/])\"(?=\S)")

_EMOJI_BASE = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3|[\xa9\xae‼⁉™ℹ\u2190-\u21ff〰〽㊗㊙]\ufe0f"
    "|[\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]\ufe0f?[\U0001f3fb-\U0001f3ff]?)"
)
_EMOJI = re.compile(f"{_EMOJI_BASE}(?:{JOINER}{_EMOJI_BASE})*")

_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def one_line(text: object, limit: int = MAX_TEXT) -> str:
    """Return `text` on one line of at most `limit` characters, without invisible ones; "" if it is not a string."""
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
    category = unicodedata.category(char)
    is_hidden = _is_noncharacter(ord(char)) if category == "Cn" else category in _INVISIBLE
    return "" if is_hidden or char in _BLANKS else char


def _is_noncharacter(code: int) -> bool:
    """Return whether an unassigned code point is invisible in every Unicode version; others may be newer characters."""
    is_special = code == 0x2065 or 0xFDD0 <= code <= 0xFDEF or 0xFFF0 <= code <= 0xFFF8
    return is_special or code & 0xFFFE == 0xFFFE or code >= 0xE0000


def customer_name(fields: object) -> str:
    """Return the display name from a customer's fields: `name`, else `company`, else ""."""
    if not hasattr(fields, "get"):
        return ""
    return one_line(fields.get("name"), MAX_NAME) or one_line(fields.get("company"), MAX_NAME)


def note_text(text: object, limit: int = MAX_TEXT) -> str:
    """Return a text as a note or an event may show it: on one line, safe in HTML and in a quoted JavaScript string.

    E-mail addresses and license keys are cut out, the separator of facts is replaced. A straight double quote stays in
    a text with closed quotations and without `=`, so it cannot begin an HTML attribute.
    """
    line = one_line(text, limit)
    if _NEEDS_CARE.search(line) is None:
        return line
    line = _ENTITY.sub("＆", without_private_parts(line).translate(_REPLACED))
    return _typographic(line) if "=" in line or line.count('"') % 2 else line


def name_text(name: object) -> str:
    """Return a person's, company's or plan's name as a note or an event may show it; no straight quotes."""
    return _typographic(note_text(name, MAX_NAME)).removesuffix(" …")


def without_private_parts(line: str) -> str:
    """Return a text without e-mail addresses and license keys; one at the end goes with its brackets or colon."""
    found = list(_PRIVATE.finditer(line))
    if found and not line[found[-1].end() :].strip(" " + _CLOSING):
        before = line[: found[-1].start()].rstrip()
        if not before or before[-1] in _OPENING or found[-1][0][0] in _OPENING:
            line = before.rstrip(" " + _OPENING)
    return _PRIVATE.sub("…", line) if found else line


def _typographic(line: str) -> str:
    return _OPENING_QUOTE.sub("“", line).replace('"', "”") if '"' in line else line


def leading_emoji(text: str) -> str:
    """Return the emoji that a text begins with, "" if it begins with something else."""
    found = _EMOJI.match(text)
    return found[0] if found else ""
