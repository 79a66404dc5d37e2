"""`dead-letters`: held documents."""

import click

from daemon import clock
from daemon.cli.common import CommandContext, with_context


@click.group("dead-letters")
def dead_letters() -> None:
    """List and retry the documents that are held because they are invalid."""


@dead_letters.command("list")
@with_context
def list_dead_letters(context: CommandContext) -> None:
    """List the held documents with time, id and reason, the longest held first.

    \b
    Example:
      chatello-analytics dead-letters list
    """
    from daemon.mongo.id_text import shown_id
    from daemon.store import dead_letters as store
    from rules.text import one_line

    is_empty = True
    for letter in store.held(context.database):
        is_empty = False
        document = f"{letter['_id']['k']} {shown_id(letter['_id']['id'])}"
        held_since = letter["first_at"].astimezone(context.config.time.zone)
        click.echo(f"{held_since:%Y-%m-%d %H:%M %Z}  {document}  {one_line(letter['reason'])}")
    if is_empty:
        click.echo("none")


@dead_letters.command("retry")
@with_context
def retry_dead_letters(context: CommandContext) -> None:
    """Process all held documents again, after the database or the configuration has been fixed.

    \b
    Example:
      chatello-analytics dead-letters retry
    """
    from daemon.store import gaps

    gaps.open_gap(context.database, "retry", "retry of held documents", None, clock.now())
    click.echo("requested; the daemon starts within seconds (or at its next start)")
