"""What waits for a target: facts after its position and, of a person, rows whose message of the morning is not sent."""

from datetime import datetime
from typing import NamedTuple

from daemon.delivery.target_store import TargetRecord
from daemon.mongo.types import Database
from daemon.store import outbox
from daemon.store.outbox import OutboxEntry, OutboxPosition
from rules.model.facts import FactType

CLOSED = (FactType.DAY_CLOSED, FactType.MONTH_CLOSED)


class Backlog(NamedTuple):
    """Number of commits that wait, and the time of the oldest one."""

    commits: int
    since: datetime | None


def of(database: Database, record: TargetRecord) -> Backlog:
    """Return what waits."""
    passed = _passed(database, record)
    after = outbox.count(database, record.position)  # read first: what is counted has an oldest entry
    oldest = passed[0] if passed else next(outbox.read(database, record.position, 1), None)
    return Backlog(_commits(passed) + after, None if oldest is None else oldest.at)


def count(database: Database, record: TargetRecord, before: OutboxPosition | None = None) -> int:
    """Return the number of commits that wait, of all or of those before a position."""
    passed = [one for one in _passed(database, record) if before is None or one.position < before]
    after = 0 if before is not None and record.position >= before else outbox.count(database, record.position, before)
    return _commits(passed) + after


def _commits(entries: list[OutboxEntry]) -> int:
    return len({one.position.number for one in entries})


def _passed(database: Database, record: TargetRecord) -> list[OutboxEntry]:
    """Return the final rows before the position that the next message of the morning will report."""
    if not record.people.is_day_closed:
        return []
    found = outbox.read(database, record.people.morning, types=CLOSED)
    return [one for one in found if one.position <= record.position]
