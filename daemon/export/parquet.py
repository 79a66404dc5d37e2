"""Parquet: typed columns for programs, written by row group. pyarrow is large and therefore an optional extra.

A value of another kind than its column is null, because a column has one type.
"""

import tempfile
from collections.abc import Generator, Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from daemon.errors import ConfigurationError
from daemon.export.cells import Cell, Column, Kind

ROW_GROUP_LINES = 10_000
CHUNK_BYTES = 1 << 16
INT64 = 2**63

_PYTHON: dict[Kind, type | tuple[type, ...]] = {
    Kind.TEXT: str,
    Kind.ID: str,
    Kind.INTEGER: int,
    Kind.NUMBER: (int, float),
    Kind.MONEY: (int, float),
    Kind.FLAG: bool,
    Kind.DAY: date,
    Kind.INSTANT: datetime,
}


def import_pyarrow() -> Any:
    """Return the module pyarrow; raises ConfigurationError if it is not installed."""
    try:
        import pyarrow.parquet  # noqa: PLC0415 - takes 0.2 s and 40 MB of memory, needed only for Parquet
    except ImportError:
        raise ConfigurationError(
            "Parquet requires pyarrow, which is not installed; run deploy/install.sh --with-parquet (in a Python "
            "environment of your own: pip install 'chatello-analytics[parquet]'), or export to csv or xlsx"
        ) from None
    return pyarrow


def chunks(columns: Sequence[Column], records: Iterable[Sequence[Cell]]) -> Generator[bytes, None, None]:
    """Yield the file in chunks after it is complete, because its metadata is at the end."""
    arrow = import_pyarrow()
    schema = arrow.schema([(column.name, _types(arrow)[column.kind]) for column in columns])
    with tempfile.TemporaryFile(prefix="chatello-export-") as file:
        with arrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            lines = iter(records)
            while group := list(islice(lines, ROW_GROUP_LINES)):
                writer.write_table(_table(arrow, schema, columns, group))
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _types(arrow: Any) -> dict[Kind, Any]:
    return {
        Kind.TEXT: arrow.string(),
        Kind.ID: arrow.string(),
        Kind.INTEGER: arrow.int64(),
        Kind.NUMBER: arrow.float64(),
        Kind.MONEY: arrow.float64(),
        Kind.FLAG: arrow.bool_(),
        Kind.DAY: arrow.date32(),
        Kind.INSTANT: arrow.timestamp("ms", tz="UTC"),
    }


def _table(arrow: Any, schema: Any, columns: Sequence[Column], group: Sequence[Sequence[Cell]]) -> Any:
    values = [[_typed(line[index], column.kind) for line in group] for index, column in enumerate(columns)]
    arrays = [arrow.array(column, type=field.type) for column, field in zip(values, schema, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=schema)


def _typed(value: Cell, kind: Kind) -> Cell:
    if not isinstance(value, _PYTHON[kind]):
        return None
    if isinstance(value, bool) and kind is not Kind.FLAG:
        return None
    if kind in (Kind.NUMBER, Kind.MONEY):
        return float(value)  # type: ignore[arg-type]  # checked above
    return None if kind is Kind.INTEGER and not -INT64 <= int(value) < INT64 else value  # type: ignore[arg-type]
