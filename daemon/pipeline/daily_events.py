"""Keeps the diary: looks back over the ledger's days and has the pipeline commit what `rules.insights.daily` says.

Runs in the pipeline's thread, as its memory and its events move with the checkpoint.
"""

from datetime import date, timedelta

from daemon.config.schema import Config
from daemon.mongo.types import Database
from daemon.pipeline.pipeline import Pipeline
from daemon.runtime import logs
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.insights import daily
from rules.insights.trends import Day

LOOK_BACK = timedelta(days=120)
"""Covers the longest window of a trend and the month before last."""

log = logs.get("daily_events")


class DailyEvents:
    """The diary of one shop."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.settings = config.settings()
        self.rollup_at = config.time.rollup_at

    def emit(self, pipeline: Pipeline) -> None:
        """Tell every day that began or ended and was not told yet, by the stream's own time."""
        now = pipeline.checkpoint.at
        if now is None:
            return
        today = business_days.business_day(now, self.settings.zone)
        closed = business_days.last_closed(now, self.rollup_at, self.settings.zone)
        known = pipeline.checkpoint.memory
        if daily.is_kept(today, closed, known):
            return
        pages = daily.keep(today, closed, self._history(pipeline, today - business_days.ONE_DAY), known, self.settings)
        pipeline.record(pages.events, pages.memory)
        log.info("daily_events.emitted", today=str(today), events=len(pages.events))

    def _history(self, pipeline: Pipeline, last: date) -> list[Day]:
        return ledger.history(self.database, pipeline.checkpoint.totals, last - LOOK_BACK, last)
