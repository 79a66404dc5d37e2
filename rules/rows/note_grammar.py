"""Grammar of a row's `notes`: a generated note, then optionally " | " and a person's comment; or a person's whole note.

A generated note is recognized by equality only: it is the daemon's last note, or a text that the dashboard composes
("save today", its old cron job, its first page view). Any other text is a person's whole note.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from rules.settings.catalog import SEPARATOR
from rules.text import one_line

MAX_LENGTH = 5000
"""Maximum number of characters of a note that is shown, or that a person stores."""
COMMENT_MARK = " | "

CRON_COMMENT = "Dati raccolti automaticamente via cron job"
"""What the dashboard's old cron job writes in the place of a person's comment."""
FIRST_SNAPSHOT = "Initial data snapshot"
"""What the dashboard writes when its page is opened on an empty table."""

_VARIATION = "\N{VARIATION SELECTOR-16}?"
_NUMBER, _AMOUNT = r"\d{1,9}", r"€-?[\d.,]{1,20}"

_COMPLETE = (
    re.escape(CRON_COMMENT),
    re.escape(FIRST_SNAPSHOT),
    rf"🎉 {_NUMBER} nuovi clienti registrati",
    rf"🎫 {_NUMBER} nuove licenze create",
    rf"💰 {_NUMBER} pagamenti completati(?: \({_AMOUNT}\))?",
    rf"💰 Pagamento ricevuto: (?:{_AMOUNT}|€None)",
    rf"⬆{_VARIATION} {_NUMBER} upgrade piano",
    rf"⬇{_VARIATION} {_NUMBER} downgrade piano",
    rf"⚠{_VARIATION} Problemi tecnici risolti",
    "🔧 Manutenzione programmata",
    rf"😞 {_NUMBER} licenze cancellate",
    rf"❌ {_NUMBER} pagamenti falliti",
)
"""Parts of the dashboard's note that do not depend on an event's text."""

_PREFIX = re.compile(r"(?:🎉 Nuovo cliente|🎫 Nuova licenza(?: [^:•|\n]{1,60})?): |[🚀📢🤝🏆] ")
"""What stands before the text of an event in the dashboard's note."""
_EMOJI = re.compile(r"[^\w\s]{1,10}\s?")

_DESCRIPTIONS = (
    r"Nuovo cliente registrato: [^\n]{1,300}? \([^()\s]{1,300}@[^()\s]{1,300}\)",
    r"Licenza [^\n]{1,100}? inserita manualmente: CHA-[0-9A-Za-z-]{1,60}",
    rf"🚀 Founders Deal venduto! Solo {_NUMBER} rimasti",
    rf"(?:[🎉🎫] )?Raggiunt[ie] {_NUMBER} [^•|!\n]{{1,40}}!",
)
"""Texts of the dashboard's own events that are recognized without the event: their end is unambiguous."""
_SALE = r"Nuova licenza [^•|\n]{1,100} per [^•|\n]{1,200}"
"""The dashboard's text of a sale. Its end is the customer's name, so it is used only for a row without events."""


class PersonalText(NamedTuple):
    """What a person wrote into `notes`: a comment after the generated note, or the whole note. Empty for nothing."""

    text: Any = ""
    is_whole: bool = False

    @property
    def comment(self) -> str:
        """The comment; empty if there is none."""
        return "" if self.is_whole else self.text

    def with_note(self, note: Any) -> Any:
        """Return `notes` for a generated note."""
        if not self.text:
            return note
        return self.text if self.is_whole or not note else f"{note}{COMMENT_MARK}{self.text}"


NOTHING = PersonalText()


class DashboardForms:
    """The notes that the dashboard composes from events with these texts.

    `allows_bare`: a text may stand without the emoji or the words of its event's type. `allows_sales`: the dashboard's
    text of a sale is recognized although the sale's event is unknown.
    """

    def __init__(self, texts: Collection[str], *, allows_bare: bool = False, allows_sales: bool = False) -> None:
        self.texts = {text for text in texts if text}
        self.allows_bare = allows_bare
        self.allows_sales = allows_sales

    def end(self, text: str) -> int | None:
        """Return where the longest such note ends at which `text` ends or a comment follows; None if there is none."""
        found, seen, starts = None, set[int](), [0]
        while starts:
            for end in set(self._part_ends(text, starts.pop())) - seen:
                seen.add(end)
                if end == len(text) or text.startswith(COMMENT_MARK, end):
                    found = max(end, found or 0)
                if text.startswith(SEPARATOR, end):
                    starts.append(end + len(SEPARATOR))
        return found

    def _part_ends(self, text: str, start: int) -> Iterator[int]:
        yield from _ends(_COMPLETE, text, start)
        if prefix := _PREFIX.match(text, start):
            yield from self._description_ends(text, prefix.end())
        if self.allows_bare:
            yield from self._text_ends(text, start)
            if emoji := _EMOJI.match(text, start):
                yield from self._text_ends(text, emoji.end())

    def _description_ends(self, text: str, start: int) -> Iterator[int]:
        yield from self._text_ends(text, start)
        yield from _ends(_DESCRIPTIONS, text, start)
        if self.allows_sales:
            yield from _ends((_SALE,), text, start)

    def _text_ends(self, text: str, start: int) -> Iterator[int]:
        yield from (start + len(known) for known in self.texts if text.startswith(known, start))


def personal_text(text: Any, own_notes: Iterable[Any], forms: Iterable[DashboardForms] = ()) -> PersonalText:
    """Return what a person wrote into a note.

    `own_notes` are the notes that the daemon generated last; `forms` are tried in order.
    """
    if not isinstance(text, str):
        return PersonalText(text, is_whole=True) if text else NOTHING
    if not text.strip():
        return NOTHING
    end = own_end(text, own_notes)
    if end is None:
        end = next((end for one in forms if (end := one.end(text)) is not None), None)
    return PersonalText(text, is_whole=True) if end is None else _comment(text[end:])


def generated_part(notes: Any, written: PersonalText) -> Any:
    """Return the generated note in `notes`, from which `written` was parsed; "" if a person wrote all of it."""
    if written.is_whole or not isinstance(notes, str):
        return ""
    return notes.removesuffix(written.text).removesuffix(COMMENT_MARK) if written.text else notes


def own_end(text: str, own_notes: Iterable[Any]) -> int | None:
    """Return where the daemon's note ends in a text that begins with it; None for any other text."""
    notes = {note for note in own_notes if isinstance(note, str) and note}
    ends = (len(note) for note in notes if text == note or text.startswith(note + COMMENT_MARK))
    return max(ends, default=None)


def _comment(rest: str) -> PersonalText:
    """Return the comment in what follows a generated note; the constant of the cron job is no comment."""
    comment = rest.removeprefix(COMMENT_MARK)
    while comment == CRON_COMMENT or comment.startswith(CRON_COMMENT + COMMENT_MARK):
        comment = comment.removeprefix(CRON_COMMENT).removeprefix(COMMENT_MARK)
    return PersonalText(comment) if comment.strip() else NOTHING


def _ends(patterns: tuple[str, ...], text: str, start: int) -> Iterator[int]:
    yield from (match.end() for pattern in patterns if (match := _compiled(pattern).match(text, start)))


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def cleaned(text: str) -> str:
    """Return a person's text as it is stored: line breaks kept, ends trimmed, invisible characters removed."""
    lines = (one_line(line, MAX_LENGTH + 1) for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(lines).strip()
