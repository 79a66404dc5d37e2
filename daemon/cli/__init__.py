"""The command line: `chatello-analytics COMMAND`. Turns options into calls; a module for each group of commands.

What a command needs beyond its options it imports inside itself, so that `--help` answers at once.
"""

import io
import os
import sys

import click

from daemon.cli import backfill, dead_letters, events, explain, export, forget, rollup, rules, service, verify


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="chatello-analytics")
@click.pass_context
def main(context: click.Context) -> None:
    """Keeps Chatello's analytics table true, beside the dashboard.

    \b
    Examples:
      chatello-analytics check
      MONGODB_URI=mongodb://127.0.0.1:27017 chatello-analytics run
      chatello-analytics rollup --date 2026-11-22
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        context.color = False
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where it is closed
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no emoji shows a question mark


for command in (
    service.run,
    service.check,
    rollup.rollup,
    explain.explain,
    verify.verify,
    verify.reconcile,
    backfill.backfill,
    export.export,
    forget.forget,
    events.events,
    dead_letters.dead_letters,
    rules.rules,
    service.demo,
):
    main.add_command(command)
