"""`backfill`: the years before the daemon."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli.common import CONFIG_OPTION, errors_as_statuses, load, opened, require_order
from daemon.cli.progress_bar import interruptible, shown

if TYPE_CHECKING:
    from daemon.backfill.backfill import Backfill, BackfillPlan

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@CONFIG_OPTION
@click.option("--from", "first", type=DAY, help="First day (default: the oldest document's).")
@click.option("--to", "last", type=DAY, help="Last day (default: the one before the daemon began).")
@click.option("--overwrite-dashboard", is_flag=True, help="Also replace the numbers of rows the dashboard wrote.")
@click.option("--again", is_flag=True, help="Also compute anew what was reconstructed before.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be written.")
def backfill(
    path: Path | None,
    first: datetime | None,
    last: datetime | None,
    overwrite_dashboard: bool,
    again: bool,
    dry_run: bool,
) -> None:
    """Give the years before the daemon their rows, from the documents' own dates.

    Each is marked `reconstructed`, with what could not be known. Measured rows and notes that people wrote stay as they
    are, the dashboard's rows too unless asked. Stopped by Ctrl-C, the same command goes on.

    \b
    Examples:
      chatello-analytics backfill --dry-run
      chatello-analytics backfill
      chatello-analytics backfill --from 2024-01-01 --overwrite-dashboard
    """
    require_order(first, last)
    with errors_as_statuses(), interruptible("the same command goes on where it stopped"):
        loaded = load(path)
        with opened(loaded) as database:
            from daemon.backfill.backfill import Backfill

            past = Backfill(database, loaded)
            outlook = past.plan(first.date() if first else None, last.date() if last else None)
            _print_plan(outlook)
            if dry_run:
                _preview(past, outlook, overwrite_dashboard=overwrite_dashboard, again=again)
                return
            with shown("days", sum(stretch.days for stretch, _ in outlook.stretches), "days") as advance:
                written = past.write(outlook, over_dashboard=overwrite_dashboard, again=again, advance=advance)
            click.echo(f"{sum(stretch.days for stretch in written)} days computed in {len(written)} steps")


def _print_plan(outlook: "BackfillPlan") -> None:
    for what, count in outlook.unusable.items():
        click.echo(f"{count} {what.replace('_', ' ')}: they count on no day", err=True)
    if not outlook.stretches:
        click.echo("no day before the daemon has a document that tells of it")


def _preview(past: "Backfill", outlook: "BackfillPlan", *, overwrite_dashboard: bool, again: bool) -> None:
    from daemon.backfill.backfill import is_done

    for stretch, standing in outlook.stretches:
        kept = standing["measured"] + (0 if overwrite_dashboard else standing["dashboard"])
        done = not again and is_done(stretch, standing, over_dashboard=overwrite_dashboard)
        what = "done already" if done else f"{stretch.days - kept} days to write, {kept} rows kept"
        click.echo(f"{stretch.first} to {stretch.last}: {what}")
    if outlook.stretches:
        row = past.preview(outlook.stretches[-1][0].last, outlook)
        click.echo(
            f"at the end {row['total_customers']} customers, {row['paying_customers']} paying, MRR €{row['mrr']:.2f}"
        )
