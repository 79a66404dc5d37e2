"""`rules`: list the active rules, and preview changed ones on past days."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

import click

from daemon.cli.common import CommandContext, with_context
from daemon.cli.days import DAY, Day

if TYPE_CHECKING:
    from daemon.diagnostics.rule_preview import DayPreview

WEEK = timedelta(days=6)
"""From the first to the last day of a week."""


@click.group()
def rules() -> None:
    """List the active rules, or preview changed ones on past days."""


@rules.command()
@with_context
def explain(context: CommandContext) -> None:
    """List the active rules with their thresholds.

    \b
    Examples:
      chatello-analytics rules explain
      chatello-analytics rules explain --config changed.toml
    """
    settings = context.config.settings()
    from rules.settings.describe import describe

    for section, lines in describe(settings):
        click.secho(section, bold=True)
        for name, text in lines:
            click.echo(f"  {name:26} {text}")


@rules.command()
@with_context
@click.option("--from", "first", type=DAY, help="First day (default: six days before the last day).")
@click.option("--to", "last", type=DAY, help="Last day (default: the last closed day).")
@click.option("--all", "everything", is_flag=True, help="Also show days without a difference.")
def preview(context: CommandContext, first: Day | None, last: Day | None, everything: bool) -> None:
    """Show the notes and events that a configuration would have created on past days; writes nothing.

    \b
    Examples:
      chatello-analytics rules preview --config changed.toml
      chatello-analytics rules preview --from 2026-11-26 --to yesterday --all
    """
    config, database = context.config, context.database
    from daemon.config.active import ActiveConfig
    from daemon.diagnostics.rule_preview import RulePreview
    from daemon.rollup.rollup import Rollup
    from daemon.source import custom_rules
    from rules import business_days

    custom_rules.validate(database, config.rules.custom)
    now = Rollup(database, ActiveConfig(config)).now()
    closed = business_days.last_closed(now, config.time.rollup_at, config.time.zone)
    until = min(context.day(last) or closed, closed)
    since = context.day(first) or max(until, date.min + WEEK) - WEEK
    if since > until:
        raise click.BadParameter(f"{since} is not closed yet or is after --to", param_hint="--from")
    _show(list(RulePreview(database, config).days(since, until)), everything, since, until)


def _show(found: "list[DayPreview]", everything: bool, first: date, last: date) -> None:
    differing = [day for day in found if day.differs]
    for day in found if everything else differing:
        _show_day(day)
    counts = [sum(len(getattr(day, name)) for day in found) for name in ("added", "removed", "changed")]
    click.echo(f"{first} to {last}: {len(found)} days in the ledger, {len(differing)} would differ")
    click.echo("{} events added, {} removed, {} reworded".format(*counts))


def _show_day(day: "DayPreview") -> None:
    click.secho(str(day.day), bold=True)
    if day.events_deleted:
        click.echo("  its events were deleted: the note is kept")
    click.echo(f"  note    {day.note or '(none)'}")
    if day.note != (day.stored or ""):
        click.echo(f"  stored  {'(no row)' if day.stored is None else day.stored or '(none)'}")
    for text in day.added:
        click.secho(f"  + {text}", fg="green")
    for text in day.removed:
        click.secho(f"  - {text}", fg="red")
    for old, new in day.changed:
        click.secho(f"  ~ {old} -> {new}", fg="yellow")
