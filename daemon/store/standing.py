"""Where the shop stands: the running totals and those of days before, at one snapshot, and MRR movements by month."""

import threading
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from typing import Any, NamedTuple

from pymongo.client_session import ClientSession
from pymongo.database import Database

from daemon.connection import translated
from daemon.decode import cluster_datetime
from daemon.store import ledger
from daemon.store.checkpoint import CHECKPOINT_ID
from daemon.store.names import CHECKPOINT, LEDGER
from daemon.store.records import totals_of
from rules import days
from rules.model import MovementKind, Totals

Document = dict[str, Any]


class Standing(NamedTuple):
    """The totals `at` the committed position and at the end of earlier days; `first_day` is the ledger's first."""

    at: datetime
    today: date
    totals: Totals
    earlier: Mapping[int, Totals]
    first_day: date | None


def standing(database: Database[Document], zone: tzinfo, days_ago: tuple[int, ...]) -> Standing | None:
    """The totals now, and as many days ago as `days_ago` asks where the ledger reaches; None before the first start."""
    first = ledger.first_day(database)
    with translated(), database.client.start_session(snapshot=True) as session:
        checkpoint = database[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}, session=session)
        if checkpoint is None or not checkpoint.get("cluster_time"):
            return None
        at, totals = cluster_datetime(checkpoint["cluster_time"]), totals_of(checkpoint["totals"])
        today = days.business_day(at, zone)
        asked = {ago: today - ago * days.ONE_DAY for ago in days_ago}
        earlier = {
            ago: _at_end_of(database, totals, day, session) for ago, day in asked.items() if first and first <= day
        }
    return Standing(at, today, totals, earlier, first)


def _at_end_of(database: Database[Document], totals: Totals, day: date, session: ClientSession) -> Totals:
    return ledger.totals_after(database, totals, day, session)


Months = dict[date, dict[MovementKind, int]]
"""Per month (its first day): what MRR each kind of movement moved, in signed cents."""


class MovementsByMonth:
    """MRR movements summed by month. The ledger only grows, so each look sums only what was booked since the last.

    Safe to ask from several threads. A ledger that is not the one seen before (a restore) is summed anew.
    """

    def __init__(self, database: Database[Document]) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._months: Months = {}
        self._last: Document = {"_id": 0, "cause": None}

    def read(self) -> Months:
        """The sums of every month with a movement of MRR, as of now; opening balances moved none."""
        with self._lock, translated():
            if not self._is_known():
                self._forget()
            newest = self.database[LEDGER].find_one({}, {"cause": 1}, sort=[("_id", -1)])
            if newest is not None and newest["_id"] > self._last["_id"]:
                self._add(newest["_id"])
                self._last = newest
            return {month: dict(kinds) for month, kinds in self._months.items()}

    def _is_known(self) -> bool:
        """Whether the last line seen still stands where it stood."""
        if self._last["_id"] == 0:
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
