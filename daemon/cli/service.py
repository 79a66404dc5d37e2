"""`run`, `check`, `demo`: run the daemon, check its environment, demonstrate it."""

import faulthandler
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon import clock
from daemon.cli.common import CommandContext, with_context
from daemon.config import paths
from daemon.errors import ChatelloError

if TYPE_CHECKING:
    from daemon.config.schema import Http
    from daemon.runtime.check_result import CheckResult


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
        from daemon.config import target_secrets
        from daemon.runtime import logs

        target_secrets.require(config, context.path or paths.CONFIGURATION)
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
    click.echo(f"ok      configuration: zone {config.time.zone}, rollup at {config.time.rollup_at:%H:%M}")
    if offline:
        return
    results = []
    for result in _checks(context):
        _print(result)
        results.append(result)
    sys.exit(1 if any(result.hint for result in results) else 0)


def _checks(context: CommandContext) -> "Iterator[CheckResult]":
    from daemon.diagnostics import preflight

    config, path = context.config, context.path or paths.CONFIGURATION
    yield _check_port(config.http, path)
    yield from preflight.check_targets(config, path)
    yield from preflight.run_checks(
        context.unchecked_database, config.rules.custom, preflight.required_privileges(config)
    )


def _print(result: "CheckResult") -> None:
    click.echo(f"{'PROBLEM' if result.hint else 'ok':7} {result.subject}: {result.found}")
    if result.hint:
        click.echo(f"        -> {result.hint}")


def _check_port(config: "Http", configuration: Path) -> "CheckResult":
    """Check that the HTTP server can listen, or that the service already does."""
    from daemon.runtime import port_use
    from daemon.runtime.check_result import CheckResult
    from daemon.web import listener

    subject = f"port {config.port}"
    if port_use.is_used_by_service(config.port, configuration):
        return CheckResult(subject, "used by the running service")
    try:
        listener.listen(config).close()
    except ChatelloError as problem:
        return CheckResult(subject, "not usable", str(problem))
    return CheckResult(subject, f"free on {config.host}")


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
