"""CSV: as Excel in Italy opens it by a double click, or as programs read it (RFC 4180).

An Italian Excel takes "7.99" for the seventh month of 1999 and a comma for no separator at all: it wants semicolons,
decimal commas, and a byte order mark to know UTF-8.
"""

import csv
import io
from collections.abc import Generator, Iterable, Sequence
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from daemon.export.cells import Cell, Column, is_formula

LINES = 500
"""Lines per chunk."""


UNSEEN = dict.fromkeys((0, 0x1B, *range(0x80, 0xA0)))
"""What no CSV can hold, and what begins an order to the terminal that a file is shown on (ECMA-48)."""


class Style(NamedTuple):
    """How values are written. `local` dates are the shop's own clock without a zone, else ISO 8601 with it."""

    start: str
    separator: str
    point: str
    flags: tuple[str, str]
    local: bool


STYLES = {
    "excel-it": Style("\ufeff", ";", ",", ("FALSO", "VERO"), local=True),
    "standard": Style("", ",", ".", ("false", "true"), local=False),
}


def chunks(
    columns: Sequence[Column], records: Iterable[Sequence[Cell]], style: Style, zone: tzinfo
) -> Generator[bytes, None, None]:
    """The file in pieces of some hundred lines."""
    page = io.StringIO(newline="")
    page.write(style.start)
    writer = csv.writer(page, delimiter=style.separator, lineterminator="\r\n")
    writer.writerow([defused(column.name) for column in columns])
    for place, record in enumerate(records, 1):
        writer.writerow([written(value, style, zone) for value in record])
        if place % LINES == 0:
            yield _taken(page)
    yield _taken(page)


def _taken(page: io.StringIO) -> bytes:
    text = page.getvalue()
    page.seek(0)
    page.truncate()
    return text.encode("utf-8", "replace")


def written(value: Cell, style: Style, zone: tzinfo) -> str:
    """One cell as the file has it; only texts are ever defused."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return style.flags[value]
    if isinstance(value, int | float):
        return repr(value).replace(".", style.point)
    if isinstance(value, datetime):
        local = value.astimezone(zone)
        return f"{local:%Y-%m-%d %H:%M:%S}" if style.local else local.isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, date) else defused(value)


def defused(value: str) -> str:
    """A text no spreadsheet runs: an apostrophe in front shows as nothing and makes it text."""
    clean = value.translate(UNSEEN)
    return f"'{clean}" if is_formula(clean) else clean
