"""What every command shares: the option for the configuration, the database, and errors as exit statuses."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from daemon.config import paths
from daemon.errors import EXIT_FAILURE, ChatelloError
from rules.text import one_line

if TYPE_CHECKING:
    from daemon.config.schema import Config

CONFIG_OPTION = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Configuration file (default {paths.CONFIGURATION} if it is there).",
)

LONGEST = 2000
"""Of a sentence about what went wrong."""
NOWHERE_TO_WRITE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))


class Text(click.ParamType[str]):
    """A text that can be stored and looked up: bytes that a terminal of another encoding sent are none."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("wanted a text in UTF-8", param, ctx)
        return text


TEXT = Text()


def require_order(first: datetime | None, last: datetime | None) -> None:
    """Raises BadParameter for a range that ends before it begins."""
    if first is not None and last is not None and first > last:
        raise click.BadParameter(f"{first:%Y-%m-%d} lies behind --to", param_hint="--from")


def load(path: Path | None) -> "Config":
    from daemon.config import loader

    return loader.load(path, os.environ)


@contextmanager
def opened(loaded: "Config") -> Iterator[Any]:
    """The configured database for one command."""
    from daemon.mongo import client as connection

    with connection.connect(loaded.mongodb) as client:
        yield connection.database(client, loaded.mongodb)


@contextmanager
def errors_as_statuses() -> Iterator[None]:
    """One clear sentence on stderr and the error's exit status, instead of a traceback."""
    try:
        yield
    except ChatelloError as error:
        _end(str(error), error.exit_status)
    except OSError as error:
        if error.errno not in NOWHERE_TO_WRITE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what waits for standard output would fail there once more
        _end(f"this could not be written: {error.strerror}", EXIT_FAILURE)


def _end(sentence: str, status: int) -> NoReturn:
    from daemon.runtime import logs

    click.echo(f"{logs.prefix('error')}chatello-analytics: {one_line(sentence, LONGEST)}", err=True)
    sys.exit(status)
