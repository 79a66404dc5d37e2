"""The command line: `chatello-analytics COMMAND`. Turns options into calls and errors into exit statuses."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from daemon import clock, config, logs
from daemon.config import Config
from daemon.errors import ChatelloError

Document = dict[str, Any]

CONFIG_OPTION = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Configuration file (default {config.DEFAULT_PATH} if it is there).",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="chatello-analytics")
def main() -> None:
    """Keeps Chatello's analytics table true, beside the dashboard.

    \b
    Examples:
      chatello-analytics check
      MONGODB_URI=mongodb://127.0.0.1:27017 chatello-analytics run
      chatello-analytics rollup --date 2026-11-22
    """


@main.command()
@CONFIG_OPTION
def run(path: Path | None) -> None:
    """Run the daemon until SIGTERM.

    \b
    Example:
      chatello-analytics run --config /etc/chatello-analytics/config.toml
    """
    with errors_as_statuses():
        loaded = load(path)
        logs.set_up(loaded.logs)
        from daemon.app import Daemon

        Daemon(loaded).run()


@main.command()
@CONFIG_OPTION
def check(path: Path | None) -> None:
    """Tell in plain words whether everything is as needed, and how to mend what is not.

    \b
    Example:
      MONGODB_URI=mongodb://127.0.0.1:27017 chatello-analytics check
    """
    with errors_as_statuses():
        loaded = load(path)
        click.echo(f"ok       configuration: zone {loaded.time.zone}, rollup at {loaded.time.rollup_at:%H:%M}")
        with opened(loaded) as database:
            from daemon import readiness

            bad = False
            for finding in readiness.findings(database):
                bad |= bool(finding.cure)
                click.echo(f"{'look at' if finding.cure else 'ok     '}  {finding.what}: {finding.found}")
                if finding.cure:
                    click.echo(f"         -> {finding.cure}")
        sys.exit(1 if bad else 0)


@main.command()
@CONFIG_OPTION
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="The day to write (default: all days owed).")
def rollup(path: Path | None, date: datetime | None) -> None:
    """Write the row of a day by hand, or all rows that are owed.

    \b
    Examples:
      chatello-analytics rollup
      chatello-analytics rollup --date 2026-11-22
    """
    with errors_as_statuses():
        loaded = load(path)
        logs.set_up(loaded.logs)
        with opened(loaded) as database:
            from daemon.nightly import Nightly
            from rules import days

            nightly = Nightly(database, loaded)
            if date is None:
                written = nightly.catch_up(nightly.now())
                click.echo(f"{len(written)} days written: {', '.join(map(str, written)) or 'none was owed'}")
                return
            today = days.business_day(nightly.now(), loaded.time.zone)
            if date.date() > today:
                raise click.BadParameter(f"{date.date()} is still to come", param_hint="--date")
            row = nightly.write(date.date(), final=date.date() < today)
            click.echo(f"{date.date()}: {row['total_customers']} customers, MRR €{row['mrr']:.2f}")
            click.echo(row["auto_notes"] or "(no events)")


@main.command()
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
            from daemon.proof import Proof

            proof = Proof(database, loaded)
            verdict = proof.numbers()
            for name, number in verdict.totals.items():
                click.echo(f"{name:18} {number}")
            mismatches = verdict.mismatches + (proof.documents() if documents else [])
        for mismatch in mismatches:
            click.echo(f"differs: {mismatch}", err=True)
        if mismatches:
            click.echo("-> chatello-analytics reconcile --dry-run shows what a repair would do", err=True)
            sys.exit(1)
        click.echo("proved: ledger, running totals and source agree")


@main.command()
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
            from daemon import reconciliation
            from daemon.store import gaps

            if dry_run:
                found = reconciliation.survey(database, loaded)
                for line in found or ["nothing differs"]:
                    click.echo(line)
            elif accept_deletions:
                waits = gaps.accept_deletions(database)
                click.echo("accepted; the daemon goes on within seconds" if waits else "no gap waits for that")
            else:
                gaps.open_gap(database, "requested", "asked for on the command line", None, clock.now())
                click.echo("asked for; the daemon takes it up within seconds (or when it starts)")


@main.group("dead-letters")
def dead_letters() -> None:
    """The documents held because they could not be understood."""


@dead_letters.command("list")
@CONFIG_OPTION
def list_letters(path: Path | None) -> None:
    """List them, the longest held first.

    \b
    Example:
      chatello-analytics dead-letters list
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.store import letters
            from rules.names import one_line

            for letter in letters.held(database):
                where = f"{letter['_id']['k']} {letter['_id']['id']}"
                click.echo(f"{letter['first_at']:%Y-%m-%d %H:%M}  {where}  {one_line(letter['reason'])}")


@dead_letters.command("retry")
@CONFIG_OPTION
def retry_letters(path: Path | None) -> None:
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


@main.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after this time (default: Ctrl-C).")
@click.option("--seed", type=int, help="The same seed makes the same shop.")
def demo(seconds: float | None, seed: int | None) -> None:
    """Show the main job on a throw-away MongoDB of its own; touches no other server.

    \b
    Example:
      chatello-analytics demo --seconds 20
    """
    from daemon import demo as stage
    from daemon.embedded import EmbeddedUnavailable

    try:
        stage.play(seconds, seed, clock.now())
    except EmbeddedUnavailable as problem:
        click.echo(f"chatello-analytics: {problem}", err=True)
        sys.exit(1)


def load(path: Path | None) -> Config:
    return config.load(path, os.environ)


@contextmanager
def opened(loaded: Config) -> Iterator[Any]:
    """The configured database for one command."""
    from daemon import connection

    with connection.connect(loaded.mongodb) as client:
        yield connection.database(client, loaded.mongodb)


@contextmanager
def errors_as_statuses() -> Iterator[None]:
    """One clear sentence on stderr and the error's exit status, instead of a traceback."""
    try:
        yield
    except ChatelloError as error:
        click.echo(f"chatello-analytics: {error}", err=True)
        sys.exit(error.exit_status)
