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

from daemon.cli.common import CommandContext, require_order, with_context
from daemon.cli.progress_bar import interruptible, progress_bar

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@with_context
@click.argument("table", type=click.Choice(["rows", "events", "movements"]))
@click.option("--from", "first", type=DAY, help="First day (default: the oldest).")
@click.option("--to", "last", type=DAY, help="Last day (default: the newest).")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "xlsx", "parquet"]),
    help="File format (default: by the suffix of --output, else csv).",
)
@click.option(
    "--csv-style",
    type=click.Choice(["excel-it", "standard"]),
    default="excel-it",
    show_default=True,
    help="CSV dialect: excel-it opens directly in an Italian Excel, standard is for programs.",
)
@click.option(
    "--output",
    "-o",
    default="-",
    help="Output file, replaced only after everything is written; - is standard output (default).",
)
def export(
    context: CommandContext,
    table: str,
    first: datetime | None,
    last: datetime | None,
    kind: str | None,
    csv_style: str,
    output: str,
) -> None:
    """Export rows, events or movements to a file, in constant memory.

    \b
    Examples:
      chatello-analytics export rows -o analytics.xlsx
      chatello-analytics export events --from 2026-01-01 --to 2026-06-30 -o events.csv
      chatello-analytics export movements --format csv --csv-style standard | head
    """
    require_order(first, last)
    with interruptible("the file is unchanged; run the same command to start again"):
        zone = context.config.time.zone
        format = kind or _format_of(output)
        if output == "-" and format != "csv" and sys.stdout.isatty():
            raise click.BadParameter(f"cannot show {format} on a terminal; name a file", param_hint="--output")
        from daemon.export import Export

        job = Export(context.database, table, first.date() if first else None, last.date() if last else None, zone)
        with progress_bar(table, job.count(), "rows") as advance:
            _write(job.chunks(format, csv_style, advance), output)


def _format_of(output: str) -> str:
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
