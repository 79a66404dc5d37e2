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
                written = nightly.catch_up(clock.now())
                click.echo(f"{len(written)} days written: {', '.join(map(str, written)) or 'none was owed'}")
                return
            today = days.business_day(clock.now(), loaded.time.zone)
            if date.date() > today:
                raise click.BadParameter(f"{date.date()} is still to come", param_hint="--date")
            row = nightly.write(date.date(), final=date.date() < today)
            click.echo(f"{date.date()}: {row['total_customers']} customers, MRR €{row['mrr']:.2f}")
            click.echo(row["auto_notes"] or "(no events)")


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
