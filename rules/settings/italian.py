"""Italian grammar that a template cannot do by itself: months, ranges of days, counts and round numbers."""

from collections.abc import Sequence
from datetime import date
from statistics import median

MONTHS = (
    "Gennaio", "Febbraio", "Marzo", "Aprile", "Maggio", "Giugno",
    "Luglio", "Agosto", "Settembre", "Ottobre", "Novembre", "Dicembre",
)  # fmt: skip

THOUSAND, MILLION = 1_000, 1_000_000


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
