"""XLSX: real numbers and dates, texts always as texts, in constant memory through temporary files."""

import tempfile
from collections.abc import Generator, Iterable, Sequence
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any

from daemon.export.cells import Cell, Column, Kind, is_formula, text
from daemon.export.headings import heading

MAX_ROWS = 1_048_576
"""Maximum of the file format per sheet; a longer table continues in another sheet."""
MAX_CHARACTERS = 32_767
MAX_EXACT = 2**53
FIRST_DATE = date(1900, 3, 1)
"""Excel treats 1900 as a leap year: dates before March are one day off, and there are none before January."""
CHUNK_BYTES = 1 << 16

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
    "escaped": {"quote_prefix": True},
}
WIDTHS = {Kind.INSTANT: 19, Kind.DAY: 11, Kind.TEXT: 24, Kind.ID: 24}


def chunks(
    columns: Sequence[Column], records: Iterable[Sequence[Cell]], name: str, zone: tzinfo
) -> Generator[bytes, None, None]:
    """Yield the file in chunks after it is complete, because a ZIP file has its directory at the end.

    Raises OSError if the disk is full. The temporary folder is always deleted.
    """
    import xlsxwriter  # noqa: PLC0415 - the page shows cells of other formats without it
    from xlsxwriter.exceptions import FileCreateError  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="chatello-export-") as folder:
        file = Path(folder, "workbook.xlsx")
        try:
            with xlsxwriter.Workbook(file, {**OPTIONS, "tmpdir": folder}) as workbook:
                _Sheets(workbook, columns, name, zone).fill(records)
        except FileCreateError as problem:
            raise problem.args[0] from None
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                yield chunk


class _Sheets:
    """Writes one table to as many sheets as it needs."""

    def __init__(self, workbook: Any, columns: Sequence[Column], name: str, zone: tzinfo) -> None:
        self.workbook = workbook
        self.columns = columns
        self.name = name
        self.zone = zone
        self.formats = {kind: workbook.add_format(properties) for kind, properties in FORMATS.items()}
        self.sheets = 0

    def fill(self, records: Iterable[Sequence[Cell]]) -> None:
        sheet, line = self._begin(), 1
        for record in records:
            if line == MAX_ROWS:
                sheet, line = self._begin(), 1
            for index, (column, value) in enumerate(zip(self.columns, record, strict=True)):
                self._write(sheet, line, index, value, column.kind)
            line += 1

    def _begin(self) -> Any:
        self.sheets += 1
        sheet = self.workbook.add_worksheet(self.name if self.sheets == 1 else f"{self.name} {self.sheets}")
        sheet.freeze_panes(1, 0)
        for index, column in enumerate(self.columns):
            sheet.set_column(index, index, WIDTHS.get(column.kind, 12))
        for index, column in enumerate(self.columns):
            sheet.write_string(0, index, heading(column.name)[:MAX_CHARACTERS], self.formats["heading"])
        return sheet

    def _write(self, sheet: Any, line: int, index: int, value: Cell, kind: Kind) -> None:
        """Write a value by the method of its type: `write` would guess and could turn a text into a formula."""
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(line, index, value)
        elif isinstance(value, int | float) and abs(value) <= MAX_EXACT:
            sheet.write_number(line, index, value, self.formats.get(kind))
        elif isinstance(value, date) and self._is_showable(value):
            sheet.write_datetime(line, index, self._local(value), self.formats.get(kind))
        else:
            self._write_text(sheet, line, index, text(value))

    def _write_text(self, sheet: Any, line: int, index: int, value: str) -> None:
        cell_format = self.formats["escaped"] if is_formula(value) else None
        sheet.write_string(line, index, value[:MAX_CHARACTERS], cell_format)

    def _is_showable(self, value: date) -> bool:
        return (value.date() if isinstance(value, datetime) else value) >= FIRST_DATE and value.year < 9999

    def _local(self, value: date) -> date:
        """Convert an instant to the shop's local time, because Excel has no time zones."""
        return value.astimezone(self.zone).replace(tzinfo=None) if isinstance(value, datetime) else value
