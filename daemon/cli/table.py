"""`rollup`: the rows of the analytics table."""

from datetime import datetime
from pathlib import Path

import click

from daemon import logs
from daemon.cli.common import CONFIG_OPTION, errors_as_statuses, load, opened


@click.command()
@CONFIG_OPTION
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="The day to write (default: all days owed).")
def rollup(path: Path | None, date: datetime | None) -> None:
    """Write the row of a day by hand, or all rows that are owed.

    \b
    Examples:
      chatello-analytics rollup
      chatello-analytics rollup --date 2026-11-22
    """
    with errors_as_statuses():
        loaded = load(path)
        logs.set_up(loaded.logs.model_copy(update={"file": ""}), logs.secrets_of(loaded))  # the file is the daemon's
        with opened(loaded) as database:
            from daemon.nightly import Nightly
            from rules import days

            nightly = Nightly(database, loaded)
            if date is None:
                written = nightly.catch_up(nightly.now())
                click.echo(f"{len(written)} days written: {', '.join(map(str, written)) or 'none was owed'}")
                return
            today = days.business_day(nightly.now(), loaded.time.zone)
            if date.date() > today:
                raise click.BadParameter(f"{date.date()} is still to come", param_hint="--date")
            row = nightly.write(date.date(), final=date.date() < today)
            click.echo(f"{date.date()}: {row['total_customers']} customers, MRR €{row['mrr']:.2f}")
            click.echo(row["auto_notes"] or "(no events)")
