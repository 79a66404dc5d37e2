"""`rules`: what the rules in force are, and what other ones would have said."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli.common import CONFIG_OPTION, errors_as_statuses, load, opened

if TYPE_CHECKING:
    from daemon.diagnostics.rule_preview import DayPreview


WEEK = timedelta(days=6)
"""From a week's first day to its last."""


@click.group()
def rules() -> None:
    """What the rules say, and what others would have said."""


@rules.command()
@CONFIG_OPTION
def explain(path: Path | None) -> None:
    """List the rules in force with their thresholds.

    \b
    Examples:
      chatello-analytics rules explain
      chatello-analytics rules explain --config changed.toml
    """
    with errors_as_statuses():
        settings = load(path).settings()
        from rules.settings.describe import explanation

        for section, lines in explanation(settings):
            click.secho(section, bold=True)
            for name, text in lines:
                click.echo(f"  {name:26} {text}")


@rules.command()
@CONFIG_OPTION
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day (default: a week ago).")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day (default: the last one closed).")
@click.option("--all", "everything", is_flag=True, help="Show days without a difference too.")
def preview(path: Path | None, first: datetime | None, last: datetime | None, everything: bool) -> None:
    """Show what notes and events a configuration would have made of past days; writes nothing.

    \b
    Examples:
      chatello-analytics rules preview --config changed.toml
      chatello-analytics rules preview --from 2026-11-01 --to 2026-11-22 --all
    """
    with errors_as_statuses():
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.diagnostics.rule_preview import Preview
            from daemon.rollup.rollup import Rollup
            from daemon.source import custom_rules
            from rules import business_days

            custom_rules.require(database, loaded.rules.custom)
            closed = business_days.last_closed(Rollup(database, loaded).now(), loaded.time.rollup_at, loaded.time.zone)
            until = min(last.date(), closed) if last else closed
            since = first.date() if first else max(until, date.min + WEEK) - WEEK
            if since > until:
                raise click.BadParameter(f"{since} is not over yet, or behind --to", param_hint="--from")
            _show(list(Preview(database, loaded).of(since, until)), everything, since, until)


def _show(found: "list[DayPreview]", everything: bool, first: date, last: date) -> None:
    differing = [day for day in found if day.differs]
    for day in found if everything else differing:
        _show_day(day)
    counts = [sum(len(getattr(day, name)) for day in found) for name in ("added", "removed", "changed")]
    click.echo(f"{first} to {last}: {len(found)} days in the ledger, {len(differing)} of them would differ")
    click.echo("{} events more, {} fewer, {} in other words".format(*counts))


def _show_day(day: "DayPreview") -> None:
    click.secho(str(day.day), bold=True)
    if day.gone:
        click.echo("  its events were deleted: the note stays")
    click.echo(f"  note    {day.note or '(none)'}")
    if day.note != (day.stored or ""):
        click.echo(f"  stored  {'(no row)' if day.stored is None else day.stored or '(none)'}")
    for text in day.added:
        click.secho(f"  + {text}", fg="green")
    for text in day.removed:
        click.secho(f"  - {text}", fg="red")
    for old, new in day.changed:
        click.secho(f"  ~ {old} -> {new}", fg="yellow")
