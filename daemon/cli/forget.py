"""`forget`: remove a customer's name from all analytics data."""

import sys
from typing import TYPE_CHECKING

import click

from daemon import clock
from daemon.cli.common import TEXT, CommandContext, with_context
from daemon.cli.progress_bar import interruptible, progress_bar
from rules.text import one_line

if TYPE_CHECKING:
    from daemon.privacy.forget import ForgetReport
    from daemon.privacy.redaction import Subject

EXTERNAL_TEXTS = ("events of the dashboard", "rows of the dashboard", "notes that a person wrote")


@click.command(context_settings={"ignore_unknown_options": True})
@with_context
@click.argument("customer", type=TEXT)
@click.option(
    "--also",
    multiple=True,
    type=TEXT,
    metavar="TEXT",
    help="Additional text that identifies the person; may be repeated.",
)
@click.option("--include-external", is_flag=True, help="Also redact the dashboard's events and manually edited notes.")
@click.option("--dry-run", is_flag=True, help="Show what would be changed without changing it.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def forget(
    context: CommandContext, customer: str, also: tuple[str, ...], include_external: bool, dry_run: bool, yes: bool
) -> None:
    """Redact the name and e-mail of a customer in events, notes, mirror, dead letters and the log file.

    CUSTOMER is an id, as an export shows it, or an e-mail address. Totals and movements are kept, and verified
    afterwards. The exit status is 1 if a text still contains the name. The command is safe while the daemon runs, and
    can be repeated. It does not change the dashboard's customers: delete the customer there.

    \b
    Examples:
      chatello-analytics forget mario.rossi@example.it --dry-run
      chatello-analytics forget 65f0c0ffee65f0c0ffee65f0 --include-external
      chatello-analytics forget 65f0c0ffee65f0c0ffee65f0 --also "M. Rossi" --yes
    """
    with interruptible("run the same command again to complete it"):
        from daemon.mongo.id_text import shown_id
        from daemon.privacy.forget import ForgetRequest

        request = ForgetRequest(context.database, context.config, include_external=include_external)
        subject = request.find_subject(customer, also)
        if dry_run or not yes:
            with progress_bar("searching", request.count_documents(), "documents") as advance:
                found = request.survey(subject, advance)
            _print_report("to change", found, subject)
        if dry_run:
            return
        if not yes:
            click.confirm(f"Forget the customer {shown_id(subject.id)}? This cannot be undone", abort=True)
        with progress_bar("redacting", request.count_documents(), "documents") as advance:
            report = request.execute(subject, clock.now(), advance)
        _print_report("changed", report, subject)
        for mismatch in report.mismatches:
            click.echo(f"mismatch: {one_line(mismatch)}", err=True)
        if report.remaining:
            click.echo("incomplete: the texts listed above still contain the name", err=True)
        if not report.is_complete:
            sys.exit(1)
        click.echo("verified: no event, row, dead letter, gap or log line contains the name")
        click.echo("verified: ledger and totals are unchanged")


def _print_report(action: str, report: "ForgetReport", subject: "Subject") -> None:
    counts = ", ".join(f"{count} in {place}" for place, count in sorted(report.changed.items()))
    click.echo(f"{action}: {counts or 'no document contains the name'}")
    for kind, count in sorted(report.remaining.items()):
        hint = " (--include-external redacts them too)" if kind in EXTERNAL_TEXTS else ""
        click.echo(f"not changed: {count} {kind}{hint}")
    for target, count in sorted(report.sent.items()):
        click.echo(f"sent before: {count} facts with the name to {target}; its receiver has to delete them")
    if subject.name_patterns.common:
        click.echo(
            "the name is short or a word of the catalog texts: it is redacted only in documents with the customer's id"
        )
    if subject.in_source:
        click.echo(
            "the dashboard's database still contains the customer: delete the customer in the dashboard; "
            "the daemon no longer copies the name from it"
        )
