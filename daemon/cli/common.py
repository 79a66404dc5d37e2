"""What every command shares: the option for the configuration, the database, and errors as exit statuses."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon import places
from daemon.errors import ChatelloError

if TYPE_CHECKING:
    from daemon.config import Config

CONFIG_OPTION = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Configuration file (default {places.CONFIGURATION} if it is there).",
)


def load(path: Path | None) -> "Config":
    from daemon import config

    return config.load(path, os.environ)


@contextmanager
def opened(loaded: "Config") -> Iterator[Any]:
    """The configured database for one command."""
    from daemon import connection

    with connection.connect(loaded.mongodb) as client:
        yield connection.database(client, loaded.mongodb)


@contextmanager
def errors_as_statuses() -> Iterator[None]:
    """One clear sentence on stderr and the error's exit status, instead of a traceback."""
    try:
        yield
    except ChatelloError as error:
        from daemon import logs

        click.echo(f"{logs.prefix('error')}chatello-analytics: {error}", err=True)
        sys.exit(error.exit_status)
