"""`events sample`: write sample events, and remove them."""

import sys
from typing import TYPE_CHECKING

import click

from daemon import clock
from daemon.cli.common import CommandContext, with_context

if TYPE_CHECKING:
    from daemon.config.schema import Config
    from daemon.mongo.types import Database


@click.command()
@with_context
@click.option("--remove", is_flag=True, help="Remove the sample events and rewrite today's note.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def sample(context: CommandContext, remove: bool, yes: bool) -> None:
    """Write a few sample events, dated now, to see the note of today and the page at work.

    Their texts end with "(esempio)". They change no number, and they replace no fact. They are never delivered, and the
    row of a closed day does not contain them.

    \b
    Examples:
      chatello-analytics events sample
      chatello-analytics events sample --yes
      chatello-analytics events sample --remove
    """
    from daemon.store import sample_events

    database = context.database
    if remove:
        click.echo(f"{sample_events.remove(database)} sample events removed")
        _rewrite_today(database, context.config)
    elif found := sample_events.count(database):
        click.echo(f"{found} sample events exist already; remove them with: chatello-analytics events sample --remove")
    else:
        _write(database, yes)
        _rewrite_today(database, context.config)


def _write(database: "Database", yes: bool) -> None:
    from daemon.store import sample_events
    from rules.settings.samples import SAMPLES

    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("standard input is not a terminal, so nothing can be confirmed; add --yes")
        click.confirm(f"Write {len(SAMPLES)} sample events into the database {database.name}?", abort=True)
    sample_events.insert(database, SAMPLES, clock.now())
    for kind, text in SAMPLES:
        click.echo(f"{kind:19} {text}")
    click.echo("written; remove them with: chatello-analytics events sample --remove")


def _rewrite_today(database: "Database", config: "Config") -> None:
    """Write the live row again, because the daemon does not follow sample events. No other row contains them."""
    from daemon.config.active import ActiveConfig
    from daemon.rollup.rollup import Rollup
    from daemon.runtime import logs
    from daemon.store import checkpoint as checkpoints

    logs.set_up(config.logs.model_copy(update={"file": "", "level": "warning"}), logs.secrets_of(config))
    checkpoint = checkpoints.load(database)
    if checkpoint is not None and checkpoint.at is not None:
        Rollup(database, ActiveConfig(config)).write_today(checkpoint.at)
