"""Cache of the ledger's sums by business day, from which balances and rates follow without reading all lines."""

import threading
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta

from pymongo.errors import PyMongoError

from daemon import clock
from daemon.errors import ChatelloError
from daemon.mongo.client import translated
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import ClientSession, Database, Document
from daemon.store.ledger import day_sums, line_groups
from daemon.store.ledger import reader as ledger
from daemon.store.ledger.line_groups import LineGroup
from rules import business_days
from rules.model.ledger import Totals
from rules.revenue import movements
from rules.revenue.day_sums import DaySums

LINES_PER_QUERY = 20_000
"""Lines summed in one query: on a busy machine it takes less than half a second."""
RECENT = timedelta(days=31)
LINES_PER_READ = 20_000
"""Lines that a visit waits for."""


@dataclass(slots=True)
class DayRecord:
    """The sums of the lines of one business day, with opening balances (`totals`) and as activity (`sums`)."""

    totals: Totals = field(default_factory=Totals)
    sums: DaySums = field(default_factory=DaySums)
    has_crossings: bool = False
    """Whether `sums` counts the customers lost and regained, which no sum of lines gives."""

    def add(self, group: LineGroup, sign: int = 1) -> None:
        movements.add_totals(self.totals, group.totals, sign)
        day_sums.add_group(self.sums, group, sign)
        self.has_crossings = False


class DayTotals:
    """Sums of the ledger per business day. Lines are only appended, so each read adds those since the previous one.

    Thread-safe. If the ledger was replaced (a restore) or old lines were folded, everything is summed again. More than
    `lines_per_read` are summed by a thread of its own; until it is done, methods return None.
    """

    def __init__(self, database: Database, lines_per_read: int = LINES_PER_READ) -> None:
        self.database = database
        self.lines_per_read = lines_per_read
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._reset()

    def _reset(self) -> None:
        self._days: dict[date, DayRecord] = {}
        self._last: Document = {"_id": 0, "cause": None}
        self._first: Document | None = None

    def after(self, day: date, line: int | None, session: ClientSession) -> Totals | None:
        """Return the sums of the lines of all days up to `day`, up to `line` (None: the last one of the snapshot)."""
        last = ledger.newest_line(self.database, session) if line is None else line
        if self._is_far_from(last):
            return None
        with self._lock, translated():
            if not self._advance_to(last):
                return None
            total = Totals()
            for record in (record for of, record in self._days.items() if of <= day):
                movements.add_totals(total, record.totals)
            later = self._later(last, {"$lte": business_days.stored(day)})
        for group in later:
            movements.add_totals(total, group.totals, -1)
        return total

    def by_day(self, first: date, last: date, line: int | None, session: ClientSession) -> dict[date, DaySums] | None:
        """Return the sums of each day from `first` to `last` that has movements, up to `line`."""
        until = ledger.newest_line(self.database, session) if line is None else line
        if self._is_far_from(until):
            return None
        with self._lock, translated():
            if not self._advance_to(until):
                return None
            records = {day: one for day, one in self._days.items() if first <= day <= last}
            self._count_crossings(records, self._last["_id"])
            found = deepcopy(records)
            for group in self._later(until, {"$gte": business_days.stored(first), "$lte": business_days.stored(last)}):
                found[group.day].add(group, -1)
            self._count_crossings(found, until)
        return {day: record.sums for day, record in found.items()}

    def _later(self, line: int, days: Document) -> list[LineGroup]:
        """Return the summed lines after a line, which an older snapshot does not have."""
        if self._last["_id"] <= line:
            return []
        return line_groups.groups(self.database, {"_id": {"$gt": line, "$lte": self._last["_id"]}, "day": days})

    def _advance_to(self, line: int) -> bool:
        """Add the lines up to `line`; return False if a thread has to do that because they are many."""
        if not self._is_unchanged():
            self._reset()
        if self._is_far_from(line):
            return False
        while self._last["_id"] < line:
            self._add_until(min(line, self._last["_id"] + LINES_PER_QUERY))
        return True

    def _is_far_from(self, line: int) -> bool:
        """Return whether many lines are missing; then a thread adds them."""
        is_far: bool = line - self._last["_id"] > self.lines_per_read
        if is_far:
            self._start(line)
        return is_far

    def _start(self, line: int) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._advance, args=(line,), name="day-totals", daemon=True)
            self._thread.start()

    def _advance(self, line: int) -> None:
        """Add the lines up to `line`, and rest as long as each query took; a later visit continues after an error."""
        began = clock.monotonic()
        with suppress(ChatelloError, PyMongoError):
            while self._add_next(line):
                time.sleep(clock.monotonic() - began)
                began = clock.monotonic()
            self._count_recent_crossings()

    def _count_recent_crossings(self) -> None:
        """Count the customers lost and regained in the days that the rates of today cover, which most visits need."""
        with self._lock, translated():
            first = max(self._days, default=date.max) - RECENT
            self._count_crossings({day: one for day, one in self._days.items() if day >= first}, self._last["_id"])

    def _add_next(self, line: int) -> bool:
        with self._lock, translated():
            self._add_until(min(line, self._last["_id"] + LINES_PER_QUERY))
            return bool(self._last["_id"] < line)

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
        added = line_groups.groups(self.database, {"_id": {"$gt": self._last["_id"], "$lte": line}})
        for group in added:
            self._days.setdefault(group.day, DayRecord()).add(group)
        self._last = last

    def _count_crossings(self, records: dict[date, DayRecord], line: int) -> None:
        """Count the customers lost and regained where that is not known, by the lines up to `line`."""
        wanted = {day: record for day, record in records.items() if not record.has_crossings}
        if not wanted:
            return
        days: Document = {"$in": [business_days.stored(day) for day in wanted]}
        crossed = day_sums.crossings(self.database, {"day": days, "_id": {"$lte": line}})
        for day, record in wanted.items():
            record.sums.churned_customers, record.sums.reactivated_customers = crossed.get(day, day_sums.NO_CROSSINGS)
            record.has_crossings = True
