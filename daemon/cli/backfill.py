"""`backfill`: rows for the time before the daemon."""

from typing import TYPE_CHECKING

import click

from daemon.cli.common import CommandContext, with_context
from daemon.cli.days import DAY, Day, require_order
from daemon.cli.progress_bar import interruptible, progress_bar

if TYPE_CHECKING:
    from daemon.backfill.backfill import Backfill, BackfillPlan


@click.command()
@with_context
@click.option("--from", "first", type=DAY, help="First day (default: the day of the oldest document).")
@click.option("--to", "last", type=DAY, help="Last day (default: the day before the ledger begins).")
@click.option("--overwrite-dashboard", is_flag=True, help="Also replace the numbers of rows written by the dashboard.")
@click.option("--again", is_flag=True, help="Also recompute rows that are already reconstructed.")
@click.option("--dry-run", is_flag=True, help="Show what would be written without writing it.")
def backfill(
    context: CommandContext,
    first: Day | None,
    last: Day | None,
    overwrite_dashboard: bool,
    again: bool,
    dry_run: bool,
) -> None:
    """Create rows for the time before the daemon from the dates in the documents.

    Each row is marked `reconstructed` and lists what is unknown. Measured rows and manually edited notes are kept; rows
    of the dashboard are kept without --overwrite-dashboard. After Ctrl-C, run the same command again to continue.

    \b
    Examples:
      chatello-analytics backfill --dry-run
      chatello-analytics backfill
      chatello-analytics backfill --from 2024-01-01 --overwrite-dashboard
    """
    since, until = context.day(first), context.day(last)
    require_order(since, until)
    with interruptible("run the same command again to continue"):
        from daemon.backfill.backfill import Backfill

        job = Backfill(context.database, context.config)
        plan = job.plan(since, until)
        _print_plan(plan)
        if dry_run:
            _preview(job, plan, overwrite_dashboard=overwrite_dashboard, again=again)
            return
        with progress_bar("days", sum(days.days for days, _ in plan.ranges), "days") as advance:
            written = job.write(plan, over_dashboard=overwrite_dashboard, again=again, advance=advance)
        click.echo(f"{sum(days.days for days in written)} days computed in {len(written)} steps")


def _print_plan(plan: "BackfillPlan") -> None:
    for problem, count in plan.unusable.items():
        click.echo(f"{count} {problem.replace('_', ' ')}: not counted on any day", err=True)
    if not plan.ranges:
        click.echo("no document is dated before the ledger begins")


def _preview(job: "Backfill", plan: "BackfillPlan", *, overwrite_dashboard: bool, again: bool) -> None:
    from daemon.backfill.backfill import is_done

    for days, existing in plan.ranges:
        kept = existing["measured"] + (0 if overwrite_dashboard else existing["dashboard"])
        done = not again and is_done(days, existing, over_dashboard=overwrite_dashboard)
        status = "already done" if done else f"{days.days - kept} days to write, {kept} rows kept"
        click.echo(f"{days.first} to {days.last}: {status}")
    if plan.ranges:
        row = job.preview(plan.ranges[-1][0].last, plan)
        click.echo(
            f"at the end: {row['total_customers']} customers, {row['paying_customers']} paying, MRR €{row['mrr']:.2f}"
        )
