"""Parts of a letter: numbers that can be asked about, sentences made of them, and lists."""

from collections.abc import Sequence
from datetime import date
from string import Formatter
from typing import NamedTuple

from rules.settings import italian, letter_texts


class Piece(NamedTuple):
    """A piece of a sentence; `number` names the number that it shows, "" for words."""

    text: str
    number: str = ""


Sentence = tuple[Piece, ...]


class Listed(NamedTuple):
    """A list that may have been shortened: `rest` is the number of items left out, in words."""

    items: tuple[str, ...]
    rest: str = ""


def sentence(text: str, **values: Piece | str) -> Sentence:
    """Fill a text with pieces; a string is a piece of words."""
    pieces: list[Piece] = []
    for words, name, _, _ in Formatter().parse(text):
        if words:
            pieces.append(Piece(words))
        if name is not None:
            value = values[name]
            pieces.append(value if isinstance(value, Piece) else Piece(value))
    return tuple(pieces)


def plain(pieces: Sentence) -> str:
    return "".join(piece.text for piece in pieces)


def counted(forms: tuple[str, str, str], count: int, number: str, **values: Piece | str) -> Sentence:
    """Return the form for zero, one or many; empty if that form is empty."""
    return sentence(forms[min(count, 2)], count=Piece(italian.integer(count), number), **values)


def shortened(items: Sequence[str], limit: int) -> Listed:
    """Return at most `limit` items, of which the last one counts those left out."""
    if len(items) <= limit:
        return Listed(tuple(items))
    return Listed(tuple(items[: limit - 1]), letter_texts.MORE.format(count=len(items) - limit + 1))


def month_name(day: date) -> str:
    """Return `novembre 2026`."""
    return f"{italian.MONTHS[day.month - 1].lower()} {day.year}"


def weekday_and_day(day: date) -> str:
    """Return `mercoledì 18 novembre`."""
    return f"{italian.WEEKDAYS[day.weekday()]} {italian.day_and_month(day, day)}"
