"""Backfill: rows for the time before the daemon, computed from dates in the documents, marked as reconstructed.

The server computes one year at a time. The existing rows show how far an earlier run came, so the same command
continues it.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from daemon.backfill import daily_rows, survey
from daemon.backfill import merge as merging
from daemon.backfill.daily_rows import DayRange
from daemon.backfill.lifetimes import DateContext
from daemon.config.schema import Config
from daemon.errors import Unavailable
from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.collections import ROWS
from daemon.mongo.types import Database, Document
from daemon.source import snapshot
from daemon.source.decode import Decoder
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.model.changes import Plan, Source
from rules.rows import periods
from rules.settings import catalog


class BackfillPlan(NamedTuple):
    """Day ranges of a backfill, each with the number of existing rows by kind, and unusable documents by reason.

    `is_oldest`: it starts with the day of the oldest document.
    """

    ranges: list[tuple[DayRange, dict[str, int]]]
    unusable: dict[str, int]
    is_oldest: bool = True


class Backfill:
    """Backfill of one database. Reads the source collections and writes only rows of days before the ledger."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.decoder = Decoder(config.time.naive_zone, config.rules.manual_email)
        self.settings = config.settings()
        self.now = server_time(database)
        self.date_context = DateContext(config.time.zone, config.time.naive_zone, self.now)
        self.plans = self._plans()

    def plan(self, first: date | None = None, last: date | None = None) -> BackfillPlan:
        """Plan the days from the oldest document (or `first`) to the day before the ledger starts (or `last`)."""
        found = survey.survey(self.database, self.plans, self.date_context)
        if found.first is None:
            return BackfillPlan([], found.unusable)
        begin, end = max(found.first, first or found.first), min(self.last_day(), last or date.max)
        ranges = [(one, merging.count_rows(self.database, *one)) for one in daily_rows.by_year(begin, end)]
        return BackfillPlan(ranges, found.unusable, begin == found.first)

    def last_day(self) -> date:
        """Return the day before the ledger starts, or yesterday if there is no ledger."""
        ledger_start = ledger.first_day(self.database)
        return (ledger_start or business_days.business_day(self.now, self.date_context.zone)) - business_days.ONE_DAY

    def write(
        self, plan: BackfillPlan, *, over_dashboard: bool, again: bool, advance: Callable[[int], object]
    ) -> list[DayRange]:
        """Merge every range that is not complete (with `again`: every range); return the ranges written.

        `over_dashboard` also replaces rows of the dashboard. `advance` is called with the days of each range.
        """
        merging.ensure_index(self.database)
        written: list[DayRange] = []
        for day_range, existing in plan.ranges:
            if again or not is_done(day_range, existing, over_dashboard=over_dashboard):
                stages = [*self._rows(day_range, plan.unusable), {"$set": note_fields()}]
                merging.merge(self.database, Source.LICENSES.value, stages, self.now, over_dashboard=over_dashboard)
                written.append(day_range)
            advance(day_range.days)
        self._write_months(plan, bool(written), over_dashboard=over_dashboard)
        return written

    def _write_months(self, plan: BackfillPlan, rows_changed: bool, *, over_dashboard: bool) -> None:
        """Write the complete months of the plan; the first may start with the oldest document."""
        if not plan.ranges:
            return
        begin, end = plan.ranges[0][0].first, plan.ranges[-1][0].last
        whole = [month for month in periods.months(begin, end) if month.first >= begin or plan.is_oldest]
        if not whole:
            return
        first, last = max(whole[0].first, begin), whole[-1].last
        if rows_changed or merging.count_monthly_rows(self.database, whole[0].first, last) < len(whole):
            stages = [*merging.months(first, last), {"$set": note_fields()}]
            merging.merge(self.database, ROWS, stages, self.now, over_dashboard=over_dashboard)

    def preview(self, day: date, plan: BackfillPlan) -> Document:
        """Return the row that one day would have, without writing it."""
        return daily_rows.last_row(self.database, day, self.plans, self.date_context, sorted(plan.unusable))

    def _rows(self, day_range: DayRange, unusable: dict[str, int]) -> list[Document]:
        return daily_rows.rows(day_range, self.plans, self.date_context, sorted(unusable))

    def _plans(self) -> Sequence[Plan]:
        mirrored = MirrorReader(self.database, self.settings).plans().values()
        return list(snapshot.plans(self.database, self.decoder, self.settings.rates, mirrored).values())


def is_done(day_range: DayRange, existing: dict[str, int], *, over_dashboard: bool) -> bool:
    """Return whether every day has a row that would not be replaced."""
    staying = existing["measured"] + existing["reconstructed"] + (0 if over_dashboard else existing["dashboard"])
    return staying == day_range.days


def note_fields() -> Document:
    """Return an expression for the note of a row, in Italian: counts without names, because most documents are gone."""
    parts = [
        {"$cond": [{"$gt": [f"${field}", 0]}, [_counted(field, one, many)], []]}
        for field, (one, many) in catalog.RECONSTRUCTED.items()
    ]
    note = {
        "$reduce": {
            "input": {"$concatArrays": parts},
            "initialValue": "",
            "in": {
                "$cond": [
                    {"$eq": ["$$value", ""]},
                    "$$this",
                    {"$concat": ["$$value", {"$literal": catalog.SEPARATOR}, "$$this"]},
                ]
            },
        }
    }
    return {"auto_notes": note, "notes": note}


def _counted(field: str, one: str, many: str) -> Document:
    number = {"$toString": f"${field}"}
    emoji, _, words = many.partition(" ")
    text = {"$concat": [{"$literal": f"{emoji} "}, number, {"$literal": f" {words}"}]}
    return {"$cond": [{"$eq": [f"${field}", 1]}, {"$literal": one}, text]}


def server_time(database: Database) -> datetime:
    """Return the server's time; the local clock is not used for days."""
    with translated():
        time = database.client.admin.command("hello").get("$clusterTime", {}).get("clusterTime")
    if time is None:
        raise Unavailable("the server returned no cluster time; the backfill requires a replica set")
    return cluster_datetime(time)
