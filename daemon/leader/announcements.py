"""What others leave for the leader to deliver: rows with new final numbers, and customers that were forgotten.

They mark it in the write that makes it true; the leader turns the mark into a fact of the outbox, in one transaction.
"""

from datetime import datetime

from daemon import clock
from daemon.mongo.collections import WRITTEN_ROWS
from daemon.mongo.types import ClientSession, Database
from daemon.pipeline.pipeline import Pipeline
from daemon.store import forgotten, row_copies
from rules.model.facts import Fact


def announce(pipeline: Pipeline) -> None:
    """Deliver what is marked; a job of the pipeline's thread."""
    database = pipeline.committer.database
    while row_copies.to_announce(database, limit=1) or forgotten.has_to_announce(database):
        pipeline.flush()
        pipeline.committer.deliver(pipeline.checkpoint, lambda session: _collect(database, session, clock.now()))


def _collect(database: Database, session: ClientSession, at: datetime) -> list[Fact]:
    copies = row_copies.to_announce(database, session)
    if copies:
        database[WRITTEN_ROWS].bulk_write(row_copies.announcements(copies), session=session)
    rows = [row_copies.fact_of(copy, at) for copy in copies]
    return [*(fact for fact in rows if fact is not None), *forgotten.announced(database, session, at)]
