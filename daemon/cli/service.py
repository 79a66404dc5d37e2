"""`run`, `check`, `demo`: the daemon itself, whether it could run here, and a show of it."""

import faulthandler
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from daemon import clock
from daemon.cli.common import CONFIG_OPTION, errors_as_statuses, load, opened


@click.command()
@CONFIG_OPTION
def run(path: Path | None) -> None:
    """Run the daemon until SIGTERM.

    \b
    Example:
      chatello-analytics run --config /etc/chatello-analytics/config.toml
    """
    with errors_as_statuses():
        with _loading():
            loaded = load(path)
            from daemon.runtime import logs

            logs.set_up(loaded.logs, logs.secrets_of(loaded))
            from daemon.app import Daemon

        faulthandler.enable()  # the watchdog's SIGABRT then tells in the journal where every thread stood
        Daemon(loaded, path).run()


@contextmanager
def _loading() -> Iterator[None]:
    """Keep the garbage collector from walking modules while they are loaded, a seventh of that time: they stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@click.command()
@CONFIG_OPTION
@click.option("--offline", is_flag=True, help="Look at the configuration only, ask no database.")
def check(path: Path | None, *, offline: bool) -> None:
    """Tell in plain words whether everything is as needed, and how to mend what is not.

    \b
    Examples:
      MONGODB_URI=mongodb://127.0.0.1:27017 chatello-analytics check
      chatello-analytics check --offline --config changed.toml
    """
    with errors_as_statuses():
        loaded = load(path)
        click.echo(f"ok       configuration: zone {loaded.time.zone}, rollup at {loaded.time.rollup_at:%H:%M}")
        if offline:
            return
        with opened(loaded) as database:
            from daemon.diagnostics import preflight

            bad = False
            lets_go = loaded.retention.ledger_days > 0
            for finding in preflight.findings(database, loaded.rules.custom, lets_go=lets_go):
                bad |= bool(finding.cure)
                click.echo(f"{'look at' if finding.cure else 'ok     '}  {finding.what}: {finding.found}")
                if finding.cure:
                    click.echo(f"         -> {finding.cure}")
        sys.exit(1 if bad else 0)


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after this time (default: Ctrl-C).")
@click.option("--seed", type=int, help="The same seed makes the same shop.")
def demo(seconds: float | None, seed: int | None) -> None:
    """Show the main job on a throw-away MongoDB of its own; touches no other server.

    \b
    Example:
      chatello-analytics demo --seconds 20
    """
    from daemon.demo import demo as stage
    from daemon.demo.embedded_mongo import EmbeddedUnavailable

    try:
        stage.play(seconds, seed, clock.now())
    except EmbeddedUnavailable as problem:
        click.echo(f"chatello-analytics: {problem}", err=True)
        sys.exit(1)
