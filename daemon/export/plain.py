"""CSV: for an Italian Excel that opens it by double click, or for programs (RFC 4180).

An Italian Excel reads "7.99" as July 1999 and does not split at commas: it requires semicolons, decimal commas, and a
byte order mark to detect UTF-8.
"""

import csv
import io
from collections.abc import Generator, Iterable, Sequence
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from daemon.export.cells import Cell, Column, is_formula
from daemon.export.headings import heading

LINES_PER_CHUNK = 500

CONTROL_CHARACTERS = dict.fromkeys((0, 0x1B, *range(0x80, 0xA0)))
"""NUL, which CSV cannot contain, and characters that start a control sequence of a terminal (ECMA-48)."""


class Style(NamedTuple):
    """Format of values. `local`: times in the shop's zone without an offset, else ISO 8601 with one.

    `is_italian`: headings for people, else the names of the columns.
    """

    start: str
    separator: str
    point: str
    flags: tuple[str, str]
    local: bool
    is_italian: bool


STYLES = {
    "excel-it": Style("\ufeff", ";", ",", ("FALSO", "VERO"), local=True, is_italian=True),
    "standard": Style("", ",", ".", ("false", "true"), local=False, is_italian=False),
}


def chunks(
    columns: Sequence[Column], records: Iterable[Sequence[Cell]], style: Style, zone: tzinfo
) -> Generator[bytes, None, None]:
    """Yield the file in chunks of `LINES_PER_CHUNK` lines."""
    page = io.StringIO(newline="")
    page.write(style.start)
    writer = csv.writer(page, delimiter=style.separator, lineterminator="\r\n")
    writer.writerow([escaped(heading(column.name) if style.is_italian else column.name) for column in columns])
    for number, record in enumerate(records, 1):
        writer.writerow([format_cell(value, style, zone) for value in record])
        if number % LINES_PER_CHUNK == 0:
            yield _drain(page)
    yield _drain(page)


def _drain(page: io.StringIO) -> bytes:
    text = page.getvalue()
    page.seek(0)
    page.truncate()
    return text.encode("utf-8", "replace")


def format_cell(value: Cell, style: Style, zone: tzinfo) -> str:
    """Return a cell as it is written to the file; only texts are escaped."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return style.flags[value]
    if isinstance(value, int | float):
        return repr(value).replace(".", style.point)
    if isinstance(value, datetime):
        local = value.astimezone(zone)
        return f"{local:%Y-%m-%d %H:%M:%S}" if style.local else local.isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, date) else escaped(value)


def escaped(value: str) -> str:
    """Return a text that no spreadsheet evaluates: a leading apostrophe, which is not displayed, makes it a text."""
    clean = value.translate(CONTROL_CHARACTERS)
    return f"'{clean}" if is_formula(clean) else clean
