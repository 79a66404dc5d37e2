"""Milestones of API usage: calls are counted by the scheduler, events are emitted by the pipeline.

Counts of the present day are incremental; a day that is over is counted once more as a whole. At the first count the
busiest of the earlier days becomes the level to pass, without an event.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import ClassVar, NamedTuple

from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime import logs
from daemon.runtime.health import Heartbeat
from daemon.source import api_usage
from daemon.store import checkpoint as checkpoints
from rules import business_days
from rules.handlers.batch import MILESTONES
from rules.insights import milestones
from rules.insights.milestones import Milestone

OLDEST = timedelta(days=400)
"""How far back the busiest day is searched."""

LATEST = timedelta(minutes=10)
"""A call may be dated this long before it is written: clocks differ, and the API writes when the call ends."""

log = logs.get("api_usage")


class UsageCount(NamedTuple):
    """Number of calls of a day up to an instant."""

    calls: int
    at: datetime


class ApiUsageMilestones:
    """Counts the API calls of one shop, in the scheduler's thread."""

    _reported: ClassVar[set[tuple[str, bool]]] = set()
    """Databases whose calls cannot be counted, and whether they have calls: logged once, not in every term."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.settings = config.settings()
        self.naive_zone = config.time.naive_zone
        self._day = date.min
        self._settled = datetime.min.replace(tzinfo=UTC)
        self._calls = 0

    def count(self, heartbeat: Heartbeat) -> list[UsageCount]:
        """Return the counts since the last call, oldest day first; empty if there is no index to count by."""
        checkpoint = checkpoints.load(self.database)
        if checkpoint is None or checkpoint.at is None or checkpoint.reconciling is not None:
            return []
        now = checkpoint.at
        index = api_usage.find_index(self.database)
        if index is None:
            self._report_not_counted()
            return []
        is_seeded = Milestone.API_CALLS.value in checkpoint.memory.get(MILESTONES, {})
        before = [] if is_seeded else [self._busiest(now, index, heartbeat)]
        return [*before, *self._count(now, index)]

    def _count(self, now: datetime, index: str) -> Iterator[UsageCount]:
        zone = self.settings.zone
        today = business_days.business_day(now, zone)
        start = business_days.start(today, zone)
        if self._day != today:
            if self._day == today - business_days.ONE_DAY:
                yield UsageCount(self._calls_of(self._day, index), start - timedelta(milliseconds=1))
            self._day, self._settled, self._calls = today, start, 0
        yield UsageCount(
            self._calls + self._between(self._settled, business_days.start(today + business_days.ONE_DAY, zone), index),
            now,
        )
        self._settle(max(self._settled, now - LATEST), index)

    def _settle(self, until: datetime, index: str) -> None:
        """Add the calls before `until` to the part that is not counted again today."""
        self._calls += self._between(self._settled, until, index)
        self._settled = until

    def _busiest(self, now: datetime, index: str, heartbeat: Heartbeat) -> UsageCount:
        oldest = api_usage.first_at(self.database, index)
        yesterday = business_days.business_day(now, self.settings.zone) - business_days.ONE_DAY
        first = max(oldest.date() if oldest else yesterday, yesterday - OLDEST)
        most = 0
        for day in business_days.between(first, yesterday):
            heartbeat()
            most = max(most, self._calls_of(day, index))
        log.info("api_usage.seeded", busiest_day=most, since=str(first))
        return UsageCount(most, now)

    def _calls_of(self, day: date, index: str) -> int:
        zone = self.settings.zone
        return self._between(
            business_days.start(day, zone), business_days.start(day + business_days.ONE_DAY, zone), index
        )

    def _between(self, start: datetime, end: datetime, index: str) -> int:
        return api_usage.count_calls(self.database, self._stored(start), self._stored(end), index)

    def _stored(self, instant: datetime) -> datetime:
        """Return an instant as the API stores it: local time as if it were UTC."""
        return instant.astimezone(self.naive_zone).replace(tzinfo=UTC)

    def _report_not_counted(self) -> None:
        exists = api_usage.exists(self.database)
        if (self.database.name, exists) in self._reported:
            return
        self._reported.add((self.database.name, exists))
        if exists:
            log.warning("api_usage.not_counted", problem="usage_logs has no index on created_at", hint=api_usage.HINT)
        else:
            log.info("api_usage.not_counted", reason="usage_logs does not exist")


def emit(counted: list[UsageCount]) -> Callable[[Pipeline], None]:
    """Return the pipeline's job: commit the milestones of these counts and the new level to pass."""
    return partial(_emit, counted)


def _emit(counted: list[UsageCount], pipeline: Pipeline) -> None:
    known = pipeline.checkpoint.memory
    memory, events = known.get(MILESTONES, {}), []
    for calls, at in counted:
        event, memory = milestones.reached(Milestone.API_CALLS, calls, at, memory, pipeline.settings)
        events += [event] if event else []
    if memory != known.get(MILESTONES, {}):
        pipeline.record(events, {**known, MILESTONES: memory})
