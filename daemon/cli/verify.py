"""`verify`, `reconcile`: whether the numbers are true, and how they become so again."""

import sys
from pathlib import Path

import click

from daemon import clock
from daemon.cli.common import CONFIG_OPTION, LONGEST, errors_as_statuses, load, opened
from rules.text import one_line


@click.command()
@CONFIG_OPTION
@click.option("--documents", is_flag=True, help="Also compare every document with the mirror.")
def verify(path: Path | None, documents: bool) -> None:
    """Prove that ledger = running totals = what the database counts; exit status 1 if not.

    \b
    Example:
      chatello-analytics verify --documents
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.diagnostics.verification import Verification

            proof = Verification(database, loaded)
            verdict = proof.numbers()
            for name, number in verdict.totals.items():
                click.echo(f"{name:18} {number}")
            mismatches = verdict.mismatches + (proof.documents() if documents else [])
        for mismatch in mismatches:
            click.echo(f"differs: {one_line(mismatch, LONGEST)}", err=True)
        if mismatches:
            click.echo("-> chatello-analytics reconcile --dry-run shows what a repair would do", err=True)
            sys.exit(1)
        click.echo("proved: ledger, running totals and source agree")


@click.command()
@CONFIG_OPTION
@click.option("--dry-run", is_flag=True, help="Only show what differs.")
@click.option("--accept-deletions", is_flag=True, help="The disappearance of so many documents is meant.")
def reconcile(path: Path | None, dry_run: bool, accept_deletions: bool) -> None:
    """Ask the daemon to make its mirror equal to the source again.

    \b
    Examples:
      chatello-analytics reconcile --dry-run
      chatello-analytics reconcile
      chatello-analytics reconcile --accept-deletions
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.pipeline import reconciliation
            from daemon.store import gaps

            if dry_run:
                found = reconciliation.survey(database, loaded)
                for line in found or ["nothing differs"]:
                    click.echo(one_line(line, LONGEST))
            elif accept_deletions:
                waits = gaps.accept_deletions(database)
                click.echo("accepted; the daemon goes on within seconds" if waits else "no gap waits for that")
            else:
                gaps.open_gap(database, "requested", "asked for on the command line", None, clock.now())
                click.echo("asked for; the daemon takes it up within seconds (or when it starts)")
