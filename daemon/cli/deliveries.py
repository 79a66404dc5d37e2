"""`deliveries`: state of the targets, and pausing, resuming, repeating and testing them."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from daemon import clock
from daemon.cli.common import CommandContext, with_context
from daemon.cli.days import DAY, Day
from daemon.config import paths
from daemon.errors import EXIT_FAILURE, ConfigurationError

if TYPE_CHECKING:
    from daemon.delivery.target_store import TargetRecord

NEVER = "never"
NOT_STARTED = "not started yet; the daemon begins with the first fact after its next start"
ATTEMPTS = 10
"""Attempts to change a record that the daemon changes at the same time."""


@click.group(invoke_without_command=True)
@click.pass_context
def deliveries(context: click.Context) -> None:
    """Show and control the deliveries to webhooks and people.

    \b
    Examples:
      chatello-analytics deliveries
      chatello-analytics deliveries test telegram
      chatello-analytics deliveries replay n8n --since 2026-11-20 --dry-run
    """
    if context.invoked_subcommand is None:
        context.invoke(list_targets)


@deliveries.command("list")
@with_context
def list_targets(context: CommandContext) -> None:
    """Show each target: state, what waits, the last success and the last problem.

    \b
    Example:
      chatello-analytics deliveries list
    """
    from daemon.delivery import target_store

    names = _names(context)
    for name in names:
        record = target_store.load(context.database, name)
        click.echo(f"{name}: {_summary(context, record) if record else NOT_STARTED}")
    if not names:
        click.echo("none: no [webhooks.NAME] or [notify.NAME] in the configuration")


def _summary(context: CommandContext, record: "TargetRecord") -> str:
    from daemon.delivery import backlog

    waiting, oldest = backlog.of(context.database, record)
    return ", ".join(
        (
            record.target.state.value,
            f"{waiting} commits wait" + (f" since {_local(context, oldest)}" if oldest else ""),
            f"last success {_local(context, record.target.last_success_at)}",
            *([f"{len(record.parked)} parked"] if record.parked else ()),
            *([f"problem: {record.target.last_error}"] if record.target.last_error else ()),
        )
    )


@deliveries.command("show")
@click.argument("name")
@with_context
def show(context: CommandContext, name: str) -> None:
    """Show one target in detail, with its parked messages.

    \b
    Example:
      chatello-analytics deliveries show n8n
    """
    from daemon.delivery import backlog

    record = _record(context, name)
    target = record.target
    waiting, oldest = backlog.of(context.database, record)
    for title, value in (
        ("state", f"{target.state.value} since {_local(context, target.since)}"),
        ("waiting", f"{waiting} commits"),
        ("oldest", _local(context, oldest) if oldest else "none"),
        ("last success", _local(context, target.last_success_at)),
        ("failures in a row", target.attempts),
        ("next attempt", _local(context, target.next_attempt_at) if target.next_attempt_at else "with the next fact"),
        ("last problem", target.last_error or "none"),
        ("parked", len(record.parked)),
    ):
        click.echo(f"{title:18} {value}")
    for parked in record.parked:
        click.echo(f"  {parked.id}  refused with {parked.status} {_local(context, parked.at)}")


@deliveries.command("pause")
@click.argument("name")
@with_context
def pause(context: CommandContext, name: str) -> None:
    """Stop sending to a target; its messages wait.

    \b
    Example:
      chatello-analytics deliveries pause n8n
    """
    from daemon.delivery import schedule

    _change(context, name, lambda record: record._replace(target=schedule.pause(record.target, clock.now())))
    click.echo(f"{name}: paused; what is committed waits, at most {context.config.delivery.keep_days} days")


@deliveries.command("resume")
@click.argument("name")
@with_context
def resume(context: CommandContext, name: str) -> None:
    """Send again to a target that is paused or disabled, beginning with what waits.

    \b
    Example:
      chatello-analytics deliveries resume n8n
    """
    from daemon.delivery import schedule

    _change(context, name, lambda record: record._replace(target=schedule.resume(record.target, clock.now())))
    click.echo(f"{name}: active; the daemon sends what waits within half a minute")


@deliveries.command("retry")
@click.argument("name")
@with_context
def retry(context: CommandContext, name: str) -> None:
    """Try now instead of at the next attempt, and send parked messages again.

    \b
    Example:
      chatello-analytics deliveries retry n8n
    """
    from daemon.delivery import schedule

    changed = _change(
        context,
        name,
        lambda record: record._replace(
            target=schedule.retry(record.target), resent=(*record.resent, *record.parked), parked=()
        ),
    )
    click.echo(f"{name}: tried {_when(changed)}, with {len(changed.resent)} parked messages")


@deliveries.command("replay")
@click.argument("name")
@click.option("--since", type=DAY, required=True, help="First day that is sent again: YYYY-MM-DD.")
@click.option("--dry-run", is_flag=True, help="Only count the commits that would be sent again.")
@with_context
def replay(context: CommandContext, name: str, since: Day, dry_run: bool) -> None:
    """Send everything since a day again; receivers recognize repetitions by their ids.

    A person receives the messages that are sent at once again, but no message of a past morning.

    \b
    Example:
      chatello-analytics deliveries replay n8n --since 2026-11-20 --dry-run
    """
    from daemon.store import outbox
    from rules import business_days

    record = _record(context, name)
    start = business_days.start(context.day(since), context.config.time.zone)
    position = outbox.position_before(context.database, start)
    count = outbox.count(context.database, min(position, record.position))
    if dry_run:
        click.echo(f"{name}: {count} commits would be sent, with those that wait")
        return
    changed = _change(context, name, lambda record: record._replace(position=min(position, record.position)))
    click.echo(f"{name}: {count} commits are sent, with those that wait, beginning {_when(changed)}")


@deliveries.command("test")
@click.argument("name")
@with_context
def test(context: CommandContext, name: str) -> None:
    """Send one marked test message now and print the answer; status 0 if it was accepted, else 1.

    \b
    Example:
      chatello-analytics deliveries test telegram
    """
    from daemon.config import target_secrets
    from daemon.delivery import sample_message
    from daemon.delivery.channels.outcome import OutcomeKind

    _require_configured(context, name)
    target_secrets.require(context.config, context.path or paths.CONFIGURATION, name)
    outcome = sample_message.send(context.config, name)
    answer = " ".join(str(part) for part in (outcome.status, outcome.answer) if part)
    if outcome.kind is OutcomeKind.DELIVERED:
        click.echo(f"{name}: accepted" + (f", answer: {answer}" if answer else ""))
        return
    click.echo(f"{name}: not accepted: {outcome.problem}" + (f", answer: {answer}" if answer else ""), err=True)
    sys.exit(EXIT_FAILURE)


def _names(context: CommandContext) -> list[str]:
    return [*context.config.webhooks, *context.config.notify]


def _require_configured(context: CommandContext, name: str) -> None:
    if name not in _names(context):
        known = ", ".join(_names(context)) or "none"
        raise ConfigurationError(f"no target {name!r} in the configuration; configured targets: {known}")


def _record(context: CommandContext, name: str) -> "TargetRecord":
    from daemon.delivery import target_store

    _require_configured(context, name)
    record = target_store.load(context.database, name)
    if record is None:
        raise ConfigurationError(f"target {name!r} has not started yet; start the daemon with this configuration once")
    return record


def _change(context: CommandContext, name: str, change: "Callable[[TargetRecord], TargetRecord]") -> "TargetRecord":
    """Change a record; again if the daemon changed it in the meantime."""
    from daemon.delivery import target_store

    for attempt in range(ATTEMPTS):
        try:
            return target_store.save(context.database, change(_record(context, name)))
        except target_store.Changed:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _when(record: "TargetRecord") -> str:
    """Return when the daemon sends what was just made due."""
    state = record.target.state.value
    return "within half a minute" if record.target.is_sending else f"once it is resumed; it is {state} now"


def _local(context: CommandContext, at: datetime | None) -> str:
    return f"{at.astimezone(context.config.time.zone):%Y-%m-%d %H:%M %Z}" if at else NEVER
