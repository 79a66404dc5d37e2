"""One export: a table, its range of days, and its bytes in one of the formats."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from datetime import date, tzinfo

from daemon.export import excel, headings, parquet, plain
from daemon.export import reader as export_reader
from daemon.export.cells import Cell, Column, record
from daemon.export.tables import STATE, TABLES, extra_columns
from daemon.mongo.types import Database, Document, ReadOnlyDocument
from rules.privacy.described import shown_event

Describe = Callable[[Iterable[Document]], Iterable[Document]]

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
FORMATS = tuple(MEDIA_TYPES)
STYLES = tuple(plain.STYLES)
"""CSV styles: an Italian Excel opens `excel-it` by double click; `standard` is for programs."""


class Export:
    """Export of "rows", "events" or "movements" of the days from `first` to `last` (None: unbounded).

    `describe` returns events as they may be shown; by default only e-mail addresses and license keys are cut out.
    The database is not read until `chunks` or `count` is called; `chunks` reads one page of documents at a time.
    """

    def __init__(
        self,
        database: Database,
        table: str,
        first: date | None,
        last: date | None,
        zone: tzinfo,
        describe: Describe | None = None,
    ) -> None:
        self.database = database
        self.table = table
        self.days = (first, last)
        self.zone = zone
        self.describe = describe or (lambda events: map(shown_event, events))
        self.query = export_reader.day_filter(table, first, last, zone)

    def count(self) -> int:
        """Return the approximate number of lines; documents may be written before `chunks` is called."""
        return export_reader.count(self.database, self.table, self.query)

    def file_name(self, format: str, style: str = STYLES[0]) -> str:
        """Return a file name such as chatello-righe-2026-01-01-2026-11-23.csv, in English for programs."""
        table = headings.FILES[self.table] if _is_for_people(format, style) else self.table
        return "-".join(["chatello", table, *(str(day) for day in self.days if day is not None)]) + f".{format}"

    def chunks(
        self, format: str, style: str = STYLES[0], advance: Callable[[int], object] | None = None
    ) -> Generator[bytes, None, None]:
        """Return the file as an iterator of bytes; `advance` is called with the number of lines read since then.

        Raises ConfigurationError for Parquet without pyarrow, and Unavailable if the database does not answer.
        """
        columns = self._columns()
        lines = self._records(columns, advance)
        if format == "csv":
            return plain.chunks(columns, lines, plain.STYLES[style], self.zone)
        if format == "xlsx":
            return excel.chunks(columns, lines, headings.SHEETS[self.table], self.zone)
        parquet.import_pyarrow()
        return parquet.chunks(columns, lines)

    def _columns(self) -> tuple[Column, ...]:
        known = TABLES[self.table]
        if self.table != "rows":
            return known
        return known + extra_columns(export_reader.fields(self.database, self.table, self.query))

    def _records(self, columns: tuple[Column, ...], advance: Callable[[int], object] | None) -> Iterator[list[Cell]]:
        documents = export_reader.read(self.database, self.table, self.query)
        shown = self.describe(documents) if self.table == "events" else documents
        for number, document in enumerate(shown, 1):
            yield record(document, columns)
            if advance is not None and number % plain.LINES_PER_CHUNK == 0:
                advance(plain.LINES_PER_CHUNK)


def chosen_columns(
    documents: Iterable[ReadOnlyDocument], names: Collection[str], format: str, zone: tzinfo
) -> Generator[bytes, None, None]:
    """Return a file for people, "csv" or "xlsx", with some columns of the given rows."""
    columns = tuple(column for name in names for column in (*TABLES["rows"], STATE) if column.name == name)
    lines = (record(document, columns) for document in documents)
    if format == "csv":
        return plain.chunks(columns, lines, plain.STYLES["excel-it"], zone)
    return excel.chunks(columns, lines, headings.SHEETS["rows"], zone)


def _is_for_people(format: str, style: str) -> bool:
    return format == "xlsx" or (format == "csv" and plain.STYLES[style].is_italian)
