"""`verify` and `reconcile`: check the totals, and repair the mirror."""

import sys

import click

from daemon import clock
from daemon.cli.common import MAX_MESSAGE, CommandContext, with_context
from rules.text import one_line


@click.command()
@with_context
@click.option("--documents", is_flag=True, help="Also compare every document with the mirror.")
def verify(context: CommandContext, documents: bool) -> None:
    """Verify that the ledger, the running totals and a fresh count of the source agree; exit with status 1 if not.

    \b
    Example:
      chatello-analytics verify --documents
    """
    from daemon.diagnostics.verification import Verification

    verification = Verification(context.database, context.config)
    result = verification.verify_totals()
    for name, number in result.totals.items():
        click.echo(f"{name:18} {number}")
    mismatches = result.mismatches + (verification.verify_documents() if documents else [])
    for mismatch in mismatches:
        click.echo(f"mismatch: {one_line(mismatch, MAX_MESSAGE)}", err=True)
    if mismatches:
        click.echo("-> run `chatello-analytics reconcile --dry-run` to see what a repair would do", err=True)
        sys.exit(1)
    click.echo("verified: ledger, running totals and source agree")


@click.command()
@with_context
@click.option("--dry-run", is_flag=True, help="Show per document what would be done, without doing it.")
@click.option("--accept-deletions", is_flag=True, help="Approve the deletions that a reconciliation is waiting for.")
def reconcile(context: CommandContext, dry_run: bool, accept_deletions: bool) -> None:
    """Request a reconciliation: the daemon compares its mirror with the source and applies the differences.

    \b
    Examples:
      chatello-analytics reconcile --dry-run
      chatello-analytics reconcile
      chatello-analytics reconcile --accept-deletions
    """
    from daemon.store import gaps

    if dry_run:
        _show_differences(context)
    elif accept_deletions:
        if not gaps.accept_deletions(context.database):
            click.echo("no deletions are waiting for approval; nothing was changed", err=True)
            sys.exit(1)
        click.echo("accepted; the daemon continues within seconds")
    else:
        gaps.open_gap(context.database, "requested", "requested from the command line", None, clock.now())
        click.echo("requested; the daemon starts within seconds (or at its next start)")


def _show_differences(context: CommandContext) -> None:
    from daemon.pipeline.dry_run import survey
    from daemon.store import gaps

    question = gaps.pending_question(context.database)
    if question:
        click.echo(one_line(f"waiting for approval: {question}", MAX_MESSAGE))
    has_differences = False
    for line in survey(context.database, context.config):
        has_differences = True
        click.echo(one_line(line, MAX_MESSAGE))
    if not has_differences:
        click.echo("no differences")
