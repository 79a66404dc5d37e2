"""How long facts are kept, where the owner wants them to go: never before the rows made of them are final.

Rows are for ever. Of the ledger whole months go, and a balance stays in their place; rows whose rates looked back into
them are not made anew any more.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from daemon.config.schema import Config
from daemon.rollup.rollup import Rollup
from daemon.runtime import logs
from daemon.store.ledger import retention as ledger_retention
from rules import business_days
from rules.rows import periods

log = logs.get("retention")


class Pruned(NamedTuple):
    """What a run let go of."""

    events: int
    lines: int


class Retention:
    """Lets go of what is older than the configuration keeps; nothing by default."""

    def __init__(self, nightly: Rollup, config: Config) -> None:
        self.nightly = nightly
        self.database = nightly.database
        self.wanted = config.retention
        self.zone = config.time.zone

    def run(self, beat: Callable[[], object]) -> Pruned:
        """Let go of what has had its time; may be stopped after any step."""
        events = self._events(beat) if self.wanted.events_days else 0
        lines = self._lines(beat) if self.wanted.ledger_days else 0
        if events or lines:
            log.info("history.pruned", events=events, lines=lines)
        return Pruned(events, lines)

    def _events(self, beat: Callable[[], object]) -> int:
        cut = self._cut(self.wanted.events_days)
        ledger_retention.note_events_cut(self.database, cut)
        dropped = 0
        while found := ledger_retention.drop_events(self.database, business_days.start(cut, self.zone)):
            dropped += found
            beat()
        return dropped

    def _lines(self, beat: Callable[[], object]) -> int:
        cut = self._ledger_cut()
        last = ledger_retention.last_line_before(self.database, cut)
        dropped = 0
        while last is not None and (found := ledger_retention.fold(self.database, last, cut - business_days.ONE_DAY)):
            dropped += found
            beat()
        return dropped

    def _ledger_cut(self) -> date:
        """The first of a month; so early that rows that are owed can still be made (see `ledger.first_day`)."""
        now = self.nightly.now()
        cut = business_days.business_day(now, self.zone) - timedelta(days=self.wanted.ledger_days)
        owed = self._due()
        return min([cut.replace(day=1), *([periods.before(owed, 2)] if owed else [])])

    def _cut(self, kept: int) -> date:
        """The first day whose events stay: so many days ago, and never one whose row is still owed."""
        cut = business_days.business_day(self.nightly.now(), self.zone) - timedelta(days=kept)
        return min(cut, self._due() or cut)

    def _due(self) -> date | None:
        """The first day that a row is still to be made of."""
        now = self.nightly.now()
        owed = [*self.nightly.missing_days(now), *(month.first for month in self.nightly.missing_months(now))]
        return min(owed, default=None)
