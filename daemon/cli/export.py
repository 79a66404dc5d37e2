"""`export`: rows, events and movements as files."""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from daemon.cli.common import CONFIG_OPTION, errors_as_statuses, load, opened, require_order
from daemon.cli.progress_bar import interruptible, shown

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@CONFIG_OPTION
@click.argument("table", type=click.Choice(["rows", "events", "movements"]))
@click.option("--from", "first", type=DAY, help="First day (default: the oldest).")
@click.option("--to", "last", type=DAY, help="Last day (default: the newest).")
@click.option("--format", "kind", type=click.Choice(["csv", "xlsx", "parquet"]), help="Default: by --output, else csv.")
@click.option(
    "--csv-style",
    type=click.Choice(["excel-it", "standard"]),
    default="excel-it",
    show_default=True,
    help="excel-it opens by a double click in an Italian Excel; standard is what programs read.",
)
@click.option("--output", "-o", default="-", help="The file, replaced when all is written; - is standard output.")
def export(
    path: Path | None,
    table: str,
    first: datetime | None,
    last: datetime | None,
    kind: str | None,
    csv_style: str,
    output: str,
) -> None:
    """Write rows, events or movements to a file, in constant memory.

    \b
    Examples:
      chatello-analytics export rows -o analytics.xlsx
      chatello-analytics export events --from 2026-01-01 --to 2026-06-30 -o events.csv
      chatello-analytics export movements --format csv --csv-style standard | head
    """
    require_order(first, last)
    with errors_as_statuses(), interruptible("the file was left as it was; the same command begins anew"):
        loaded = load(path)
        format = kind or _by_suffix(output)
        if output == "-" and format != "csv" and sys.stdout.isatty():
            raise click.BadParameter(f"{format} is nothing to read on a terminal: name a file", param_hint="--output")
        with opened(loaded) as database:
            from daemon.export import Export

            wanted = Export(
                database, table, first.date() if first else None, last.date() if last else None, loaded.time.zone
            )
            with shown(table, wanted.count(), "rows") as advance:
                _write(wanted.chunks(format, csv_style, advance), output)


def _by_suffix(output: str) -> str:
    return {".xlsx": "xlsx", ".parquet": "parquet"}.get(Path(output).suffix.lower(), "csv")


def _write(chunks: Iterable[bytes], output: str) -> None:
    if output == "-":
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    with _opened(Path(output)) as file:
        for chunk in chunks:
            file.write(chunk)


def _opened(target: Path) -> AbstractContextManager[BinaryIO]:
    """What is written to: a file's successor; a pipe or a device itself, whose place nothing may take."""
    try:
        if target.is_file() or not target.exists():
            return _replacing(target.resolve())
        return target.open("wb")
    except OSError as problem:
        raise click.BadParameter(f"cannot write to {target} ({problem.strerror})", param_hint="--output") from None


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its place once it is whole and on the disk; until then nothing changes."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as problem:
        raise click.BadParameter(
            f"cannot write into {target.parent} ({problem.strerror})", param_hint="--output"
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
