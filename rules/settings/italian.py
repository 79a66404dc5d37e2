"""Italian that a template cannot do by itself: days with their article, counts, and numbers as readers write them.

Notes keep the form that the dashboard stores (€7.99); pages and messages use these formats (€ 7,99).
"""

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from statistics import median

NBSP = "\u00a0"
MINUS = "\u2212"
DASH = "–"

MONTHS = (
    "Gennaio", "Febbraio", "Marzo", "Aprile", "Maggio", "Giugno",
    "Luglio", "Agosto", "Settembre", "Ottobre", "Novembre", "Dicembre",
)  # fmt: skip

WEEKDAYS = ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica")

THOUSAND, MILLION = 1_000, 1_000_000

IL, DEL, DAL, AL = ("il ", "l’"), ("del ", "dell’"), ("dal ", "dall’"), ("al ", "all’")
ELIDING_DAYS = (8, 11)
"""L’otto, l’undici: the only days whose names begin with a vowel."""

_STORED_EUROS = re.compile(r"(?<![\w.,])([+-]?)€(\d+(?:\.\d{2})?)(?![\d.,]?\d)")
"""An amount in the form of notes: €7.99, -€7.99, €12345.60, €250."""


def date_range(first: date, last: date) -> str:
    """Return the days of a range: 16–22 novembre; 30 novembre – 6 dicembre."""
    begin, end = (MONTHS[day.month - 1].lower() for day in (first, last))
    if first.month == last.month:
        return f"{first.day}–{last.day} {end}"
    return f"{first.day} {begin} – {last.day} {end}"


def and_others(count: int) -> str:
    """Return the end of a shortened list of customers, with the number of omitted ones."""
    return "e un altro" if count == 1 else f"e altri {count}"


def and_other_customers() -> str:
    """Return the end of a shortened list of customers that are too many to count."""
    return "e altri clienti"


def and_other_events(count: int) -> str:
    """Return the end of a shortened note, with the number of omitted events."""
    return "e un altro evento" if count == 1 else f"e altri {count} eventi"


def usual(counts: Sequence[int]) -> str:
    """Return the median of counts in words: half an event does not exist, so 0.5 is "0 o 1"."""
    middle = median(counts)
    return f"{middle:.0f}" if middle == int(middle) else f"{int(middle)} o {int(middle) + 1}"


def round_euros(euros: int) -> tuple[str, str]:
    """Return the unit and the number of a milestone of MRR; the unit selects its text.

    Large round numbers are in words, because €1.000 may be read as one euro or as a thousand.
    """
    if euros == MILLION:
        return "million", "1"
    if euros > MILLION and euros % (MILLION // 10) == 0:
        return "millions", f"{euros / MILLION:.1f}".removesuffix(".0").replace(".", ",")
    if 10 * THOUSAND <= euros < MILLION and euros % THOUSAND == 0:
        return "thousands", str(euros // THOUSAND)
    return "", str(euros)


def euros_in_words(euros: int) -> str:
    """Return a whole amount as a note shows it: €3000, 25 mila euro, 1 milione di euro, 2,5 milioni di euro."""
    unit, value = round_euros(euros)
    words = {"": "€{}", "thousands": "{} mila euro", "million": "{} milione di euro", "millions": "{} milioni di euro"}
    return words[unit].format(value)


def with_article(article: tuple[str, str], day: date, today: date) -> str:
    """Return a day with its article: dell’8 novembre, del 1º novembre; the year only if it is not that of `today`."""
    return article[day.day in ELIDING_DAYS] + day_and_month(day, today)


def day_and_month(day: date, today: date) -> str:
    """Return 8 novembre, 1º novembre, 8 novembre 2025: the year only if it is not that of `today`."""
    number = "1º" if day.day == 1 else str(day.day)
    year = "" if day.year == today.year else f" {day.year}"
    return f"{number} {MONTHS[day.month - 1].lower()}{year}"


def short_day(day: date) -> str:
    """Return gio 26 nov: for subject lines."""
    return f"{WEEKDAYS[day.weekday()][:3]} {day.day} {MONTHS[day.month - 1][:3].lower()}"


def short_date_range(first: date, last: date) -> str:
    """Return 16–22 nov; 30 nov – 6 dic."""
    begin, end = (MONTHS[day.month - 1][:3].lower() for day in (first, last))
    if first.month == last.month:
        return f"{first.day}–{last.day} {end}"
    return f"{first.day} {begin} – {last.day} {end}"


def plural(forms: tuple[str, str], count: int) -> str:
    """Return the singular or the plural form, with the count inserted."""
    return forms[0] if count == 1 else forms[1].format(count=integer(count))


def number(value: object) -> float | None:
    """Return a finite number; None for any other stored value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def integer(value: object) -> str:
    """Return a count in the Italian format, `1.234`; a dash if it is not a number."""
    known = number(value)
    if known is None:
        return DASH
    text = f"{abs(round(known)):,}".replace(",", ".")
    return f"{MINUS}{text}" if known < 0 else text


def signed(value: int) -> str:
    return integer(value) if value < 0 else f"+{integer(value)}"


def euro(amount: object, decimals: int = 2) -> str:
    """Return euros in the Italian format, `€ 1.234,50`; a dash if it is not a number."""
    text = decimal(amount, decimals)
    return text if text == DASH else f"{MINUS if text[0] == MINUS else ''}€{NBSP}{text.removeprefix(MINUS)}"


def cents(amount: int) -> str:
    return euro(amount / 100)


def signed_cents(amount: int) -> str:
    return cents(amount) if amount < 0 else f"+{cents(amount)}"


def decimal(amount: object, decimals: int = 1) -> str:
    """Return a number with decimals in the Italian format, `1.234,5`; a dash if it is not a number."""
    known = number(amount)
    if known is None:
        return DASH
    text = f"{abs(known):,.{decimals}f}".translate(str.maketrans(",.", ".,"))
    return f"{MINUS}{text}" if known < 0 and text.strip("0.,") else text


def percent(share: object, decimals: int = 1) -> str:
    """Return a share as `5,3%`; a dash if it is not a number."""
    known = number(share)
    return DASH if known is None else f"{decimal(known * 100, decimals)}%"


def with_readers_euros(text: str) -> str:
    """Return a stored note or description with its amounts in the form for readers: €7.99 becomes € 7,99."""
    return _STORED_EUROS.sub(_readers_euros, text)


def _readers_euros(found: re.Match[str]) -> str:
    sign, amount = found.groups()
    return f"{sign.replace('-', MINUS)}{euro(float(amount), decimals=2 if '.' in amount else 0)}"


def duration(seconds: float) -> str:
    """Return a duration in its largest unit: `12 secondi`, `3 minuti`, `2 ore`, `5 giorni`."""
    for size, one, many in ((86400, "giorno", "giorni"), (3600, "ora", "ore"), (60, "minuto", "minuti")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {one if count == 1 else many}"
    return f"{int(seconds)} {'secondo' if int(seconds) == 1 else 'secondi'}"


def moment(at: object, zone: tzinfo) -> str:
    """Return `24/11/2026 alle 14:32`; a dash if it is not a time."""
    return f"{at.astimezone(zone):%d/%m/%Y alle %H:%M}" if isinstance(at, datetime) else DASH
