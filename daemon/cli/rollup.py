"""`rollup`: the rows of the analytics table, written by hand, checked, or amended over a range."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.common import CONFIG_OPTION, errors_as_statuses, load, opened, require_order

if TYPE_CHECKING:
    from daemon.diagnostics.row_audit import RowAudit, RowFinding
    from daemon.rollup.rollup import Rollup

DAY = click.DateTime(["%Y-%m-%d"])
SHOWN = 20
"""Differences of one row that are told; the rest is a number."""


@click.command()
@CONFIG_OPTION
@click.option("--date", type=DAY, help="The one day to write (default: all days and months owed).")
@click.option("--from", "first", type=DAY, help="First day of a range (default: the ledger's first).")
@click.option("--to", "last", type=DAY, help="Last day of a range (default: the last one closed).")
@click.option("--check", is_flag=True, help="Make the range's rows anew and tell what differs; writes nothing.")
@click.option("--write", is_flag=True, help="Make the range's rows anew and amend those that differ.")
def rollup(
    path: Path | None, date: datetime | None, first: datetime | None, last: datetime | None, check: bool, write: bool
) -> None:
    """Write the row of a day by hand, or all rows that are owed; check or amend those of a range.

    --check compares every field of ours byte by byte, months included, and ends with status 1 if something differs.
    Ctrl-C stops a long range and says where to go on.

    \b
    Examples:
      chatello-analytics rollup
      chatello-analytics rollup --date 2026-11-22
      chatello-analytics rollup --check
      chatello-analytics rollup --from 2026-11-01 --to 2026-11-22 --check
      chatello-analytics rollup --from 2026-11-01 --write
    """
    if check and write:
        raise click.UsageError("--check and --write exclude each other")
    if date is not None and (check or write or first or last):
        raise click.UsageError("--date is one day to write; for a range say --from, --to and --check or --write")
    if (first or last) and not (check or write):
        raise click.UsageError("what is to be done with the range: --check or --write?")
    require_order(first, last)
    with errors_as_statuses():
        loaded = load(path)
        from daemon.runtime import logs

        quiet = {"file": "", **({"level": "warning"} if check or write else {})}  # the file is the daemon's
        logs.set_up(loaded.logs.model_copy(update=quiet), logs.secrets_of(loaded))
        with opened(loaded) as database:
            from daemon.diagnostics.row_audit import RowAudit
            from daemon.rollup.rollup import Rollup

            nightly = Rollup(database, loaded)
            if check or write:
                _range(RowAudit(nightly), first and first.date(), last and last.date(), write)
            elif date is None:
                _missing(nightly)
            else:
                _day(nightly, date.date())


def _missing(nightly: "Rollup") -> None:
    written = nightly.close_missing(nightly.now())
    click.echo(f"{len(written)} days written: {', '.join(map(str, written)) or 'none was owed'}")


def _day(nightly: "Rollup", day: date) -> None:
    from daemon.store.ledger import reader as ledger
    from rules import business_days

    today = business_days.business_day(nightly.now(), nightly.settings.zone)
    begin = ledger.first_day(nightly.database)
    if day > today:
        raise click.BadParameter(f"{day} is still to come", param_hint="--date")
    if begin is None or day < begin:
        raise click.BadParameter(f"{day} lies before the ledger's first day ({begin})", param_hint="--date")
    row = nightly.write(day, final=day < today)
    click.echo(f"{day}: {row['total_customers']} customers, MRR €{row['mrr']:.2f}")
    click.echo(row["auto_notes"] or "(no events)")


def _range(audit: "RowAudit", first: date | None, last: date | None, write: bool) -> None:
    from daemon.cli.progress_bar import interruptible, shown
    from daemon.diagnostics.row_audit import following, rows_in

    span = audit.span(first, last)
    if span is None:
        raise click.BadParameter("no day of this range is in the ledger and closed", param_hint="--from/--to")
    reached, seen, differing = span[0], 0, 0
    verb = "--write" if write else "--check"
    with (
        interruptible(lambda: f"go on with: rollup --from {reached} --to {span[1]} {verb}"),
        shown("rows", rows_in(*span), "rows") as advance,
    ):
        for finding in audit.findings(*span):
            if not finding.holds:
                differing += 1
                _print(finding)
                if write:
                    audit.amend(finding)
            seen += 1
            reached = following(finding.period)
            advance(1)
    told = f"{differing} amended" if write else f"{differing} differ" if differing else "all stand as they should"
    click.echo(f"{span[0]} to {span[1]}: {seen} rows made anew, {told}")
    if differing and not write:
        click.echo("-> the same with --write amends them", err=True)
        sys.exit(1)


def _print(finding: "RowFinding") -> None:
    if finding.fault:
        click.echo(f"{finding.period}: {finding.fault}")
    for difference in finding.differences[:SHOWN]:
        stored, made = _short(difference.before), _short(difference.after)
        click.echo(f"{finding.period}: {difference.field}: stored {stored}, made anew {made}")
    if len(finding.differences) > SHOWN:
        click.echo(f"{finding.period}: and {len(finding.differences) - SHOWN} more")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:160]}… ({len(text)} characters)"
