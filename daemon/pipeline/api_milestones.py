"""The day's API calls: counted on the bell, and told by the pipeline where a milestone is reached.

What was counted of the present day long ago is not counted again; a day that is over is counted once more, whole. The
first time ever the busiest of the days before is the level to pass, in silence.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import NamedTuple

from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime import logs
from daemon.source import api_usage
from daemon.store import checkpoint as checkpoints
from rules import business_days
from rules.handlers.batch import MILESTONES
from rules.insights import milestones
from rules.insights.milestones import Milestone

OLDEST = timedelta(days=400)
"""How far back the busiest day is looked for: a year, and some."""

LATEST = timedelta(minutes=10)
"""A call's own date may lie that far behind its arrival: clocks differ, and the API writes when it is done."""

log = logs.get("api_usage")


class UsageCount(NamedTuple):
    """So many calls were made on a day, as seen at an instant of it."""

    calls: int
    at: datetime


class ApiUsageMilestones:
    """The API calls of one shop. Asked from the bell's thread; `tell` is for the pipeline's."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.settings = config.settings()
        self.naive_zone = config.time.naive_zone
        self._day = date.min
        self._settled = datetime.min.replace(tzinfo=UTC)
        self._calls = 0
        self._warned = False

    def count(self, beat: Callable[[], None]) -> list[UsageCount]:
        """What there is to tell since the last time, oldest day first; `beat` is called between counts."""
        checkpoint = checkpoints.load(self.database)
        if checkpoint is None or checkpoint.at is None or checkpoint.reconciling is not None:
            return []
        now = checkpoint.at
        index = api_usage.index(self.database)
        if index is None:
            self._warn()
            return []
        is_seeded = Milestone.API_CALLS.value in checkpoint.memory.get(MILESTONES, {})
        before = [] if is_seeded else [self._busiest(now, index, beat)]
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
        """What lies so far back is not counted again today."""
        self._calls += self._between(self._settled, until, index)
        self._settled = until

    def _busiest(self, now: datetime, index: str, beat: Callable[[], None]) -> UsageCount:
        oldest = api_usage.first_at(self.database, index)
        yesterday = business_days.business_day(now, self.settings.zone) - business_days.ONE_DAY
        first = max(oldest.date() if oldest else yesterday, yesterday - OLDEST)
        most = 0
        for day in business_days.between(first, yesterday):
            beat()
            most = max(most, self._calls_of(day, index))
        log.info("api_usage.seeded", busiest_day=most, since=str(first))
        return UsageCount(most, now)

    def _calls_of(self, day: date, index: str) -> int:
        zone = self.settings.zone
        return self._between(
            business_days.start(day, zone), business_days.start(day + business_days.ONE_DAY, zone), index
        )

    def _between(self, start: datetime, end: datetime, index: str) -> int:
        return api_usage.calls(self.database, self._stored(start), self._stored(end), index)

    def _stored(self, instant: datetime) -> datetime:
        """An instant as the API stores it: its local time, as if it were UTC."""
        return instant.astimezone(self.naive_zone).replace(tzinfo=UTC)

    def _warn(self) -> None:
        if not self._warned:
            log.warning("api_usage.not_counted", problem="usage_logs has no index on created_at", cure=api_usage.CURE)
        self._warned = True


def emit(counted: list[UsageCount]) -> Callable[[Pipeline], None]:
    """The pipeline's job: commit what the counts say, and the highest one as the level to pass from now on."""
    return partial(_emit, counted)


def _emit(counted: list[UsageCount], pipeline: Pipeline) -> None:
    known = pipeline.checkpoint.memory
    memory, events = known.get(MILESTONES, {}), []
    for calls, at in counted:
        event, memory = milestones.reached(Milestone.API_CALLS, calls, at, memory, pipeline.settings)
        events += [event] if event else []
    if memory != known.get(MILESTONES, {}):
        pipeline.record(events, {**known, MILESTONES: memory})
