"""`forget`: a customer's name leaves everything that is ours."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon import clock
from daemon.cli.common import CONFIG_OPTION, TEXT, errors_as_statuses, load, opened
from daemon.cli.progress_bar import interruptible, shown
from rules.text import one_line

if TYPE_CHECKING:
    from daemon.privacy.forget import ForgetReport
    from daemon.privacy.redaction import Subject


@click.command()
@CONFIG_OPTION
@click.argument("customer", type=TEXT)
@click.option(
    "--also", multiple=True, type=TEXT, metavar="TEXT", help="A further text that names the person; may be repeated."
)
@click.option("--include-external", "others", is_flag=True, help="Also in the dashboard's events and people's notes.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be changed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(path: Path | None, customer: str, also: tuple[str, ...], others: bool, dry_run: bool, yes: bool) -> None:
    """Take the name and e-mail of a customer out of events, notes, mirror, dead letters and the log file.

    CUSTOMER is an id or an e-mail address. Totals and movements stay, and are proved to. It may be done while the
    daemon runs, and again; what the dashboard holds of the customer is deleted there.

    \b
    Examples:
      chatello-analytics forget mario.rossi@example.it --dry-run
      chatello-analytics forget 65f0c0ffee65f0c0ffee65f0 --include-external
      chatello-analytics forget 65f0c0ffee65f0c0ffee65f0 --also "M. Rossi" --yes
    """
    with errors_as_statuses(), interruptible("the same command goes on and completes it"):
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.privacy.forget import ForgetRequest

            erasure = ForgetRequest(database, loaded, others=others)
            person = erasure.person(customer, also)
            if dry_run or not yes:
                with shown("looking", erasure.size(), "documents") as advance:
                    found = erasure.survey(person, advance)
                _print_report("would be changed", found, person)
            if dry_run:
                return
            if not yes:
                click.confirm(f"Forget the customer {one_line(str(person.id))}? This cannot be taken back", abort=True)
            with shown("forgetting", erasure.size(), "documents") as advance:
                report = erasure.execute(person, clock.now(), advance)
            _print_report("changed", report, person)
            for mismatch in report.proof:
                click.echo(f"differs: {one_line(mismatch)}", err=True)
            if report.proof:
                sys.exit(1)
            click.echo("proved: ledger and totals are what they were")


def _print_report(what: str, report: "ForgetReport", person: "Subject") -> None:
    places = ", ".join(f"{count} in {place}" for place, count in sorted(report.changed.items()))
    click.echo(f"{what}: {places or 'nothing holds the name'}")
    for place, count in sorted(report.left.items()):
        click.echo(f"left: {count} {place} (--include-external changes them too)")
    if person.needles.common:
        click.echo("the name is short, or a word of our own texts: it is taken out only where the customer's id stands")
    if person.in_source:
        click.echo(
            "the dashboard still has the customer's document: delete it there; we no longer take the name from it"
        )
