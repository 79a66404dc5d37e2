"""One export: which table of which days, and its bytes in the format asked for."""

from collections.abc import Callable, Generator, Iterator
from datetime import date, tzinfo

from daemon.export import excel, parquet, plain
from daemon.export import reader as export_reader
from daemon.export.cells import Cell, Column, record
from daemon.export.tables import TABLES, further
from daemon.mongo.types import Database

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
FORMATS = tuple(MEDIA_TYPES)
STYLES = tuple(plain.STYLES)
"""How a CSV is written: `excel-it` opens by a double click in an Italian Excel, `standard` is what programs read."""


class Export:
    """The days from `first` to `last` (None: without that bound) of "rows", "events" or "movements".

    Nothing is read before `chunks` or `count` is called; `chunks` reads one page of documents at a time.
    """

    def __init__(self, database: Database, table: str, first: date | None, last: date | None, zone: tzinfo) -> None:
        self.database = database
        self.table = table
        self.days = (first, last)
        self.zone = zone
        self.wanted = export_reader.bounds(table, first, last, zone)

    def count(self) -> int:
        """About how many lines it will have: documents may be written meanwhile."""
        return export_reader.count(self.database, self.table, self.wanted)

    def file_name(self, format: str) -> str:
        """A name for the file, such as chatello-rows-2026-01-01-2026-11-23.csv."""
        return "-".join(["chatello", self.table, *(str(day) for day in self.days if day is not None)]) + f".{format}"

    def chunks(
        self, format: str, style: str = STYLES[0], advance: Callable[[int], object] | None = None
    ) -> Generator[bytes, None, None]:
        """The file's bytes. `advance` is told now and then how many more lines were read.

        Raises ConfigurationError for Parquet without pyarrow, Unavailable where the database stops answering.
        """
        columns = self._columns()
        lines = self._records(columns, advance)
        if format == "csv":
            return plain.chunks(columns, lines, plain.STYLES[style], self.zone)
        if format == "xlsx":
            return excel.chunks(columns, lines, self.table, self.zone)
        parquet.require()
        return parquet.chunks(columns, lines)

    def _columns(self) -> tuple[Column, ...]:
        known = TABLES[self.table]
        if self.table != "rows":
            return known
        return known + further(export_reader.fields(self.database, self.table, self.wanted))

    def _records(self, columns: tuple[Column, ...], advance: Callable[[int], object] | None) -> Iterator[list[Cell]]:
        for place, document in enumerate(export_reader.read(self.database, self.table, self.wanted), 1):
            yield record(document, columns)
            if advance is not None and place % plain.LINES == 0:
                advance(plain.LINES)
