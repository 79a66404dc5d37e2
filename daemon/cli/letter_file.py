"""The letter of a month as a file, for `export letter`."""

from datetime import date

from daemon.cli.days import NoSuchDay
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.web.context import WebContext
from daemon.web.page.parts import letter_file


def document(database: Database, config: Config, first: date) -> str:
    """Return the letter of the month that begins on `first`; raises NoSuchDay if there is nothing of it."""
    found = letter_file.document(WebContext(database, ActiveConfig(config), Health()), first)
    if found is None:
        raise NoSuchDay(f"no letter for {first:%Y-%m}: neither the table nor the ledger has a day of it")
    return found
