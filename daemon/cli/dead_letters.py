"""`dead-letters`: the documents nobody could understand."""

from pathlib import Path

import click

from daemon import clock
from daemon.cli.common import CONFIG_OPTION, errors_as_statuses, load, opened


@click.group("dead-letters")
def dead_letters() -> None:
    """The documents held because they could not be understood."""


@dead_letters.command("list")
@CONFIG_OPTION
def list_dead_letters(path: Path | None) -> None:
    """List them, the longest held first.

    \b
    Example:
      chatello-analytics dead-letters list
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.store import dead_letters as letters
            from rules.text import one_line

            for letter in letters.held(database):
                where = f"{letter['_id']['k']} {one_line(str(letter['_id']['id']))}"
                click.echo(f"{letter['first_at']:%Y-%m-%d %H:%M}  {where}  {one_line(letter['reason'])}")


@dead_letters.command("retry")
@CONFIG_OPTION
def retry_dead_letters(path: Path | None) -> None:
    """Look at every held document again, after the database or the configuration was mended.

    \b
    Example:
      chatello-analytics dead-letters retry
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.store import gaps

            gaps.open_gap(database, "retry", "held documents are tried again", None, clock.now())
            click.echo("asked for; the daemon takes it up within seconds (or when it starts)")
