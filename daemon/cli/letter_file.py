"""The letter of a month as a file: the same content as its page, verified at the time of the export."""

from datetime import date

from daemon import clock
from daemon.cli.days import NoSuchDay
from daemon.config.active import ActiveConfig
from daemon.config.schema import Config
from daemon.diagnostics.verification import Verification
from daemon.errors import Unavailable
from daemon.mongo.types import Database
from daemon.runtime.health import Health
from daemon.web.context import WebContext
from daemon.web.page.parts import letter
from daemon.web.page.snapshot import open_snapshot
from daemon.web.page.views.months import proof


def document(database: Database, config: Config, first: date) -> str:
    """Return the letter of the month that begins on `first`; raises NoSuchDay if there is nothing of it."""
    health = verified(database, config)
    with open_snapshot(WebContext(database, ActiveConfig(config), health)) as snapshot:
        found = letter.read(snapshot, first, proof(health, snapshot))
    if found is None:
        raise NoSuchDay(f"no letter for {first:%Y-%m}: neither the table nor the ledger has a day of it")
    return letter.document(found)


def verified(database: Database, config: Config) -> Health:
    """Return the outcome of a verification made now; of none if it is not possible at the moment."""
    health = Health()
    try:
        result = Verification(database, config).verify_totals()
    except Unavailable:
        return health
    health.record_verification(clock.now().timestamp(), len(result.mismatches))
    return health
