"""Shared by all commands: the opening of a command, parameter types, and errors as exit statuses."""

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, overload

import click

from daemon import clock
from daemon.cli.days import Day
from daemon.config import paths
from daemon.errors import EXIT_FAILURE, ChatelloError
from rules.text import one_line

if TYPE_CHECKING:
    from daemon.config.schema import Config
    from daemon.mongo.types import Database

Options = ParamSpec("Options")

MAX_MESSAGE = 2000
"""Characters of an error message."""
WRITE_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))


class Text(click.ParamType[str]):
    """Text that can be stored and looked up; bytes from a terminal with another encoding are rejected."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("must be UTF-8 text", param, ctx)
        return text


TEXT = Text()


class CommandContext:
    """Configuration and database of one command, each opened on first use.

    Parameters can so be validated before the configuration is read and before the server is contacted.
    """

    def __init__(self, path: Path | None, stack: ExitStack) -> None:
        self.path = path
        self._stack = stack

    @functools.cached_property
    def config(self) -> "Config":
        """The active configuration; raises ConfigurationError."""
        from daemon.config import loader

        return loader.load(self.path, os.environ)

    @functools.cached_property
    def database(self) -> "Database":
        """The database, whose data this version can read; raises ConfigurationError or Unavailable."""
        from daemon.store import checkpoint

        checkpoint.require_known_format(self.unchecked_database)
        return self.unchecked_database

    @functools.cached_property
    def unchecked_database(self) -> "Database":
        """The configured database, closed when the command ends; raises ConfigurationError or Unavailable."""
        from daemon.mongo import client as mongo_client

        client = self._stack.enter_context(mongo_client.connect(self.config.mongodb))
        return mongo_client.database(client, self.config.mongodb)

    @overload
    def day(self, day: Day) -> date: ...
    @overload
    def day(self, day: None) -> None: ...
    @overload
    def day(self, day: Day | None) -> date | None: ...
    def day(self, day: Day | None) -> date | None:
        """Return the date of a day; "today" and "yesterday" are business days of the configured zone."""
        if not isinstance(day, str):
            return day
        today = clock.now().astimezone(self.config.time.zone).date()
        return today if day == "today" else today - timedelta(days=1)


def with_context(function: Callable[Concatenate[CommandContext, Options], None]) -> Callable[..., None]:
    """Add `--config` to a command and pass it a CommandContext."""

    @click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"Configuration file (default: {paths.CONFIGURATION} if it exists).",
    )
    @functools.wraps(function)
    def command(path: Path | None, *args: Options.args, **options: Options.kwargs) -> None:
        with ExitStack() as stack:
            function(CommandContext(path, stack), *args, **options)

    return command


class Program(click.Group):
    """The command line as a whole: errors of every command, and of its help, become exit statuses."""

    def main(self, *args: Any, **options: Any) -> Any:
        with _exit_on_error():
            return super().main(*args, **options)


@contextmanager
def _exit_on_error() -> Iterator[None]:
    """Print one line on stderr and exit with the error's status, instead of a traceback."""
    try:
        yield
    except ChatelloError as error:
        _exit_with(str(error), error.exit_status)
    except OSError as error:
        if error.errno not in WRITE_ERRORS:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # flushing buffered standard output would fail again
        _exit_with(f"cannot write the output: {error.strerror}", EXIT_FAILURE)


def _exit_with(message: str, status: int) -> NoReturn:
    from daemon.runtime import logs

    click.echo(f"{logs.prefix('error')}chatello-analytics: {one_line(message, MAX_MESSAGE)}", err=True)
    sys.exit(status)
