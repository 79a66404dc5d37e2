"""`export`: rows, events, movements and letters as files."""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import BinaryIO

import click

from daemon.cli.common import CommandContext, with_context
from daemon.cli.days import DAY, MONTH, Day, require_order
from daemon.cli.progress_bar import interruptible, progress_bar

FORMATS = {".csv": "csv", ".xlsx": "xlsx", ".parquet": "parquet"}
"""File format by the suffix of the file name."""


OUTPUT = click.option(
    "--output",
    "-o",
    default="-",
    help="Output file, replaced only after everything is written; - is standard output (default).",
)


@click.group()
def export() -> None:
    """Export rows, events or movements to a file, in constant memory; or the letter of a month.

    \b
    Examples:
      chatello-analytics export rows -o analytics.xlsx
      chatello-analytics export events --from 2026-01-01 --to 2026-06-30 -o events.csv
      chatello-analytics export movements --format csv --csv-style standard | head
      chatello-analytics export letter 2026-11 -o novembre.html
    """


def _table_command(table: str) -> click.Command:
    example = f"\b\nExample:\n  chatello-analytics export {table} --from 2026-11-01 -o {table}.xlsx"

    @click.command(table, help=f"Export {table} to a file, in constant memory.\n\n{example}")
    @with_context
    @click.option("--from", "first", type=DAY, help="First day (default: the oldest).")
    @click.option("--to", "last", type=DAY, help="Last day (default: the newest).")
    @click.option(
        "--format",
        "kind",
        type=click.Choice([*FORMATS.values()]),
        help="File format (default: by the suffix of --output, else csv).",
    )
    @click.option(
        "--csv-style",
        type=click.Choice(["excel-it", "standard"]),
        default="excel-it",
        show_default=True,
        help="CSV dialect: excel-it opens directly in an Italian Excel, standard is for programs.",
    )
    @OUTPUT
    def command(
        context: CommandContext, first: Day | None, last: Day | None, kind: str | None, csv_style: str, output: str
    ) -> None:
        since, until = context.day(first), context.day(last)
        require_order(since, until)
        _export_table(context, table, (since, until), (_format(kind, output), csv_style), output)

    return command


for name in ("rows", "events", "movements"):
    export.add_command(_table_command(name))


@export.command()
@with_context
@click.argument("month", type=MONTH)
@OUTPUT
def letter(context: CommandContext, month: date, output: str) -> None:
    """Write the letter of a month as one HTML file that needs no network; a browser prints it on two pages.

    \b
    Example:
      chatello-analytics export letter 2026-11 -o novembre.html
    """
    with interruptible("the file is unchanged; run the same command to start again"):
        from daemon.cli import letter_file

        _write([letter_file.document(context.database, context.config, month).encode()], output)


def _export_table(
    context: CommandContext,
    table: str,
    days: tuple[date | None, date | None],
    format_and_style: tuple[str, str],
    output: str,
) -> None:
    format, csv_style = format_and_style
    with interruptible("the file is unchanged; run the same command to start again"):
        zone = context.config.time.zone
        if output == "-" and format != "csv" and sys.stdout.isatty():
            raise click.BadParameter(f"cannot show {format} on a terminal; name a file", param_hint="--output")
        from daemon.export import Export
        from daemon.rollup.event_descriptions import EventDescriber

        describer = EventDescriber.of(context.database, context.config.settings())
        job = Export(context.database, table, *days, zone, describer.shown)
        with progress_bar(table, job.count(), "rows") as advance:
            _write(job.chunks(format, csv_style, advance), output)


def _format(kind: str | None, output: str) -> str:
    """Return the format of the file; raises BadParameter for a file name that belongs to another format."""
    suffix = Path(output).suffix.lower()
    by_name = FORMATS.get(suffix)
    if kind is None and suffix and by_name is None:
        raise click.BadParameter(
            f"cannot write {suffix} files; name a .csv, .xlsx or .parquet file, or use --format", param_hint="--output"
        )
    if kind and by_name and kind != by_name:
        raise click.BadParameter(f"{kind} does not match the file name {output}", param_hint="--format")
    return kind or by_name or "csv"


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
    """Open a temporary file that replaces a regular file, or the target itself if it is a pipe or a device."""
    try:
        if target.is_file() or not target.exists():
            return _replacing(target.resolve())
        return target.open("wb")
    except OSError as problem:
        raise click.BadParameter(f"cannot write to {target} ({problem.strerror})", param_hint="--output") from None


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """Yield a file in the target's folder that replaces the target once it is complete and synced to disk."""
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
