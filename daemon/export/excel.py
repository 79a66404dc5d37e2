"""XLSX: real numbers and dates, texts always as texts, in constant memory through temporary files."""

import tempfile
from collections.abc import Generator, Iterable, Sequence
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from daemon.export.cells import Cell, Column, Kind, is_formula, text

MOST_ROWS = 1_048_576
"""Of a sheet, by the format; a longer table goes on in a further sheet."""
MOST_CHARACTERS = 32_767
MOST_EXACT = 2**53
FIRST_DATE = date(1900, 3, 1)
"""Excel believes in 29 February 1900: before March dates are one day off, before January there are none."""
PIECE = 1 << 16

OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
FORMATS: dict[str, dict[str, Any]] = {
    Kind.MONEY: {"num_format": "#,##0.00"},
    Kind.DAY: {"num_format": "dd/mm/yyyy"},
    Kind.INSTANT: {"num_format": "dd/mm/yyyy hh:mm:ss"},
    "heading": {"bold": True},
    "defused": {"quote_prefix": True},
}
WIDTHS = {Kind.INSTANT: 19, Kind.DAY: 11, Kind.TEXT: 24}


def chunks(
    columns: Sequence[Column], records: Iterable[Sequence[Cell]], name: str, zone: tzinfo
) -> Generator[bytes, None, None]:
    """The file in pieces, once all of it is written: a ZIP has its table of contents at the end.

    Raises OSError where there is no room for it; what was written goes with its folder, however this ends.
    """
    with tempfile.TemporaryDirectory(prefix="chatello-export-") as folder:
        book = Path(folder, "book")
        try:
            with xlsxwriter.Workbook(book, {**OPTIONS, "tmpdir": folder}) as opened:
                _Sheets(opened, columns, name, zone).fill(records)
        except FileCreateError as problem:
            raise problem.args[0] from None
        with book.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece


class _Sheets:
    """Writes one table over as many sheets as it needs."""

    def __init__(self, book: Any, columns: Sequence[Column], name: str, zone: tzinfo) -> None:
        self.book = book
        self.columns = columns
        self.name = name
        self.zone = zone
        self.formats = {kind: book.add_format(look) for kind, look in FORMATS.items()}
        self.sheets = 0

    def fill(self, records: Iterable[Sequence[Cell]]) -> None:
        sheet, line = self._begin(), 1
        for record in records:
            if line == MOST_ROWS:
                sheet, line = self._begin(), 1
            for place, (column, value) in enumerate(zip(self.columns, record, strict=True)):
                self._write(sheet, line, place, value, column.kind)
            line += 1

    def _begin(self) -> Any:
        self.sheets += 1
        sheet = self.book.add_worksheet(self.name if self.sheets == 1 else f"{self.name} {self.sheets}")
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(self.columns):
            sheet.set_column(place, place, WIDTHS.get(column.kind, 12))
        for place, column in enumerate(self.columns):
            sheet.write_string(0, place, column.name[:MOST_CHARACTERS], self.formats["heading"])
        return sheet

    def _write(self, sheet: Any, line: int, place: int, value: Cell, kind: Kind) -> None:
        """Each value by the method of its own kind: `write` would guess, and take a text for a formula."""
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(line, place, value)
        elif isinstance(value, int | float) and abs(value) <= MOST_EXACT:
            sheet.write_number(line, place, value, self.formats.get(kind))
        elif isinstance(value, date) and self._is_showable(value):
            sheet.write_datetime(line, place, self._local(value), self.formats.get(kind))
        else:
            self._write_text(sheet, line, place, text(value))

    def _write_text(self, sheet: Any, line: int, place: int, value: str) -> None:
        look = self.formats["defused"] if is_formula(value) else None
        sheet.write_string(line, place, value[:MOST_CHARACTERS], look)

    def _is_showable(self, value: date) -> bool:
        return (value.date() if isinstance(value, datetime) else value) >= FIRST_DATE and value.year < 9999

    def _local(self, value: date) -> date:
        """Excel knows no zones: a moment is shown by the shop's own clock."""
        return value.astimezone(self.zone).replace(tzinfo=None) if isinstance(value, datetime) else value
