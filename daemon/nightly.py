"""The day: which rows are owed, and writing them. `schedule` only rings; the database decides.

Everything here may run twice, late or after a crash: a row is a function of ledger, events and rules.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database

from daemon import clock, logs, metrics
from daemon.config import Config
from daemon.connection import translated
from daemon.decode import cluster_datetime
from daemon.errors import Unavailable
from daemon.store import checkpoint as checkpoints
from daemon.store import ledger, rows
from daemon.store.mirror import MirrorReader
from daemon.store.names import SOURCE_NAME
from rules import catalogue, days, notes, rollup, twins
from rules.model import EventType
from rules.names import one_line
from rules.settings import Settings

Document = dict[str, Any]

REPEATED = (EventType.MILESTONE_REACHED, EventType.MARKETING_CAMPAIGN)
"""What a dashboard may tell more than once a day."""

log = logs.get("nightly")


class Nightly:
    """Writes rows for one database. Safe to run beside another one: rows come out the same."""

    def __init__(self, database: Database[Document], config: Config) -> None:
        self.database = database
        self.rollup_at = config.time.rollup_at
        self.adopt(config)

    def adopt(self, config: Config) -> None:
        """Write rows by these rules from now on."""
        self.settings = config.settings()
        self.mirror = MirrorReader(self.database, self.settings)

    def now(self) -> datetime:
        """What time it is for the rows: the checkpoint's cluster time, so that a wrong clock here changes nothing.

        It is never ahead of what was committed. Raises Unavailable before the first start.
        """
        checkpoint = checkpoints.load(self.database)
        if checkpoint is None or checkpoint.cluster_time is None:
            raise Unavailable("the daemon has not taken over this database yet: start it once")
        return cluster_datetime(checkpoint.cluster_time)

    def owed(self, now: datetime) -> list[date]:
        """The closed days without a final row that the checkpoint has passed, oldest first."""
        first = ledger.first_day(self.database)
        if first is None:
            return []
        last = days.last_closed(now, self.rollup_at, self.settings.zone)
        passed = days.business_day(self.now(), self.settings.zone) - days.ONE_DAY
        known = rows.final_days(self.database, first, last)
        return list(days.owed(known, first, min(last, passed)))

    def catch_up(self, now: datetime) -> list[date]:
        """Write every owed row, then those that late facts reopened; the days written."""
        owed = self.owed(now)
        for day in owed:
            self.write(day, final=True)
        reopened = checkpoints.reopened(self.database)
        today = days.business_day(now, self.settings.zone)
        for day in sorted({entry["day"].date() for entry in reopened} - set(owed)):
            if day < today and rows.final_days(self.database, day, day):
                self.write(day, final=True)
                log.info("row.amended", day=str(day))
        checkpoints.settle_reopened(self.database, reopened)
        return owed

    def write_today(self, now: datetime) -> Document:
        """Bring today's live row up to date."""
        return self.write(days.business_day(now, self.settings.zone), final=False)

    def write(self, day: date, *, final: bool) -> Document:
        """Compute one row at one snapshot and store it; the row."""
        row = self.row(day)
        if final:  # before the row is final: a crash in between leaves the day owed
            rows.mark_processed(self.database, *self._bounds(day))
        rows.write(self.database, row, final=final, now=clock.now())
        metrics.ROWS.labels("final" if final else "live").inc()
        if final:
            log.info("row.closed", day=str(day), mrr=row["mrr"], customers=row["total_customers"])
        return row

    def row(self, day: date) -> Document:
        """The row of `day` as ledger and events have it now."""
        with translated(), self.database.client.start_session(snapshot=True) as session:
            return self._row(day, session)

    def _row(self, day: date, session: ClientSession) -> Document:
        running = checkpoints.running_totals(self.database, session)
        totals = ledger.totals_after(self.database, running, day, session)
        sums = rollup.DaySums()
        for movement in ledger.of_day(self.database, day, session):
            sums.add(movement)
        first: list[Document] = []
        told = remembering(rows.events_between(self.database, *self._bounds(day), session), first)
        note = notes.compose(facts(told, self.settings), self.settings)
        return {
            **rollup.row(day, totals, sums, self.mirror.plans(), self.settings),
            "auto_events": [rollup.auto_event(event, self.settings) for event in first],
            "auto_notes": note,
        }

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        zone = self.settings.zone
        return days.start(day, zone), days.start(day + days.ONE_DAY, zone)


def remembering(stored: Iterable[Document], first: list[Document]) -> Iterator[Document]:
    """Pass events on and keep the first in `first`: a busy day's are not held in memory whole."""
    for event in stored:
        if len(first) < rollup.MAX_AUTO_EVENTS:
            first.append(event)
        yield event


def facts(stored: Iterable[Document], settings: Settings) -> Iterable[notes.Fact]:
    """Stored events as the note sees them; whatever others put into theirs, it is text or nothing.

    A milestone or a date that the dashboard repeats counts once.
    """
    told: set[str] = set()
    for event in stored:
        keys = set(twins.natural_keys(event)) if event.get("event_type") in REPEATED else set()
        if keys & told:
            continue
        told |= keys
        kind, metadata = str(event.get("event_type")), event.get("metadata")
        if not isinstance(metadata, dict):
            metadata = {}
        name, text = one_line(metadata.get("customer_name")), one_line(event.get("description"))
        short = catalogue.short(event, settings.texts) if metadata.get("source") == SOURCE_NAME else ""
        yield notes.Fact(kind, text, name, notes.emoji(kind, metadata, settings), short)
