"""Emits the events of a day boundary: growth, trends, calendar dates, summaries (`rules.insights.daily`).

Runs in the pipeline's thread, because memory and events move with the checkpoint.
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
    """Day-boundary events of one shop, computed from the ledger."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.settings = config.settings()
        self.rollup_at = config.time.rollup_at

    def emit(self, pipeline: Pipeline) -> None:
        """Emit the events of every day that began or ended since the last call, by the stream's own time."""
        now = pipeline.checkpoint.at
        if now is None:
            return
        today = business_days.business_day(now, self.settings.zone)
        closed = business_days.last_closed(now, self.rollup_at, self.settings.zone)
        known = pipeline.checkpoint.memory
        if daily.is_up_to_date(today, closed, known):
            return
        result = daily.emit_due(
            today, closed, self._history(pipeline, today - business_days.ONE_DAY), known, self.settings
        )
        pipeline.record(result.events, result.memory)
        log.info("daily_events.emitted", today=str(today), events=len(result.events))

    def _history(self, pipeline: Pipeline, last: date) -> list[Day]:
        return ledger.history(self.database, pipeline.checkpoint.totals, last - LOOK_BACK, last)
