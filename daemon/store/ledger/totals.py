"""Where the shop stands: the running totals and those of days before, at one snapshot, and MRR movements by month."""

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
    """The totals `at` the committed position, and at the end of earlier days (without their plans) by how many ago.

    `first_day` is the ledger's.
    """

    at: datetime
    today: date
    totals: Totals
    earlier: Mapping[int, Totals]
    first_day: date | None


def current_totals(database: Database, zone: tzinfo, days_ago: tuple[int, ...]) -> CurrentTotals | None:
    """The totals now, and as many days ago as `days_ago` asks where the ledger reaches; None before the first start."""
    first = ledger.first_day(database)
    with translated(), database.client.start_session(snapshot=True) as session:
        checkpoint = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, session=session)
        if checkpoint is None or not checkpoint.get("cluster_time"):
            return None
        at, totals = cluster_datetime(checkpoint["cluster_time"]), totals_of(checkpoint["totals"])
        today = business_days.business_day(at, zone)
        asked = {ago: today - ago * business_days.ONE_DAY for ago in days_ago}
        known = {ago: day for ago, day in asked.items() if first is not None and first <= day}
        moved = _moved_by_day(database, min(known.values()), session) if known else {}
    return CurrentTotals(at, today, totals, {ago: _at_end_of(day, totals, moved) for ago, day in known.items()}, first)


def _moved_by_day(database: Database, after: date, session: ClientSession) -> dict[date, Document]:
    """What the movements of each later day add up to."""
    stages: list[Document] = [
        {"$match": {"day": {"$gt": business_days.stored(after)}}},
        {"$group": {"_id": "$day", **{name: {"$sum": f"${name}"} for name in NUMBERS}}},
    ]
    return {moved["_id"].date(): moved for moved in database[LEDGER].aggregate(stages, session=session)}


def _at_end_of(day: date, totals: Totals, moved: Mapping[date, Document]) -> Totals:
    later = [sums for one, sums in moved.items() if one > day]
    return Totals(**{name: getattr(totals, name) - sum(sums[name] for sums in later) for name in NUMBERS})


Months = dict[date, dict[MovementKind, int]]
"""Per month (its first day): what MRR each kind of movement moved, in signed cents."""


STRIDE = 100_000
"""Lines summed at once: a third of a second's work for the server."""


class MovementsByMonth:
    """MRR movements summed by month. Lines come at the ledger's end only: a look sums what was booked since the last.

    Safe to ask from several threads. A ledger that is not the one seen before (a restore) is summed anew.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._months: Months = {}
        self._last: Document = {"_id": 0, "cause": None}

    def read(self, patience_seconds: float) -> Months | None:
        """The sums of every month with a movement of MRR, as of now; opening balances moved none.

        None if there is more to sum than patience lasts: the next look goes on from there.
        """
        until = clock.monotonic() + patience_seconds
        with self._lock, translated():
            if not self._is_known():
                self._forget()
            newest = self.database[LEDGER].find_one({}, {"cause": 1}, sort=[("_id", -1)])
            while newest is not None and self._last["_id"] < newest["_id"]:
                if clock.monotonic() > until:
                    return None
                self._advance(min(newest["_id"], self._last["_id"] + STRIDE))
            return {month: dict(kinds) for month, kinds in self._months.items()}

    def _advance(self, line: int) -> None:
        """Sum up to and with a line."""
        last = self.database[LEDGER].find_one({"_id": line}, {"cause": 1})
        self._add(line)
        self._last = last or {"_id": line, "cause": None}

    def _is_known(self) -> bool:
        """Whether the last line seen still stands where it stood; nothing is known of one that was folded away."""
        if self._last["cause"] is None:
            return True
        return self.database[LEDGER].find_one({"_id": self._last["_id"]}, {"cause": 1}) == self._last

    def _add(self, until: int) -> None:
        stages: list[Document] = [
            {"$match": {"_id": {"$gt": self._last["_id"], "$lte": until}, "mrr_cents": {"$ne": 0}}},
            {"$group": {"_id": {"month": _month_of("$day"), "kind": "$kind"}, "cents": {"$sum": "$mrr_cents"}}},
        ]
        for found in self.database[LEDGER].aggregate(stages):
            kind = MovementKind(found["_id"]["kind"])
            if kind is not MovementKind.OPENING:
                kinds = self._months.setdefault(found["_id"]["month"].date(), {})
                kinds[kind] = kinds.get(kind, 0) + found["cents"]


def _month_of(field: str) -> Document:
    """Days are stored at midnight UTC, so the month is UTC's too."""
    return {"$dateTrunc": {"date": field, "unit": "month"}}
