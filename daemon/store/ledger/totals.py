"""Current totals and those of earlier days, at one snapshot, and MRR movements by month."""

import threading
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from pymongo.client_session import ClientSession

from daemon import clock
from daemon.mongo.client import translated
from daemon.mongo.cluster_time import cluster_datetime
from daemon.mongo.collections import CHECKPOINT, LEDGER
from daemon.mongo.types import Database, Document
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.documents import totals_of
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.model.ledger import MovementKind, Totals

NUMBERS = ("customers", "paying_customers", "active_licenses", "mrr_cents")


class CurrentTotals(NamedTuple):
    """Totals `at` the committed position and at the end of `earlier` days, by age in days and without plans.

    `first_day` is the ledger's, None for an empty ledger; `line` is the `_id` of its last line.
    """

    at: datetime
    today: date
    totals: Totals
    earlier: Mapping[int, Totals]
    first_day: date | None
    line: int


def current_totals(
    database: Database, zone: tzinfo, days_ago: tuple[int, ...], session: ClientSession
) -> CurrentTotals | None:
    """Return the totals at a snapshot and those of `days_ago` that the ledger covers; None before the first start."""
    first = ledger.first_day(database)
    with translated():
        checkpoint = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, session=session)
        if checkpoint is None or not checkpoint.get("cluster_time"):
            return None
        at, totals = cluster_datetime(checkpoint["cluster_time"]), totals_of(checkpoint["totals"])
        today = business_days.business_day(at, zone)
        asked = {ago: today - ago * business_days.ONE_DAY for ago in days_ago}
        known = {ago: day for ago, day in asked.items() if first is not None and first <= day}
        moved = _moved_by_day(database, min(known.values()), session) if known else {}
    earlier = {ago: _at_end_of(day, totals, moved) for ago, day in known.items()}
    return CurrentTotals(at, today, totals, earlier, first, checkpoint["seq"])


def _moved_by_day(database: Database, after: date, session: ClientSession) -> dict[date, Document]:
    """Return the sums of the movements of each day after `after`."""
    stages: list[Document] = [
        {"$match": {"day": {"$gt": business_days.stored(after)}}},
        {"$group": {"_id": "$day", **{name: {"$sum": f"${name}"} for name in NUMBERS}}},
    ]
    return {moved["_id"].date(): moved for moved in database[LEDGER].aggregate(stages, session=session)}


def _at_end_of(day: date, totals: Totals, moved: Mapping[date, Document]) -> Totals:
    later = [sums for one, sums in moved.items() if one > day]
    return Totals(**{name: getattr(totals, name) - sum(sums[name] for sums in later) for name in NUMBERS})


Months = dict[date, dict[MovementKind, int]]
"""MRR in signed cents by month (its first day) and movement kind."""

LINES_PER_QUERY = 100_000
"""Lines summed in one query; takes the server a third of a second."""


class MovementsByMonth:
    """Cache of MRR movements by month. Lines are only appended, so each read sums the lines since the previous one.

    Thread-safe. If the ledger was replaced (a restore), everything is summed again.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._months: Months = {}
        self._last: Document = {"_id": 0, "cause": None}

    def read(self, timeout_seconds: float, line: int | None = None) -> Months | None:
        """Return the sums of every month with an MRR movement up to a ledger line (None: the newest).

        Opening balances are not movements. None after `timeout_seconds`: the next read continues from there.
        """
        until = clock.monotonic() + timeout_seconds
        with self._lock, translated():
            if not self._is_last_line_unchanged():
                self._reset()
            last = self._newest_line() if line is None else line
            while self._last["_id"] < last:
                if clock.monotonic() > until:
                    return None
                self._advance(min(last, self._last["_id"] + LINES_PER_QUERY))
            found = {month: dict(kinds) for month, kinds in self._months.items()}
            if self._last["_id"] > last:  # another visit had a newer snapshot
                self._add(found, last, self._last["_id"], -1)
            return found

    def _newest_line(self) -> int:
        newest = self.database[LEDGER].find_one({}, {"_id": 1}, sort=[("_id", -1)])
        return newest["_id"] if newest else 0

    def _advance(self, line: int) -> None:
        """Add the lines up to and including `line`."""
        last = self.database[LEDGER].find_one({"_id": line}, {"cause": 1})
        self._add(self._months, self._last["_id"], line)
        self._last = last or {"_id": line, "cause": None}

    def _is_last_line_unchanged(self) -> bool:
        """Return whether the last line read is unchanged; True if there is none or it was already folded."""
        if self._last["cause"] is None:
            return True
        return self.database[LEDGER].find_one({"_id": self._last["_id"]}, {"cause": 1}) == self._last

    def _add(self, months: Months, after: int, until: int, sign: int = 1) -> None:
        """Add the lines after one line and up to another, or subtract them."""
        stages: list[Document] = [
            {"$match": {"_id": {"$gt": after, "$lte": until}, "mrr_cents": {"$ne": 0}}},
            {"$group": {"_id": {"month": _month_of("$day"), "kind": "$kind"}, "cents": {"$sum": "$mrr_cents"}}},
        ]
        for found in self.database[LEDGER].aggregate(stages):
            kind = MovementKind(found["_id"]["kind"])
            if kind is not MovementKind.OPENING:
                kinds = months.setdefault(found["_id"]["month"].date(), {})
                kinds[kind] = kinds.get(kind, 0) + sign * found["cents"]


def _month_of(field: str) -> Document:
    """Truncate to the month, in UTC because days are stored at midnight UTC."""
    return {"$dateTrunc": {"date": field, "unit": "month"}}
