"""The letter of a month as one file, verified when it is made. The page and `export letter` share it."""

from datetime import date

from daemon import clock
from daemon.diagnostics.verification import Verification
from daemon.errors import Unavailable
from daemon.mongo.client import bounded
from daemon.runtime.health import Health
from daemon.web.context import WebContext
from daemon.web.page.parts import letter
from daemon.web.page.snapshot import open_snapshot


def document(context: WebContext, first: date, verification_seconds: float | None = None) -> str | None:
    """Return the letter of the month that begins on `first`; None if there is nothing of it.

    The verification has so many seconds (None: as many as it needs).
    """
    with bounded(verification_seconds):
        health = verified(context)
    with open_snapshot(context) as snapshot:
        found = letter.read(snapshot, first, letter.proof(health, snapshot))
    return None if found is None else letter.document(found)


def verified(context: WebContext) -> Health:
    """Return the outcome of a verification made now; the last one of this process if it is not possible now."""
    try:
        result = Verification(context.database, context.config()).verify_totals()
    except Unavailable:
        return context.health
    health = Health()
    health.record_verification(clock.now().timestamp(), len(result.mismatches))
    return health
