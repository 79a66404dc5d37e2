"""The years before the daemon: rows made from the documents' own dates, each marked as reconstructed.

A year at a time, by the server. What is there already says how far a former run came: the same command goes on.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from daemon.backfill import daily_rows
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
from rules.revenue import pricing
from rules.revenue.pricing import InvalidDocument
from rules.rows import periods
from rules.settings import catalog


class BackfillPlan(NamedTuple):
    """What a backfill would do: its stretches with what stands in them, and the documents that tell no date.

    `is_oldest`: it begins with the oldest document's day, so nothing came before.
    """

    stretches: list[tuple[DayRange, dict[str, int]]]
    unusable: dict[str, int]
    is_oldest: bool = True


class Backfill:
    """One shop's past. Reads the source, writes rows of days before the ledger, nothing else."""

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.decoder = Decoder(config.time.naive_zone, config.rules.manual_email)
        self.settings = config.settings()
        self.now = server_time(database)
        self.frame = DateContext(config.time.zone, config.time.naive_zone, self.now)
        self.plans = self._plans()

    def plan(self, first: date | None = None, last: date | None = None) -> BackfillPlan:
        """The days from the oldest document's (or `first`) to the one before the ledger's (or `last`)."""
        found = daily_rows.survey(self.database, self.plans, self.frame)
        if found.first is None:
            return BackfillPlan([], found.unusable)
        begin, end = max(found.first, first or found.first), min(self.newest(), last or date.max)
        stretches = [(one, merging.census(self.database, *one)) for one in daily_rows.years(begin, end)]
        return BackfillPlan(stretches, found.unusable, begin == found.first)

    def newest(self) -> date:
        """The last day nobody measured: the one before the ledger begins, yesterday where there is no ledger."""
        begun = ledger.first_day(self.database)
        return (begun or business_days.business_day(self.now, self.frame.zone)) - business_days.ONE_DAY

    def write(
        self, outlook: BackfillPlan, *, over_dashboard: bool, again: bool, advance: Callable[[int], object]
    ) -> list[DayRange]:
        """Merge every stretch that is not done yet (with `again`: every one); those written."""
        merging.prepare(self.database)
        written: list[DayRange] = []
        for stretch, standing in outlook.stretches:
            if again or not is_done(stretch, standing, over_dashboard=over_dashboard):
                stages = [*self._rows(stretch, outlook.unusable), {"$set": noted()}]
                merging.merge(self.database, Source.LICENSES.value, stages, self.now, over_dashboard=over_dashboard)
                written.append(stretch)
            advance(stretch.days)
        self._write_months(outlook, bool(written), over_dashboard=over_dashboard)
        return written

    def _write_months(self, outlook: BackfillPlan, anew: bool, *, over_dashboard: bool) -> None:
        """The months of these days that are whole; the very first may have begun with the first document."""
        if not outlook.stretches:
            return
        begin, end = outlook.stretches[0][0].first, outlook.stretches[-1][0].last
        whole = [month for month in periods.months(begin, end) if month.first >= begin or outlook.is_oldest]
        if not whole:
            return
        first, last = max(whole[0].first, begin), whole[-1].last
        if anew or merging.monthly_rows(self.database, whole[0].first, last) < len(whole):
            stages = [*merging.months(first, last), {"$set": noted()}]
            merging.merge(self.database, ROWS, stages, self.now, over_dashboard=over_dashboard)

    def preview(self, day: date, outlook: BackfillPlan) -> Document:
        """The row one day would have."""
        return daily_rows.last_row(self.database, day, self.plans, self.frame, sorted(outlook.unusable))

    def _rows(self, stretch: DayRange, unusable: dict[str, int]) -> list[Document]:
        return daily_rows.rows(stretch, self.plans, self.frame, sorted(unusable))

    def _plans(self) -> Sequence[Plan]:
        """Every plan with a price: as its document has it, else as it was last understood (deleted ones too)."""
        states = MirrorReader(self.database, self.settings).plans().values()
        plans = {state.id: state.plan for state in states if state.plan is not None}
        for plan_id, fields in snapshot.read(self.database, Source.PLANS, self.decoder, None):
            try:
                plans[plan_id] = pricing.read_plan(plan_id, fields, self.settings.rates)
            except InvalidDocument:
                continue
        return list(plans.values())


def is_done(stretch: DayRange, standing: dict[str, int], *, over_dashboard: bool) -> bool:
    """Whether every day has a row that would stay."""
    staying = standing["measured"] + standing["reconstructed"] + (0 if over_dashboard else standing["dashboard"])
    return staying == stretch.days


def noted() -> Document:
    """The row's note, in Italian, made by the server: what the day brought, in counts. No names: most are long gone."""
    parts = [
        {"$cond": [{"$gt": [f"${field}", 0]}, [_counted(field, one, many)], []]}
        for field, (one, many) in catalog.RECONSTRUCTED.items()
    ]
    told = {
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
    return {"auto_notes": told, "notes": told}


def _counted(field: str, one: str, many: str) -> Document:
    number = {"$toString": f"${field}"}
    emoji, _, words = many.partition(" ")
    text = {"$concat": [{"$literal": f"{emoji} "}, number, {"$literal": f" {words}"}]}
    return {"$cond": [{"$eq": [f"${field}", 1]}, {"$literal": one}, text]}


def server_time(database: Database) -> datetime:
    """What time the server has: ours decides nothing about a day."""
    with translated():
        time = database.client.admin.command("hello").get("$clusterTime", {}).get("clusterTime")
    if time is None:
        raise Unavailable("the server tells no cluster time: it is no replica set")
    return cluster_datetime(time)
