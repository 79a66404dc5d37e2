"""The state of the books at one instant, from which all numbers of one page are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import NamedTuple

from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime, newest
from daemon.mongo.types import ClientSession, Database
from daemon.store.ledger.day_totals import DayTotals
from daemon.store.ledger.totals import CurrentTotals, current_totals
from daemon.web.context import WebContext
from daemon.web.page.parts import figures
from rules import business_days
from rules.settings import italian
from rules.settings.settings import Settings


class Snapshot(NamedTuple):
    """An open snapshot session and its totals; `current` is None before the first start.

    `now` is the database's clock, `today` the business day of the totals.
    """

    database: Database
    session: ClientSession
    settings: Settings
    now: datetime
    today: date
    current: CurrentTotals | None
    day_totals: DayTotals

    @property
    def time_text(self) -> str:
        """The time of the numbers, with the day if it is not today's date; a dash before the first start."""
        if self.current is None:
            return italian.DASH
        at = self.current.at.astimezone(self.settings.zone)
        return f"{at:%H:%M:%S}" if at.date() == self.local_now.date() else f"{at:%H:%M:%S} ({at:%d/%m/%Y})"

    @property
    def local_now(self) -> datetime:
        return self.now.astimezone(self.settings.zone)


@contextmanager
def open_snapshot(context: WebContext) -> Iterator[Snapshot]:
    """Open a snapshot of the books; it is valid inside the block."""
    database, settings = context.database, context.config().settings()
    with translated(), database.client.start_session(snapshot=True) as session:
        current = current_totals(database, settings.zone, tuple(figures.SPANS), session)
        now = cluster_datetime(newest(database))
        today = current.today if current else business_days.business_day(now, settings.zone)
        yield Snapshot(database, session, settings, now, today, current, context.day_totals)
