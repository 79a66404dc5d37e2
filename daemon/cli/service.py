"""`run`, `check`, `demo`: run the daemon, check its environment, demonstrate it."""

import faulthandler
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from daemon import clock
from daemon.cli.common import CommandContext, with_context


@click.command()
@with_context
def run(context: CommandContext) -> None:
    """Run the daemon until SIGTERM.

    \b
    Example:
      chatello-analytics run --config /etc/chatello-analytics/config.toml
    """
    with _without_garbage_collection():
        config = context.config
        from daemon.runtime import logs

        logs.set_up(config.logs, logs.secrets_of(config))
        from daemon.app import Daemon

    faulthandler.enable()  # on the watchdog's SIGABRT the stack of every thread is written to the journal
    Daemon(config, context.path).run()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector while modules are loaded (a seventh of the load time) and freeze what is loaded."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@click.command()
@with_context
@click.option("--offline", is_flag=True, help="Check only the configuration, without connecting to the database.")
def check(context: CommandContext, offline: bool) -> None:
    """Check the configuration and the database; print a fix for each problem found.

    The exit status is 1 if there is a problem.

    \b
    Examples:
      MONGODB_URI=mongodb://127.0.0.1:27017 chatello-analytics check
      chatello-analytics check --offline --config changed.toml
    """
    config = context.config
    click.echo(f"ok    configuration: zone {config.time.zone}, rollup at {config.time.rollup_at:%H:%M}")
    if offline:
        return
    from daemon.diagnostics import preflight

    failed = False
    prunes_ledger = config.retention.ledger_days > 0
    for result in preflight.run_checks(context.database, config.rules.custom, prunes_ledger=prunes_ledger):
        failed |= bool(result.hint)
        click.echo(f"{'FIX' if result.hint else 'ok':4}  {result.subject}: {result.found}")
        if result.hint:
            click.echo(f"      -> {result.hint}")
    sys.exit(1 if failed else 0)


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop after this time (default: at Ctrl-C).")
@click.option("--seed", type=int, help="Seed of the simulated shop; the same seed creates the same shop.")
def demo(seconds: float | None, seed: int | None) -> None:
    """Demonstrate the daemon with a simulated dashboard on a temporary MongoDB server; no other server is used.

    \b
    Example:
      chatello-analytics demo --seconds 20
    """
    from daemon.demo.demo import run_demo
    from daemon.demo.embedded_mongo import EmbeddedUnavailable

    try:
        run_demo(seconds, seed, clock.now())
    except EmbeddedUnavailable as problem:
        click.echo(f"chatello-analytics: {problem}", err=True)
        sys.exit(1)
