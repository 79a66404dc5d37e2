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
    """List the held documents with the reason, the longest held first.

    \b
    Example:
      chatello-analytics dead-letters list
    """
    from daemon.store import dead_letters as store
    from rules.text import one_line

    for letter in store.held(context.database):
        document = f"{letter['_id']['k']} {one_line(str(letter['_id']['id']))}"
        click.echo(f"{letter['first_at']:%Y-%m-%d %H:%M}  {document}  {one_line(letter['reason'])}")


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
