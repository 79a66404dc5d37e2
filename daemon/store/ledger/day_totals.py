"""Cache of the ledger's sums by business day, from which the balance of any day follows without reading all lines."""

import threading
from datetime import date

from pymongo.client_session import ClientSession

from daemon import clock
from daemon.mongo.client import translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import Database, Document
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.model.ledger import Totals
from rules.revenue import movements

LINES_PER_QUERY = 20_000
"""Lines summed in one query: on a busy machine it takes less than the time limit, so each visit makes progress."""


class DayTotals:
    """Sums of the ledger per business day. Lines are only appended, so each read adds those since the previous one.

    Thread-safe. If the ledger was replaced (a restore) or old lines were folded, everything is summed again.
    """

    def __init__(self, database: Database, timeout_seconds: float) -> None:
        self.database = database
        self.timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._days: dict[date, Totals] = {}
        self._last: Document = {"_id": 0, "cause": None}
        self._first: Document | None = None

    def after(self, day: date, line: int | None, session: ClientSession) -> Totals | None:
        """Return the sums of the lines of all days up to `day`, up to `line` (None: the last one of the snapshot).

        None if the lines cannot be summed within the timeout; the next call continues from there.
        """
        with translated():
            newest = self.database[LEDGER].find_one({}, {"_id": 1}, sort=[("_id", -1)], session=session)
        if newest is None:
            return Totals()
        with self._lock, translated():
            if not self._advance_to(newest["_id"]):
                return None
            total = Totals()
            for sums in (sums for of, sums in self._days.items() if of <= day):
                movements.add_totals(total, sums)
            last = newest["_id"] if line is None else line
            later = {"_id": {"$gt": last, "$lte": self._last["_id"]}, "day": {"$lte": business_days.stored(day)}}
        return movements.combined(total, ledger.sums(self.database, later), -1)

    def _advance_to(self, line: int) -> bool:
        """Add the lines up to `line`; return whether that was possible within the timeout."""
        until = clock.monotonic() + self.timeout_seconds
        if not self._is_unchanged():
            self._reset()
        while self._last["_id"] < line:
            if clock.monotonic() > until:
                return False
            self._add_until(min(line, self._last["_id"] + LINES_PER_QUERY))
        return True

    def _is_unchanged(self) -> bool:
        """Return whether the first and the last line read are unchanged; True before the first read."""
        if self._first is None:
            return True
        first = self.database[LEDGER].find_one({}, {"cause": 1}, sort=[("_id", 1)])
        return first == self._first and self._line(self._last["_id"]) == self._last

    def _line(self, line: int) -> Document:
        found = self.database[LEDGER].find_one({"_id": line}, {"cause": 1})
        return found or {"_id": line, "cause": None}

    def _add_until(self, line: int) -> None:
        if self._first is None:
            self._first = self.database[LEDGER].find_one({}, {"cause": 1}, sort=[("_id", 1)])
        last = self._line(line)
        match = {"_id": {"$gt": self._last["_id"], "$lte": line}}
        for day, sums in ledger.sums_by_day(self.database, match).items():
            movements.add_totals(self._days.setdefault(day, Totals()), sums)
        self._last = last
