"""`rollup`: write, check or amend rows of the analytics table."""

import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.common import CommandContext, with_context
from daemon.cli.days import DAY, Day, NoSuchDay, require_order, require_recorded

if TYPE_CHECKING:
    from daemon.diagnostics.row_audit import RowAudit, RowFinding
    from daemon.rollup.rollup import Rollup

MAX_DIFFERENCES = 20
"""Differences shown per row; further ones are only counted."""


@click.command()
@with_context
@click.option("--date", type=DAY, help="Write only this day (default: all missing days and months).")
@click.option("--from", "first", type=DAY, help="First day of a range (default: the ledger's first day).")
@click.option("--to", "last", type=DAY, help="Last day of a range (default: the last closed day).")
@click.option("--check", is_flag=True, help="Recompute the rows of the range and show the differences; writes nothing.")
@click.option("--write", is_flag=True, help="Recompute the rows of the range and amend those that differ.")
def rollup(
    context: CommandContext,
    date: Day | None,
    first: Day | None,
    last: Day | None,
    check: bool,
    write: bool,
) -> None:
    """Write the row of one day or all missing rows; check or amend the rows of a range.

    --check compares every field of the daemon byte by byte, in daily and monthly rows. The exit status is 1 if a row
    differs. Ctrl-C stops a long range and prints the command that continues it.

    \b
    Examples:
      chatello-analytics rollup
      chatello-analytics rollup --date yesterday
      chatello-analytics rollup --check
      chatello-analytics rollup --from 2026-11-26 --to yesterday --check
      chatello-analytics rollup --from 2026-11-26 --write
    """
    if check and write:
        raise click.UsageError("--check and --write exclude each other")
    if date is not None and (check or write or first or last):
        raise click.UsageError("--date writes one day; for a range use --from, --to and --check or --write")
    if (first or last) and not (check or write):
        raise click.UsageError("--from/--to need --check or --write")
    since, until, day = context.day(first), context.day(last), context.day(date)
    require_order(since, until)
    config = context.config
    from daemon.runtime import logs

    changes = {"file": "", **({"level": "warning"} if check or write else {})}  # only the daemon writes the log file
    logs.set_up(config.logs.model_copy(update=changes), logs.secrets_of(config))
    from daemon.config.active import ActiveConfig
    from daemon.diagnostics.row_audit import RowAudit
    from daemon.rollup.rollup import Rollup

    writer = Rollup(context.database, ActiveConfig(config))
    if check or write:
        _range(RowAudit(writer), since, until, write)
    elif day is None:
        _missing(writer)
    else:
        _day(writer, day)


def _missing(rollup: "Rollup") -> None:
    written = rollup.close_missing(rollup.now())
    click.echo(f"{len(written)} days written: {', '.join(map(str, written)) or 'none was missing'}")


def _day(rollup: "Rollup", day: date) -> None:
    from rules import business_days
    from rules.rows import periods

    today = business_days.business_day(rollup.now(), rollup.settings.zone)
    if day > today:
        raise click.BadParameter(f"{day} is in the future", param_hint="--date")
    require_recorded(rollup.database, periods.day(day))
    row = rollup.write(day, final=day < today)
    click.echo(f"{day}: {row['total_customers']} customers, MRR €{row['mrr']:.2f}")
    click.echo(row["auto_notes"] or "(no events)")


def _range(audit: "RowAudit", first: date | None, last: date | None, write: bool) -> None:
    from daemon.cli.progress_bar import interruptible, progress_bar
    from daemon.diagnostics.row_audit import count_rows, next_day
    from daemon.store.ledger import reader as ledger

    days = audit.closed_range(first, last)
    if days is None:
        begin = ledger.first_day(audit.database)
        raise NoSuchDay(f"no closed day in the range: the first day is {begin}, and a day closes on the next morning")
    position, total, differing = days[0], 0, 0
    verb = "--write" if write else "--check"
    with (
        interruptible(lambda: f"continue with: rollup --from {position} --to {days[1]} {verb}"),
        progress_bar("rows", count_rows(*days), "rows") as advance,
    ):
        for finding in audit.findings(*days):
            if not finding.matches:
                differing += 1
                _print(finding)
                if write:
                    audit.amend(finding)
            total += 1
            position = next_day(finding.period)
            advance(1)
    result = f"{differing} amended" if write else f"{differing} differ" if differing else "no differences"
    click.echo(f"{days[0]} to {days[1]}: {total} rows recomputed, {result}")
    if differing and not write:
        click.echo("-> run the same command with --write to amend them", err=True)
        sys.exit(1)


def _print(finding: "RowFinding") -> None:
    if finding.problem:
        click.echo(f"{finding.period}: {finding.problem}")
    for difference in finding.differences[:MAX_DIFFERENCES]:
        stored, computed = _short(difference.before), _short(difference.after)
        click.echo(f"{finding.period}: {difference.field}: stored {stored}, recomputed {computed}")
    if len(finding.differences) > MAX_DIFFERENCES:
        click.echo(f"{finding.period}: and {len(finding.differences) - MAX_DIFFERENCES} more")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:160]}… ({len(text)} characters)"
