"""Command line `chatello-analytics COMMAND`: one module for each group of commands.

Commands import what they need inside their functions, so that `--help` answers at once.
"""

import io
import sys

import click

from daemon.cli import (
    backfill,
    customer,
    dead_letters,
    deliveries,
    events,
    explain,
    export,
    forget,
    rollup,
    rules,
    sample_events,
    service,
    verify,
)
from daemon.cli.common import Program
from daemon.runtime.terminal import has_colors


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="chatello-analytics")
@click.pass_context
def main(context: click.Context) -> None:
    """Keep Chatello's analytics table up to date without changes to the dashboard.

    \b
    Examples:
      chatello-analytics check
      MONGODB_URI=mongodb://127.0.0.1:27017 chatello-analytics run
      chatello-analytics rollup --date yesterday
    """
    if not has_colors():
        context.color = False
    if isinstance(sys.stdout, io.TextIOWrapper):  # None if standard output is closed
        sys.stdout.reconfigure(errors="replace")  # a terminal without emoji shows question marks


events.events.add_command(sample_events.sample)
for command in (
    service.run,
    service.check,
    rollup.rollup,
    explain.explain,
    customer.customer,
    verify.verify,
    verify.reconcile,
    backfill.backfill,
    export.export,
    forget.forget,
    events.events,
    dead_letters.dead_letters,
    deliveries.deliveries,
    rules.rules,
    service.demo,
):
    main.add_command(command)
